"""Providers' events in their table, and what they change."""

from uuid import UUID

from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable
from services.domain.ids import derived_id
from services.payment import ledger, queries
from services.payment.refunds import ProviderEvent, ProviderRefund, settled
from services.payment.repository.disputes import take_telling
from services.payment.repository.refunds import store_settlement
from services.payment.repository.rows import refund_fact, to_refund
from services.payment.webhooks import Kept
from services.platform.database import Connection, Pool, transaction
from services.platform.outbox import record


class EventRepository:
    """Satisfies `services.payment.webhooks.EventStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def keep(self, provider: str, event: ProviderEvent, payload: bytes) -> Kept:
        told = event.refund
        row = await self._pool.fetchrow(
            queries.KEEP_EVENT,
            provider,
            event.event_id,
            payload,
            told.provider_refund_id if told else None,
            told.status.value if told else None,
            event.dispute is not None,
        )
        assert row is not None
        return Kept(row["is_new"], row["is_applied"])

    async def apply(self, provider: str, event: ProviderEvent) -> bool:
        """Apply a kept event; twice is as good as once. What is asked about now is left to whoever asks.

        Returns whether a refund changed by it, or a dispute was told.

        Raises:
            DependencyUnavailable: If a failure arrives while the refund is still being asked for; the
                provider sends it again.
        """
        has_changed = event.dispute is not None
        async with transaction(self._pool) as connection:
            if event.refund is not None:
                has_changed |= await self._apply(connection, provider, event, event.refund)
            if event.dispute is not None:
                await take_telling(connection, provider, event.dispute, event.event_id, event.occurred_at)
            await connection.execute(queries.EVENT_APPLIED, provider, event.event_id)
        return has_changed

    async def _apply(
        self, connection: Connection, provider: str, event: ProviderEvent, told: ProviderRefund
    ) -> bool:
        row = await connection.fetchrow(queries.LOCK_TOLD, uuid_of(told.refund_id), told.provider_refund_id)
        is_outside = row is None or row["provider_refund_id"] not in {None, told.provider_refund_id}
        if is_outside:
            # Not asked for by us (the provider's dashboard), whatever id it was given there: it counts
            # against the caps as well.
            await self._insert_outside(connection, provider, event, told)
            row = await connection.fetchrow(queries.LOCK_TOLD, None, told.provider_refund_id)
        if row is None:
            return False
        if row["provider_refund_id"] is None:
            if told.status is RefundStatus.FAILED:
                raise DependencyUnavailable("the refund is being asked for; send it again")
            return False
        known = to_refund(row)
        if not told.is_of(known.intent):
            # What has moved is unknown: whoever asks hears the same, and the books' review asks finance.
            return False
        refund = settled(known, told, event.occurred_at)
        await store_settlement(connection, known, refund, event.occurred_at)
        if refund.status is not known.status:
            await record(connection, refund_fact(row, refund, event.occurred_at))
        return is_outside or refund.status is not known.status

    async def _insert_outside(
        self, connection: Connection, provider: str, event: ProviderEvent, told: ProviderRefund
    ) -> None:
        await connection.execute(
            queries.INSERT_OUTSIDE,
            derived_id("outside", provider, told.provider_refund_id or ""),
            provider,
            told.provider_ref,
            told.amount,
            told.provider_refund_id,
            event.occurred_at,
            ledger.RESERVE.step,
            ledger.RESERVE.debit,
            ledger.RESERVE.credit,
            told.currency,
        )


def uuid_of(refund_id: str | None) -> UUID | None:
    """Return an id of ours; whatever else somebody noted under its name is none."""
    try:
        return UUID(refund_id) if refund_id else None
    except ValueError:
        return None
