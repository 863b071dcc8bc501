"""Cases and their timelines in PostgreSQL: one method, one statement."""

from datetime import datetime
from typing import Any

from services.casework import queries
from services.casework.register import Changed, Listed
from services.casework.words import query_for, words_of
from services.domain.case import Actor, ActorKind, CaseSnapshot, TimelineEntry
from services.domain.errors import CaseNotFound
from services.domain.inbox import CaseFilter
from services.platform.database import Pool

_PLAIN = (
    "store_id",
    "order_id",
    "customer_id",
    "kind",
    "status",
    "phase",
    "waiting_on",
    "owner",
    "due_before",
)


class CaseRepository:
    """Satisfies `services.casework.register.CaseStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def publish(self, snapshot: CaseSnapshot, document: str) -> bool:
        """Keep a snapshot and its ``document``; True when none newer is known."""
        waiting = snapshot.waiting_on
        is_newest = await self._pool.fetchval(
            queries.PUBLISH,
            document,
            snapshot.case_id,
            snapshot.store_id,
            snapshot.order_id,
            snapshot.customer_id,
            snapshot.kind,
            snapshot.status,
            snapshot.phase,
            waiting.party if waiting else None,
            waiting.until if waiting else None,
            snapshot.owner,
            snapshot.sequence,
            snapshot.opened_at,
            snapshot.updated_at,
            snapshot.closed_at,
            words_of(_found_by(snapshot)),
        )
        return bool(is_newest)

    async def find(self, store_id: str, case_id: str) -> str:
        document = await self._pool.fetchval(queries.FIND_CASE, store_id, case_id)
        if document is None:
            raise CaseNotFound("there is no such case")
        return str(document)

    async def newer(self, store_id: str, case_id: str, sequence: int) -> tuple[int, str] | None:
        row = await self._pool.fetchrow(queries.NEWER_CASE, store_id, case_id, sequence)
        return (row["sequence"], row["document"]) if row else None

    async def page(self, wanted: CaseFilter, after: tuple[datetime, str] | None, limit: int) -> list[Listed]:
        given: dict[str, tuple[object, ...]] = {
            name: (value,) for name in _PLAIN if (value := getattr(wanted, name))
        }
        if wanted.text:
            given["words"] = (query_for(wanted.text),)
        if after is not None:
            given["after"] = after
        query, arguments = queries.narrowed(queries.LIST_CASES, queries.CASE_CONDITIONS, given, limit)
        rows = await self._pool.fetch(query, *arguments)
        return [Listed(row["case_id"], row["recorded_at"], row["document"]) for row in rows]

    async def changes(self, after: tuple[str, str], store_id: str, limit: int) -> tuple[list[Changed], str]:
        rows = await self._pool.fetch(queries.LIST_CHANGES, *after, store_id, limit)
        changed = [
            Changed(row["changed_in"], row["case_id"], row["document"]) for row in rows if row["case_id"]
        ]
        return changed, rows[0]["complete_below"]

    async def timeline(self, store_id: str, case_id: str) -> list[TimelineEntry]:
        rows = await self._pool.fetch(queries.LIST_TIMELINE, store_id, case_id)
        if not rows:
            raise CaseNotFound("there is no such case")
        return [_to_entry(row) for row in rows if row["entry_id"] is not None]


def _found_by(snapshot: CaseSnapshot) -> str:
    """Return what people look for a case with; no snapshot of the case changes any of it."""
    rma = "R" + snapshot.case_id.partition("-")[2].replace("-", "")
    return f"{snapshot.case_id} {rma} {snapshot.order_id} {snapshot.customer_id} {snapshot.note}"


def _to_entry(row: Any) -> TimelineEntry:
    actor = row["actor"]
    return TimelineEntry(
        entry_id=row["entry_id"],
        at=row["at"],
        actor=Actor(ActorKind(actor["kind"]), actor["actor_id"], tuple(actor["roles"])),
        what=row["what"],
        detail=row["detail"],
    )
