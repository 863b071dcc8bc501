"""Which port each server of the stack listens on: its usual one if it is free, and the same next time."""

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

USUAL: Final[Mapping[str, int]] = {
    "gateway": 8080,
    "temporal": 7233,
    "temporal-ui": 8233,
    "temporal-http": 7243,
    "temporal-metrics": 7234,
    "order": 7101,
    "warehouse": 7102,
    "payment": 7103,
    "notification": 7104,
    "casework": 7105,
    "sandbox": 7110,
    "mailbox": 7125,
}
# Below the kernel's ephemeral range: whoever finds them in a file later, when nobody keeps them, still does.
_OTHERS: Final = range(20000, 32000)


def keep(port: int = 0, *, reuse: bool = False) -> socket.socket:
    """Return a socket that keeps ``port`` (0: any free one) for the server that is to listen on it.

    Between the choice of a port and the server's start, and whenever the server is away, anybody else could
    be given it: by another choice, or for an outgoing connection. The kernel gives a bound port to nobody by
    itself, and lets a server bind it too while both say SO_REUSEADDR, as servers do, and neither listens yet.
    Until one does, connections are refused. Said only after the bind, it lets no two keep the same port; with
    ``reuse`` it is said before, for a port whose closed connections the kernel still remembers.

    Raises:
        OSError: If somebody has the port.
    """
    held = socket.socket()
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
        held.bind(("127.0.0.1", port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        held.close()
        raise
    return held


def choose(remembered: Path, *, prefer_usual: bool = True) -> dict[str, int]:
    """Return a free port for every server, and remember the choice in the file ``remembered``.

    What was chosen before is chosen again while it is free, so that addresses survive a restart. Until this
    process ends, nobody else is given them.
    """
    before = json.loads(remembered.read_text()) if remembered.exists() else {}
    ports: dict[str, int] = {}
    for name, usual in USUAL.items():
        wanted = [before[name]] if name in before else []
        wanted += [usual] if prefer_usual else []
        ports[name] = next((port for port in wanted if _is_kept(port, ports)), 0) or _another(ports)
    remembered.write_text(json.dumps(ports))
    return ports


def elsewhere(remembered: Path) -> list[str]:
    """Say of each server that is not on its usual port where it is, and who has that one."""
    chosen: dict[str, int] = json.loads(remembered.read_text()) if remembered.exists() else {}
    return [
        f"{name:<13} is on port {chosen[name]}: its usual {usual} {_why_not(usual)}"
        for name, usual in USUAL.items()
        if chosen.get(name, usual) != usual
    ]


def _why_not(port: int) -> str:
    if _is_free(port):
        return "was taken once; it keeps this one"
    holder = _holder(port)
    return f"is taken by {holder}" if holder else "is taken"


def _holder(port: int) -> str:
    """Return who listens on a port, by name alone: its arguments may be secrets."""
    try:
        pids = [
            found.pid
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
        ]
        return f"{psutil.Process(pids[0]).name()} (process {pids[0]})" if pids else ""
    except psutil.Error:
        return ""


def _is_kept(port: int, taken: Mapping[str, int], *, reuse: bool = True) -> bool:
    """Keep a port, if it is free, until this process ends."""
    if port in taken.values():
        return False
    try:
        keep(port, reuse=reuse).detach()
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    try:
        keep(port, reuse=True).close()
    except OSError:
        return False
    return True


def _another(taken: Mapping[str, int]) -> int:
    while True:
        port = random.choice(_OTHERS)  # noqa: S311 — no secret
        if _is_kept(port, taken, reuse=False):
            return port
