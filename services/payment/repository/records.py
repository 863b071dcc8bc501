"""What the janitor compares and repairs, over all stores."""

from collections.abc import Sequence
from datetime import datetime

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.refund import Refund
from services.payment import queries
from services.payment.disputes import KnownDispute
from services.payment.janitor import Bounds, Walk
from services.payment.refunds import ProviderEvent, ProviderRefund, Reserved
from services.payment.repository.events import EventRepository, uuid_of
from services.payment.repository.refunds import RefundRepository
from services.payment.repository.rows import to_payment, to_refund
from services.platform.database import Pool


class RecordRepository:
    """Satisfies `services.payment.janitor.Records`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._refunds = RefundRepository(pool)
        self._events = EventRepository(pool)

    async def walk(self, source: str, bounds: Bounds) -> Walk:
        await self._pool.execute(queries.BEGIN_WALK, source, bounds.since, bounds.asked_at, bounds.now)
        row = await self._pool.fetchrow(queries.WALK, source)
        assert row is not None
        return Walk(row["source"], row["position"], row["since"], row["began_at"], row["is_finished"])

    async def move(self, walk: Walk, position: str | None) -> None:
        await self._pool.execute(queries.MOVE_WALK, walk.source, walk.began_at, walk.position, position)

    async def unsettled(self, before: datetime, after: str, limit: int) -> list[Reserved]:
        rows = await self._pool.fetch(queries.UNSETTLED, before, after or None, limit)
        return [
            Reserved(to_refund(row), to_payment(row), row["provider_ref"], is_repeat=True) for row in rows
        ]

    async def refunds_told(self, ids: Sequence[str]) -> dict[str, RefundStatus]:
        rows = await self._pool.fetch(queries.REFUNDS_TOLD, list(ids))
        return {row["provider_refund_id"]: RefundStatus(row["status"]) for row in rows}

    async def still_asked_for(self, ids: Sequence[str]) -> set[str]:
        ours = [found for found in map(uuid_of, ids) if found]
        return {str(row["refund_id"]) for row in await self._pool.fetch(queries.STILL_ASKED_FOR, ours)}

    async def undecided(self, after: str, limit: int) -> list[KnownDispute]:
        rows = await self._pool.fetch(queries.UNDECIDED, after or None, limit)
        return [
            KnownDispute(
                str(row["dispute_id"]),
                row["provider"],
                row["provider_dispute_id"],
                DisputeStatus(row["status"]),
            )
            for row in rows
        ]

    async def disputes_told(self, provider: str, ids: Sequence[str]) -> dict[str, DisputeStatus]:
        rows = await self._pool.fetch(queries.LAST_TOLD, provider, list(ids))
        return {row["provider_dispute_id"]: DisputeStatus(row["status"]) for row in rows}

    async def settle(self, known: Refund, told: ProviderRefund, at: datetime) -> Refund:
        return await self._refunds.settle(known, told, at)

    async def apply(self, provider: str, event: ProviderEvent) -> bool:
        return await self._events.apply(provider, event)
