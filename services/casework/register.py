"""The register: every case as its workflow last published it, to be read, listed and watched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.casework import cursors
from services.domain.case import CaseSnapshot, TimelineEntry
from services.domain.errors import CaseNotFound
from services.domain.inbox import CaseFilter


@dataclass(frozen=True, slots=True)
class Listed:
    """A case of a list: what it is ordered by, and its document."""

    case_id: str
    recorded_at: datetime
    document: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed case, and the transaction that changed it last."""

    transaction: str
    case_id: str
    document: str


class CaseStore(Protocol):
    """Where cases are kept; every method is one statement."""

    async def publish(self, snapshot: CaseSnapshot, document: str) -> bool: ...
    async def find(self, store_id: str, case_id: str) -> str: ...
    async def newer(self, store_id: str, case_id: str, sequence: int) -> tuple[int, str] | None: ...
    async def page(
        self, wanted: CaseFilter, after: tuple[datetime, str] | None, limit: int
    ) -> list[Listed]: ...
    async def changes(self, after: tuple[str, str], store_id: str, limit: int) -> tuple[list[Changed], str]:
        """Return changes in a safe order, and the transaction below which no other can appear."""

    async def timeline(self, store_id: str, case_id: str) -> list[TimelineEntry]: ...


class CaseNews(Protocol):
    """Who tells that a case was published, by whichever process."""

    def of(self, case_id: str) -> AbstractContextManager[asyncio.Event]:
        """Give an event that every publication of the case sets."""

    async def listen(self) -> None:
        """See to it that news come; to be repeated, since a connection may be lost."""


@dataclass(frozen=True, slots=True)
class Register:
    """The use cases that are more than one call of the store. Lost news delay a watcher ``look_seconds``."""

    store: CaseStore
    news: CaseNews
    look_seconds: float

    async def page(self, wanted: CaseFilter, cursor: str, limit: int) -> tuple[list[str], str]:
        """Return a page of documents, last updated first, and the cursor of the next (empty on the last)."""
        listed = await self.store.page(wanted, cursors.read_instant(cursor), limit + 1)
        page = listed[:limit]
        documents = [one.document for one in page]
        if len(listed) <= limit:
            return documents, ""
        return documents, cursors.after_instant(page[-1].recorded_at, page[-1].case_id)

    async def changes(self, position: str, store_id: str, limit: int) -> tuple[list[str], str]:
        """Return changed cases after ``position``, and the position to go on from.

        Whoever follows one store goes on behind all that was looked through for it, not behind its last
        change: what others do would be looked through again and again.
        """
        changed, complete_below = await self.store.changes(cursors.read_change(position), store_id, limit)
        if store_id and len(changed) < limit:
            position = cursors.after_change(complete_below, "")
        elif changed:
            position = cursors.after_change(changed[-1].transaction, changed[-1].case_id)
        return [one.document for one in changed], position

    async def watch(self, store_id: str, case_id: str) -> AsyncIterator[str]:
        """Give the case's document now and after every publication, until the watcher goes away.

        Of publications in quick succession, the last is given.

        Raises:
            CaseNotFound: If there is no such case.
        """
        seen = -1
        with self.news.of(case_id) as news:
            while True:
                news.clear()
                await self.news.listen()
                newer = await self.store.newer(store_id, case_id, seen)
                if newer is not None:
                    seen, document = newer
                    yield document
                elif seen < 0:
                    raise CaseNotFound("there is no such case")
                try:
                    await asyncio.wait_for(news.wait(), self.look_seconds)
                except TimeoutError:
                    continue
