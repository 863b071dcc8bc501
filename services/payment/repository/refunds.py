"""Payments and refunds in their tables."""

import json
from datetime import datetime
from typing import Any

from services.domain.case import RefundStatus
from services.domain.errors import (
    CurrencyMismatch,
    IdempotencyConflict,
    OrderVersionConflict,
    PaymentDisputed,
    PaymentNotFound,
    RefundExceedsCaptured,
    RefundExceedsLine,
    RefundNotFound,
)
from services.domain.ids import PaymentId, StoreId
from services.domain.money import Money
from services.domain.refund import (
    CapturedPayment,
    OrderPayments,
    PaymentBalance,
    Refund,
    RefundIntent,
)
from services.payment import ledger, queries
from services.payment.refunds import ProviderRefund, Reserved, settled
from services.payment.repository.credit import spend
from services.payment.repository.disputes import conclude
from services.payment.repository.rows import SHIPPING, to_payment, to_refund
from services.platform.database import Connection, Pool, transaction
from services.platform.documents import fingerprint, to_json


class RefundRepository:
    """Satisfies `services.payment.refunds.RefundStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def register(self, payments: OrderPayments) -> list[CapturedPayment]:
        """Store an order's payments and caps; return the payments their providers have yet to learn of."""
        body_hash = fingerprint(payments)
        async with transaction(self._pool) as connection:
            known = await connection.fetchrow(queries.LOCK_ORDER, payments.store_id, payments.order_id)
            if known is None or not _is_known(known, payments, body_hash):
                await self._put(connection, payments, body_hash)
            return await self._unregistered(connection, payments)

    async def _put(self, connection: Connection, payments: OrderPayments, body_hash: bytes) -> None:
        key = (payments.store_id, payments.order_id)
        told = (payments.version, body_hash, payments.currency, payments.customer_id or None)
        if not await connection.fetchval(queries.PUT_ORDER, *key, *told):
            # Somebody else's first version was faster, and this one cannot follow it, or is the same.
            _is_known(await connection.fetchrow(queries.LOCK_ORDER, *key), payments, body_hash)
            return
        await connection.execute(
            queries.PUT_CAPS,
            *key,
            [cap.line_id or SHIPPING for cap in payments.caps],
            [cap.amount for cap in payments.caps],
        )
        made = await connection.fetch(
            queries.INSERT_PAYMENTS,
            *key,
            payments.currency,
            [payment.payment_id for payment in payments.payments],
            [payment.provider for payment in payments.payments],
            [payment.method for payment in payments.payments],
            [payment.amount.minor_units for payment in payments.payments],
            [payment.captured_at for payment in payments.payments],
        )
        await spend(connection, payments, [row["payment_id"] for row in made])

    async def _unregistered(self, connection: Connection, payments: OrderPayments) -> list[CapturedPayment]:
        ids = [payment.payment_id for payment in payments.payments]
        rows = await connection.fetch(queries.PAYMENTS_OF_ORDER, payments.store_id, ids)
        stored = {row["payment_id"]: row for row in rows}
        for payment in payments.payments:
            row = stored[payment.payment_id]
            ours = (payments.order_id, payment.amount.minor_units, payment.provider)
            if (row["order_id"], row["captured"], row["provider"]) != ours:
                raise IdempotencyConflict(f"payment {payment.payment_id} is known otherwise")
        return [
            payment
            for payment in payments.payments
            if stored[payment.payment_id]["provider_ref"] is None and payment.amount.minor_units > 0
        ]

    async def registered(self, store_id: str, payment_id: str, provider: str, provider_ref: str) -> None:
        """Keep what a provider calls a payment, and book what it told of that before we knew."""
        async with transaction(self._pool) as connection:
            await connection.execute(queries.LOCK_NAME, provider, provider_ref)
            await connection.execute(queries.LOCK_ORDER_OF_PAYMENT, store_id, payment_id)
            await connection.execute(queries.SET_PROVIDER_REF, store_id, payment_id, provider_ref)
            for row in await connection.fetch(queries.DISPUTES_TOLD_OF, provider, provider_ref):
                await conclude(connection, provider, row["provider_dispute_id"])

    async def balance(self, store_id: str, payment_id: str) -> PaymentBalance:
        row = await self._pool.fetchrow(queries.BALANCE, store_id, payment_id)
        if row is None:
            raise PaymentNotFound("there is no such payment")
        disputed = row["disputed"]
        left = max(0, row["captured"] - row["refunded"] - row["pending"] - disputed)
        amounts = [
            Money(units, row["currency"])
            for units in (row["captured"], row["refunded"], row["pending"], disputed, left)
        ]
        return PaymentBalance(PaymentId(payment_id), StoreId(store_id), *amounts)

    async def reserve(self, intent: RefundIntent) -> Reserved:
        """Hold the amount, if every cap allows it; a repeat returns what is held already.

        What is refused while a bank holds the money is noted, so that its case is told when that is over.
        """
        body_hash = fingerprint(intent)
        async with transaction(self._pool) as connection:
            payment = await connection.fetchrow(queries.LOCK_FOR_REFUND, intent.store_id, intent.payment_id)
            if payment is None or payment["order_id"] != intent.order_id:
                raise PaymentNotFound("there is no such payment of this order")
            counted = await connection.fetchrow(
                queries.COUNTED, intent.refund_id, intent.store_id, intent.payment_id, intent.order_id
            )
            assert counted is not None
            is_repeat = counted["refund_id"] is not None
            if is_repeat and counted["body_hash"] != body_hash:
                raise IdempotencyConflict("the refund was asked for otherwise")
            is_held = not is_repeat and counted["frozen"] > 0
            if is_held:
                await connection.execute(queries.KEEP_REFUSED, *_refused(intent))
            elif not is_repeat:
                _check_caps(intent, payment, counted)
                await self._insert(connection, intent, body_hash)
        if is_held:
            raise PaymentDisputed("the bank holds the payment's money")
        refund = to_refund(counted) if is_repeat else Refund(intent, RefundStatus.PENDING)
        return Reserved(refund, to_payment(payment), payment["provider_ref"], is_repeat)

    async def _insert(self, connection: Connection, intent: RefundIntent, body_hash: bytes) -> None:
        await connection.execute(
            queries.INSERT_REFUND,
            intent.refund_id,
            intent.store_id,
            intent.payment_id,
            intent.order_id,
            intent.case_id,
            intent.amount.currency,
            intent.amount.minor_units,
            intent.cause,
            to_json(intent),
            body_hash,
            intent.requested_at,
            [part.line_id or SHIPPING for part in intent.parts],
            [part.amount for part in intent.parts],
            ledger.RESERVE.step,
            ledger.RESERVE.debit,
            ledger.RESERVE.credit,
        )

    async def find(self, store_id: str, refund_id: str) -> Reserved:
        row = await self._pool.fetchrow(queries.GET_REFUND, refund_id)
        if row is None or row["store_id"] != store_id:
            raise RefundNotFound("there is no such refund")
        return Reserved(to_refund(row), to_payment(row), row["provider_ref"], is_repeat=True)

    async def settle(self, known: Refund, told: ProviderRefund, at: datetime) -> Refund:
        """Take the provider's word on a refund that was ``known``, or as it has become meanwhile."""
        refund = settled(known, told, at)
        while not await store_settlement(self._pool, known, refund, at):
            known = (await self.find(known.intent.store_id, known.intent.refund_id)).refund
            refund = settled(known, told, at)
        return refund


