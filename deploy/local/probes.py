"""How one can tell that a process is ready.

A gRPC service listens only once its database is there and migrated, so that listening is being ready; the
gateway, which is waited for last, asks the health of each. gRPC itself stays out of the supervisor: a process
that forks must not have its threads, nor any others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

Probe = Callable[[], Awaitable[bool]]
_SECONDS: Final = 3.0


def accepts(port: int) -> Probe:
    """Ready when somebody listens on ``port``."""

    async def probe() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return probe


def answers(url: str) -> Probe:
    """Ready when a GET of ``url`` (``http://host:port/path``) is answered with 200."""
    where = urlsplit(url)
    request = f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> bool:
        try:
            async with asyncio.timeout(_SECONDS):
                reader, writer = await asyncio.open_connection(where.hostname, where.port)
                try:
                    writer.write(request)
                    status_line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        return status_line.split()[1:2] == [b"200"]

    return probe


def touched(file: Path) -> Probe:
    """Ready when the process has made ``file``."""
    return holds(file.exists)


def holds(check: Callable[[], bool]) -> Probe:
    """Ready when ``check``, which must be quick, says so."""

    async def probe() -> bool:
        return check()

    return probe
