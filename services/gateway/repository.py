"""The gateway's own records in PostgreSQL: keys, what was asked under them, withdrawals."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
from pydantic import SecretStr

from services.domain.errors import DependencyUnavailable, IdempotencyConflict
from services.domain.ids import CaseId, CustomerId, OrderId, StoreId
from services.gateway import queries
from services.gateway.connecting import Lazy, reached
from services.gateway.keys import KeyUse
from services.gateway.opening import AskedCase, CaseOwner
from services.gateway.reports import FirstReport
from services.gateway.withdrawals import Withdrawal, WithdrawalNotFound, WithdrawnLines
from services.platform.database import Connection, Pool, transaction
from services.platform.documents import from_json, to_json
from workflows.messages import OpenCase

# Whoever repeats a command repeats it within hours.
_KEYS_LAST: Final = timedelta(days=30)


async def seed_api_keys(pool: Pool, keys: Mapping[StoreId, SecretStr]) -> None:
    """Make the given keys the ones that open the API; others stop to."""
    hashes = [hashlib.sha256(key.get_secret_value().encode()).digest() for key in keys.values()]
    async with transaction(pool) as connection:
        await connection.execute(queries.FORGET_KEYS, hashes)
        await connection.execute(queries.KEEP_KEYS, hashes, list(keys))


class GatewayRepository:
    """Satisfies what the gateway's nouns need; every method is one transaction."""

    def __init__(self, database: Lazy[Pool]) -> None:
        self._database = database

    async def store_of_key(self, key_hash: bytes) -> StoreId | None:
        async with reached(self._database) as pool:
            store_id = await pool.fetchval(queries.STORE_OF_KEY, key_hash)
        return StoreId(store_id) if store_id is not None else None

    # Idempotency keys.

    async def bind(self, use: KeyUse) -> None:
        """Take a key for a request that opens nothing.

        Raises:
            IdempotencyConflict: If it stands for another request.
        """
        async with reached(self._database) as pool:
            if await pool.fetchval(queries.TAKE_KEY, use.store_id, use.caller, use.key, use.body_hash, None):
                return
            row = await pool.fetchrow(queries.FIND_KEY, use.store_id, use.caller, use.key)
        if row is not None and row["body_hash"] != use.body_hash:
            raise IdempotencyConflict("the key came with another request")

    async def forget_old_keys(self) -> None:
        async with reached(self._database) as pool:
            await pool.execute(queries.FORGET_OLD_KEYS, _KEYS_LAST)

    async def find(self, use: KeyUse) -> AskedCase | None:
        async with reached(self._database) as pool:
            row = await pool.fetchrow(queries.FIND_KEY, use.store_id, use.caller, use.key)
        return _to_asked(row, use) if row is not None else None

    async def take(self, use: KeyUse, request: OpenCase) -> tuple[AskedCase, bool] | None:
        """Take a key for a case; False when somebody was first, whose case it then is.

        None means the case id is taken: to be tried with another.
        """
        async with reached(self._database) as pool:
            try:
                async with transaction(pool) as connection:
                    if await self._take(connection, use, request):
                        return AskedCase(request, is_opened=False), True
            except asyncpg.UniqueViolationError:
                return None
            row = await pool.fetchrow(queries.FIND_KEY, use.store_id, use.caller, use.key)
        if row is None:
            raise DependencyUnavailable("the request this key stood for was refused this instant")
        return _to_asked(row, use), False

    async def _take(self, connection: Connection, use: KeyUse, request: OpenCase) -> bool:
        key = (use.store_id, use.caller, use.key)
        if not await connection.fetchval(queries.TAKE_KEY, *key, use.body_hash, request.case_id):
            return False
        whose = (request.store_id, request.customer_id)
        await connection.execute(queries.INSERT_CASE, request.case_id, *whose, to_json(request))
        return True

    async def opened(self, case_id: CaseId) -> None:
        async with reached(self._database) as pool:
            await pool.execute(queries.CASE_OPENED, case_id)

    async def refused(self, case_id: CaseId) -> None:
        """Give the key back: nothing was opened under it."""
        async with reached(self._database) as pool:
            await pool.execute(queries.FORGET_CASE_KEY, case_id)

    async def case(self, case_id: str) -> CaseOwner | None:
        """Return whose case it is, if it was opened here."""
        async with reached(self._database) as pool:
            row = await pool.fetchrow(queries.FIND_CASE, case_id)
        if row is None:
            return None
        request = from_json(row["request"], OpenCase)
        return CaseOwner(StoreId(row["store_id"]), CustomerId(row["customer_id"]), request)

    # Reports and withdrawals.

    async def first_report(
        self, store_id: StoreId, what: str, report_id: str, now: FirstReport
    ) -> FirstReport:
        """Return when and by whom this was first reported: ``now``, unless it is a repeat."""
        async with reached(self._database) as pool:
            row = await pool.fetchrow(queries.FIRST_REPORT, store_id, what, report_id, now.at, now.by)
        return FirstReport(row["reported_at"], row["reported_by"]) if row is not None else now

    async def known_report(self, store_id: StoreId, what: str, report_id: str) -> FirstReport | None:
        async with reached(self._database) as pool:
            row = await pool.fetchrow(queries.KNOWN_REPORT, store_id, what, report_id)
        return FirstReport(row["reported_at"], row["reported_by"]) if row is not None else None

    async def declare(self, withdrawal: Withdrawal) -> Withdrawal:
        """Keep a withdrawal; the one that is known by this id stays as it was."""
        async with reached(self._database) as pool:
            await pool.execute(
                queries.INSERT_WITHDRAWAL,
                withdrawal.withdrawal_id,
                withdrawal.store_id,
                withdrawal.customer_id,
                withdrawal.order_id,
                to_json(WithdrawnLines(withdrawal.lines)),
                withdrawal.statement,
                withdrawal.body_hash,
                withdrawal.declared_at,
            )
            return _to_withdrawal(await pool.fetchrow(queries.FIND_WITHDRAWAL, withdrawal.withdrawal_id))

    async def withdrawal(self, withdrawal_id: str) -> Withdrawal:
        async with reached(self._database) as pool:
            return _to_withdrawal(await pool.fetchrow(queries.FIND_WITHDRAWAL, withdrawal_id))

    async def confirm(self, withdrawal_id: str, at: datetime) -> Withdrawal:
        """Note the second step; the first time it was taken stays."""
        async with reached(self._database) as pool:
            return _to_withdrawal(await pool.fetchrow(queries.CONFIRM_WITHDRAWAL, withdrawal_id, at))

    async def withdrawal_opened(self, withdrawal_id: str, case_id: CaseId) -> None:
        async with reached(self._database) as pool:
            await pool.execute(queries.WITHDRAWAL_OPENED, withdrawal_id, case_id)

    async def without_receipt(self, limit: int) -> list[Withdrawal]:
        async with reached(self._database) as pool:
            rows = await pool.fetch(queries.WITHDRAWALS_WITHOUT_RECEIPT, limit)
        return [_to_withdrawal(row) for row in rows]

    async def receipt_sent(self, withdrawal_id: str) -> None:
        async with reached(self._database) as pool:
            await pool.execute(queries.RECEIPT_SENT, withdrawal_id)

    async def ping(self) -> None:
        async with reached(self._database) as pool:
            await pool.fetchval("SELECT 1")


def _to_asked(row: "asyncpg.Record", use: KeyUse) -> AskedCase:
    if row["body_hash"] != use.body_hash or row["request"] is None:
        raise IdempotencyConflict("the key came with another request")
    return AskedCase(from_json(row["request"], OpenCase), is_opened=row["opened_at"] is not None)


def _to_withdrawal(row: Any) -> Withdrawal:
    if row is None:
        raise WithdrawalNotFound("there is no such withdrawal")
    return Withdrawal(
        withdrawal_id=row["withdrawal_id"],
        store_id=StoreId(row["store_id"]),
        customer_id=CustomerId(row["customer_id"]),
        order_id=OrderId(row["order_id"]),
        lines=from_json(row["lines"], WithdrawnLines).lines,
        statement=row["statement"],
        body_hash=row["body_hash"],
        declared_at=row["declared_at"],
        confirmed_at=row["confirmed_at"],
        case_id=CaseId(row["case_id"]) if row["case_id"] else None,
    )
