"""Store credit in its tables: lots as they were given, and what the ledger says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from services.domain.accounts import CREDIT_GRANTED, PROVIDER
from services.domain.errors import IdempotencyConflict, StoreCreditExceeded
from services.domain.ids import derived_id
from services.domain.money import Money
from services.domain.refund import OrderPayments, RefundIntent
from services.domain.store_credit import (
    STORE_CREDIT_PROVIDER,
    CreditGrant,
    CreditLot,
    SpentLot,
    check_grant,
    give_back,
    take,
)
from services.payment import credit_queries
from services.payment.store_credit import CreditMovement
from services.platform.database import Connection, Pool, transaction
from services.platform.documents import fingerprint

_ANY_TIME: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Account:
    store_id: str
    customer_id: str
    currency: str

    async def lock(self, connection: Connection) -> None:
        """Keep everybody else from giving or taking this credit until the transaction ends."""
        await connection.execute(credit_queries.LOCK_ACCOUNT, self.store_id, self.customer_id, self.currency)

    async def open(self, connection: Connection) -> None:
        await connection.execute(credit_queries.OPEN_ACCOUNT, self.store_id, self.customer_id, self.currency)
        await self.lock(connection)


@dataclass(frozen=True, slots=True)
class _NewLot:
    """A lot to be: what it is worth, and where it comes from."""

    lot_id: str
    amount: int
    cause: str
    case_id: str | None
    granted_at: datetime
    against: str
    expires_at: datetime | None = None
    body_hash: bytes | None = None
    refund_id: str | None = None
    spent_lot_id: str | None = None


class CreditRepository:
    """Satisfies `services.payment.store_credit.CreditStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def grant(self, grant: CreditGrant) -> tuple[CreditLot, bool]:
        """Give a lot out of goodwill, once per grant id; a repeat (False) returns it as it stands.

        Raises:
            InvalidArgument: If it is nothing, or would lapse before it is granted.
            IdempotencyConflict: If the id stands for another grant; when it was asked for does not matter.
        """
        body_hash = fingerprint(replace(grant, granted_at=_ANY_TIME))
        account = _Account(grant.store_id, grant.customer_id, grant.amount.currency)
        async with transaction(self._pool) as connection:
            await account.open(connection)
            known = await connection.fetchval(credit_queries.GRANTED, grant.grant_id)
            if known is None:
                check_grant(grant)
                lot = _NewLot(
                    lot_id=grant.grant_id,
                    amount=grant.amount.minor_units,
                    cause=grant.cause,
                    case_id=grant.case_id,
                    granted_at=grant.granted_at,
                    against=CREDIT_GRANTED,
                    expires_at=grant.expires_at,
                    body_hash=body_hash,
                )
                await _issue(connection, account, lot)
            elif known != body_hash:
                raise IdempotencyConflict("the credit was granted otherwise")
            row = await connection.fetchrow(credit_queries.LOT, grant.grant_id)
        return _to_lot(row), known is None

    async def lots(self, store_id: str, customer_id: str) -> list[CreditLot]:
        return [
            _to_lot(row) for row in await self._pool.fetch(credit_queries.LOTS, store_id, customer_id, None)
        ]

    async def lapse(self, at: datetime, limit: int) -> tuple[int, int]:
        """Let some lots lapse that are due; returns how many there were, and how many had something left."""
        due = await self._pool.fetch(credit_queries.LAPSED, at, limit)
        return len(due), sum([await self._lapse(row) for row in due])

    async def _lapse(self, due: Any) -> bool:
        account = _Account(due["store_id"], due["customer_id"], due["currency"])
        async with transaction(self._pool) as connection:
            await account.lock(connection)
            expires_at = await connection.fetchval(credit_queries.TAKE_EXPIRY, due["lot_id"])
            if expires_at is None:
                return False
            left = _to_lot(await connection.fetchrow(credit_queries.LOT, due["lot_id"])).left
            if not left:
                return False
            await connection.execute(
                credit_queries.EXPIRE,
                due["lot_id"],
                account.store_id,
                left.currency,
                left.minor_units,
                expires_at,
            )
        return True

    async def refund(self, intent: RefundIntent) -> CreditMovement | None:
        """Turn a refund into credit, once; None when nobody is known to give it to.

        What was paid with credit goes back to whoever spent it, lot by lot. All else becomes a lot of the
        order's customer that does not lapse: it stands for money.
        """
        known = await self.movement(intent.refund_id)
        if known is not None:
            return known
        async with transaction(self._pool) as connection:
            account = await self._account_of(connection, intent)
            if account is None:
                return None
            await account.open(connection)
            if await connection.fetchrow(credit_queries.MOVEMENT, intent.refund_id) is None:
                for lot in await self._lots_for(connection, intent):
                    await _issue(connection, account, lot)
        return await self.movement(intent.refund_id)

    async def _account_of(self, connection: Connection, intent: RefundIntent) -> _Account | None:
        spent = await connection.fetchrow(credit_queries.SPENT_BY, intent.store_id, intent.payment_id)
        customer_id = (
            spent["customer_id"]
            if spent
            else await connection.fetchval(credit_queries.CUSTOMER_OF_ORDER, intent.store_id, intent.order_id)
        )
        return _Account(intent.store_id, customer_id, intent.amount.currency) if customer_id else None

    async def _lots_for(self, connection: Connection, intent: RefundIntent) -> list[_NewLot]:
        rows = await connection.fetch(credit_queries.SPENT_BY, intent.store_id, intent.payment_id)
        if not rows:
            return [_refunded(intent, intent.amount.minor_units)]
        spent = [
            SpentLot(str(row["lot_id"]), row["amount"], row["spent_at"], row["expires_at"]) for row in rows
        ]
        parts = give_back(spent, intent.amount.minor_units)
        if parts is None:
            raise StoreCreditExceeded("more than the payment took")
        return [_refunded(intent, amount, lot) for lot, amount in parts.items()]

    async def movement(self, refund_id: str) -> CreditMovement | None:
        row = await self._pool.fetchrow(credit_queries.MOVEMENT, refund_id)
        return _to_movement(row) if row else None

    async def movements(self, after: CreditMovement | None, limit: int) -> Sequence[CreditMovement]:
        """Return refunds that became credit, newest first, older than ``after``."""
        last = (after.moved_at, after.refund_id) if after else (None, None)
        return [_to_movement(row) for row in await self._pool.fetch(credit_queries.MOVEMENTS, *last, limit)]


async def spend(connection: Connection, payments: OrderPayments, made: Sequence[str]) -> None:
    """Take what an order's new payments (``made``) in store credit cost, in the transaction that books them.

    Raises:
        StoreCreditExceeded: If the customer has not that much; nothing is booked then.
    """
    tenders = [
        payment
        for payment in payments.payments
        if payment.provider == STORE_CREDIT_PROVIDER and payment.payment_id in made
    ]
    if not tenders:
        return
    account = _Account(payments.store_id, payments.customer_id, payments.currency)
    await account.lock(connection)
    for payment in tenders:
        # Read anew each time: an order may be paid with two of them.
        rows = await connection.fetch(
            credit_queries.LOTS, account.store_id, account.customer_id, account.currency
        )
        parts = take(map(_to_lot, rows), payment.amount.minor_units, payment.captured_at)
        if parts is None:
            raise StoreCreditExceeded("more than the customer has in store credit")
        await connection.execute(
            credit_queries.SPEND,
            account.store_id,
            payment.payment_id,
            *_columns(parts),
            account.currency,
            payment.captured_at,
        )


def _columns(parts: Mapping[str, int]) -> tuple[list[str], list[int]]:
    return list(parts), list(parts.values())


async def _issue(connection: Connection, account: _Account, lot: _NewLot) -> None:
    await connection.execute(
        credit_queries.ISSUE,
        lot.lot_id,
        account.store_id,
        account.customer_id,
        account.currency,
        lot.amount,
        lot.cause,
        lot.case_id,
        lot.granted_at,
        lot.expires_at,
        lot.body_hash,
        lot.refund_id,
        lot.against,
        lot.spent_lot_id,
    )


def _refunded(intent: RefundIntent, amount: int, spent: SpentLot | None = None) -> _NewLot:
    """Return what a refund becomes, or what of it goes back for one lot that had been spent."""
    return _NewLot(
        lot_id=derived_id("credit", intent.refund_id, *([spent.lot_id] if spent else [])),
        amount=amount,
        cause=intent.cause,
        case_id=intent.case_id,
        granted_at=intent.requested_at,
        against=PROVIDER,
        expires_at=spent.good_until(intent.requested_at) if spent else None,
        refund_id=intent.refund_id,
        spent_lot_id=spent.lot_id if spent else None,
    )


def _to_lot(row: Any) -> CreditLot:
    return CreditLot(
        lot_id=str(row["lot_id"]),
        given=Money(row["amount"], row["currency"]),
        left=Money(row["left_of_it"], row["currency"]),
        cause=row["cause"],
        granted_at=row["granted_at"],
        expires_at=row["expires_at"],
    )


def _to_movement(row: Any) -> CreditMovement:
    return CreditMovement(
        refund_id=str(row["refund_id"]),
        store_id=row["store_id"],
        payment_id=row["payment_id"],
        amount=Money(row["amount"], row["currency"]),
        moved_at=row["posted_at"],
    )
