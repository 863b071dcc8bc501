"""News of cases by PostgreSQL's notifications: one listening connection per process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import structlog

from services.platform.listening import Listener

log = structlog.get_logger()

_CHANNEL = "cases"


class CaseNotifications:
    """Satisfies `services.casework.register.CaseNews`."""

    def __init__(self, dsn: str) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._listener = Listener(dsn, _CHANNEL, self._on_publication, self._on_lost)

    @contextmanager
    def of(self, case_id: str) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        watchers = self._watchers.setdefault(case_id, set())
        watchers.add(news)
        try:
            yield news
        finally:
            watchers.discard(news)
            if not watchers:
                self._watchers.pop(case_id, None)

    async def listen(self) -> None:
        try:
            await self._listener.listen()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Watchers look by themselves meanwhile.
            log.warning("news.interrupted", error=type(error).__name__)

    def _on_publication(self, case_id: str) -> None:
        for news in self._watchers.get(case_id, ()):
            news.set()

    def _on_lost(self) -> None:
        for watchers in self._watchers.values():
            for news in watchers:
                news.set()

    async def close(self) -> None:
        await self._listener.close()
