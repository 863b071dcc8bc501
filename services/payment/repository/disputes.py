"""Disputes in their tables: all that was told, where that leaves them, and what it posts."""

from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Any

from services.domain.dispute import DisputeStatus, Stake, Telling, stake, standing
from services.domain.facts import DisputeChanged, Fact, FactKind
from services.domain.ids import CaseId, EventId, derived_id
from services.domain.money import Money
from services.payment import ledger, queries
from services.payment.disputes import ProviderDispute
from services.platform.database import Connection
from services.platform.outbox import record


@dataclass(frozen=True, slots=True)
class _Dispute:
    """One dispute of a payment of ours; ``payment`` is the payment's row."""

    provider: str
    provider_dispute_id: str
    payment: Any

    @property
    def dispute_id(self) -> str:
        return derived_id("dispute", self.provider, self.provider_dispute_id)


async def take_telling(
    connection: Connection, provider: str, told: ProviderDispute, telling_id: str, at: datetime
) -> None:
    """Keep what was said of a dispute, and draw the conclusions; the same again changes nothing."""
    await connection.execute(queries.LOCK_NAME, provider, told.provider_ref)
    await connection.execute(
        queries.INSERT_TELLING,
        provider,
        telling_id,
        told.provider_dispute_id,
        told.provider_ref,
        told.status.value,
        at,
        told.currency,
        told.amount,
        told.withdrawn,
        told.fee,
        told.movements,
        told.reason,
        told.due_by,
    )
    await conclude(connection, provider, told.provider_dispute_id)


async def conclude(connection: Connection, provider: str, provider_dispute_id: str) -> None:
    """Bring a dispute, the ledger and the outbox to where all that was told of it leaves it.

    Of a payment that is not ours, or not known by its provider's name yet, what was told is only kept.
    """
    payment = await connection.fetchrow(queries.LOCK_DISPUTED, provider, provider_dispute_id)
    if payment is None:
        return
    dispute = _Dispute(provider, provider_dispute_id, payment)
    rows = await connection.fetch(queries.TELLINGS, provider, provider_dispute_id)
    held = standing(_telling(row, payment) for row in rows)
    known = await connection.fetchrow(queries.DISPUTE, dispute.dispute_id)
    before = Stake(known["frozen"], known["lost"], known["fee"]) if known else Stake()
    await _put(connection, dispute, held)
    await _post(connection, dispute, held, ledger.dispute_entries(before, stake(held)))
    if known is None or known["status"] != held.status.value:
        await record(connection, _fact(dispute, held))
        if held.status is DisputeStatus.WON:
            await _tell_refused(connection, dispute, held)


async def _tell_refused(connection: Connection, dispute: _Dispute, held: Telling) -> None:
    """Tell the cases whose refunds were refused because of the payment's disputes that its money is free."""
    payment = dispute.payment
    rows = await connection.fetch(queries.FREE_REFUSED, payment["store_id"], payment["payment_id"])
    for case_id in sorted({row["case_id"] for row in rows}):
        await record(connection, _fact(dispute, held, CaseId(case_id)))


def _telling(row: Any, payment: Any) -> Telling:
    told = Telling(
        telling_id=row["telling_id"],
        status=DisputeStatus(row["status"]),
        told_at=row["told_at"],
        amount=row["amount"],
        withdrawn=row["withdrawn"],
        fee=row["fee"],
        movements=row["movements"],
        reason=row["reason"],
        due_by=row["due_by"],
    )
    if row["currency"] == payment["currency"]:
        return told
    # Told in another currency, or (an early warning) of no amount at all: it is about the whole payment.
    return replace(told, amount=payment["captured"], withdrawn=0, fee=0)


async def _put(connection: Connection, dispute: _Dispute, held: Telling) -> None:
    payment = dispute.payment
    await connection.execute(
        queries.PUT_DISPUTE,
        dispute.dispute_id,
        dispute.provider,
        dispute.provider_dispute_id,
        payment["store_id"],
        payment["payment_id"],
        payment["order_id"],
        payment["currency"],
        held.amount,
        held.status.value,
        held.reason,
        held.due_by,
        *astuple(stake(held)),
        held.told_at,
    )


async def _post(connection: Connection, dispute: _Dispute, held: Telling, entries: dict[str, int]) -> None:
    if not entries:
        return
    count = await connection.fetchval(
        queries.DISPUTE_POSTINGS,
        dispute.payment["store_id"],
        dispute.payment["payment_id"],
        dispute.dispute_id,
    )
    await connection.execute(
        queries.POST_DISPUTE,
        f"dispute/{dispute.dispute_id}/{count + 1}",
        dispute.payment["store_id"],
        dispute.payment["currency"],
        dispute.payment["payment_id"],
        dispute.dispute_id,
        f"dispute_{held.status}",
        held.told_at,
        list(entries),
        list(entries.values()),
    )


def _fact(dispute: _Dispute, held: Telling, case_id: CaseId | None = None) -> Fact:
    """Return what everybody is told (a dispute begins as nobody's case), or a case that waits for it."""
    payment = dispute.payment
    step = (dispute.dispute_id, held.status.value, held.told_at.isoformat(), *((case_id,) if case_id else ()))
    return Fact(
        event_id=EventId(derived_id("dispute", *step)),
        kind=FactKind.DISPUTE_CHANGED,
        occurred_at=held.told_at,
        store_id=payment["store_id"],
        case_id=case_id,
        order_id=payment["order_id"],
        dispute=DisputeChanged(
            dispute_id=dispute.dispute_id,
            payment_id=payment["payment_id"],
            amount=Money(held.amount, payment["currency"]),
            status=held.status,
            reason=held.reason,
            due_by=held.due_by,
        ),
    )