async def store_settlement(where: "Connection | Pool", known: Refund, refund: Refund, at: datetime) -> bool:
    """Store what became of a ``known`` refund, and post what that moves; False if it was not so any more."""
    if refund == known:
        return True
    posting = ledger.settlement(known.status, refund.status, refund.intent.destination)
    is_stored = await where.fetchval(
        queries.SETTLE_REFUND,
        refund.intent.refund_id,
        refund.status.value,
        refund.provider_refund_id,
        refund.failure,
        refund.settled_at,
        posting.step if posting else "",
        posting.debit if posting else None,
        posting.credit if posting else None,
        at,
        known.status.value,
    )
    return bool(is_stored)


def _is_known(known: Any, payments: OrderPayments, body_hash: bytes) -> bool:
    """Tell whether this very version is known.

    Raises:
        OrderVersionConflict, IdempotencyConflict, CurrencyMismatch: If it cannot follow what is known.
    """
    is_same = bool(known["body_hash"] == body_hash)
    if known["version"] > payments.version:
        raise OrderVersionConflict(f"version {known['version']} is known")
    if known["version"] == payments.version and not is_same:
        raise IdempotencyConflict("the payments were registered otherwise")
    if known["currency"] != payments.currency:
        raise CurrencyMismatch(f"the order was paid in {known['currency']}")
    return is_same


def _refused(intent: RefundIntent) -> tuple[str | datetime, ...]:
    return intent.refund_id, intent.store_id, intent.payment_id, intent.case_id, intent.requested_at


def _check_caps(intent: RefundIntent, payment: Any, counted: Any) -> None:
    if payment["currency"] != intent.amount.currency:
        raise CurrencyMismatch(f"the payment is in {payment['currency']}")
    if counted["of_payment"] + counted["lost"] + intent.amount.minor_units > payment["captured"]:
        raise RefundExceedsCaptured("more than is left of the payment")
    caps, of_lines = json.loads(counted["caps"] or "{}"), json.loads(counted["of_lines"] or "{}")
    for part in intent.parts:
        line_id = part.line_id or SHIPPING
        if of_lines.get(line_id, 0) + part.amount > caps.get(line_id, 0):
            raise RefundExceedsLine(f"more than is left of {line_id or 'shipping'}")
