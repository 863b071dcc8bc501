"""What the janitor compares and repairs, over all stores."""

from collections.abc import Sequence
from datetime import datetime

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.refund import Refund
from services.payment import queries
from services.payment.refunds import ProviderEvent, ProviderRefund, Reserved
from services.payment.repository.events import EventRepository
from services.payment.repository.refunds import RefundRepository
from services.payment.repository.rows import to_payment, to_refund
from services.platform.database import Pool


class RecordRepository:
    """Satisfies `services.payment.janitor.Records`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._refunds = RefundRepository(pool)
        self._events = EventRepository(pool)

    async def unsettled(self, before: datetime, after: str, limit: int) -> list[Reserved]:
        rows = await self._pool.fetch(queries.UNSETTLED, before, after or None, limit)
        return [
            Reserved(to_refund(row), to_payment(row), row["provider_ref"], is_repeat=True) for row in rows
        ]

    async def refunds_told(self, ids: Sequence[str]) -> dict[str, RefundStatus]:
        rows = await self._pool.fetch(queries.REFUNDS_TOLD, list(ids))
        return {row["provider_refund_id"]: RefundStatus(row["status"]) for row in rows}

    async def disputes_told(self, provider: str) -> dict[str, DisputeStatus]:
        rows = await self._pool.fetch(queries.LAST_TOLD, provider)
        return {row["provider_dispute_id"]: DisputeStatus(row["status"]) for row in rows}

    async def settle(self, known: Refund, told: ProviderRefund, at: datetime) -> Refund:
        return await self._refunds.settle(known, told, at)

    async def apply(self, provider: str, event: ProviderEvent) -> None:
        await self._events.apply(provider, event)
