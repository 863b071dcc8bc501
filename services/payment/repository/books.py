"""The books: the ledger, and whether everything in the tables adds up."""

from collections.abc import Sequence
from datetime import datetime

from services.domain.accounts import AccountBalance, LedgerClock, account_balance
from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.errors import PaymentNotFound
from services.domain.facts import DisputeChanged
from services.domain.ids import PaymentId, RefundId, StoreId
from services.domain.money import Money
from services.domain.refund import Finding, InvariantReport, LedgerEntry
from services.payment import queries
from services.payment.invariants import INVARIANTS
from services.payment.reconciliation import KnownPayment, KnownRefund, LedgerSlice
from services.platform.database import Pool, transaction


class BookRepository:
    """Satisfies `services.payment.reconciliation.Books`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ledger(self, wanted: LedgerSlice, after: int, limit: int) -> list[tuple[int, LedgerEntry]]:
        rows = await self._pool.fetch(
            queries.LEDGER,
            wanted.store_id,
            wanted.payment_id,
            after,
            limit,
            wanted.posted_from,
            wanted.posted_before,
        )
        return [
            (
                row["position"],
                LedgerEntry(
                    transaction_id=row["transaction_id"],
                    account=row["account"],
                    amount=Money(row["minor_units"], row["currency"]),
                    posted_at=row["posted_at"],
                    business_at=row["business_at"],
                    refund_id=RefundId(str(row["refund_id"])) if row["refund_id"] else None,
                    memo=row["memo"],
                    payment_id=PaymentId(row["payment_id"]) if row["payment_id"] else None,
                    dispute_id=str(row["dispute_id"]) if row["dispute_id"] else None,
                    lot_id=str(row["lot_id"]) if row["lot_id"] else None,
                ),
            )
            for row in rows
        ]

    async def trial_balance(self, store_id: str, as_of: datetime, clock: LedgerClock) -> list[AccountBalance]:
        is_business = clock is LedgerClock.BUSINESS
        rows = await self._pool.fetch(queries.TRIAL_BALANCE, store_id, as_of, is_business)
        return [account_balance(row["account"], Money(row["balance"], row["currency"])) for row in rows]

    async def check_invariants(self, store_id: str, examples: int) -> list[InvariantReport]:
        """Look at everything of a store, in one snapshot; of what is broken, so many are named."""
        reports = []
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            for name, query in INVARIANTS.items():
                row = await connection.fetchrow(query, store_id, examples)
                assert row is not None
                reports.append(
                    InvariantReport(name, row["checked"], row["violations"], tuple(row["examples"]))
                )
        return reports

    async def stores(self) -> list[StoreId]:
        return [StoreId(row["store_id"]) for row in await self._pool.fetch(queries.STORES)]

    async def keep_findings(self, store_id: str, reports: Sequence[InvariantReport]) -> list[Finding]:
        broken = [(one.name, subject, one.violations) for one in reports for subject in one.examples]
        unlisted = [one.name for one in reports if one.violations > len(one.examples)]
        invariants, subjects, violations = zip(*broken, strict=True) if broken else ((), (), ())
        async with transaction(self._pool) as connection:
            await connection.execute(
                queries.KEEP_FINDINGS, store_id, invariants, subjects, violations, unlisted
            )
            rows = await connection.fetch(queries.FINDINGS, store_id)
        return [
            Finding(
                StoreId(row["store_id"]),
                row["invariant"],
                row["subject"],
                row["violations"],
                row["found_at"],
            )
            for row in rows
        ]

    async def payments(self, store_id: str) -> list[KnownPayment]:
        rows = await self._pool.fetch(queries.KNOWN_PAYMENTS, store_id)
        return [
            KnownPayment(PaymentId(row["payment_id"]), row["provider"], row["provider_ref"]) for row in rows
        ]

    async def disputes(self, store_id: str) -> dict[str, DisputeStatus]:
        rows = await self._pool.fetch(queries.KNOWN_DISPUTES, store_id)
        return {row["provider_dispute_id"]: DisputeStatus(row["status"]) for row in rows}

    async def disputes_of(self, store_id: str, payment_id: str) -> list[DisputeChanged]:
        rows = await self._pool.fetch(queries.DISPUTES_OF_PAYMENT, store_id, payment_id)
        if not rows:
            raise PaymentNotFound("there is no such payment")
        return [
            DisputeChanged(
                dispute_id=str(row["dispute_id"]),
                payment_id=PaymentId(payment_id),
                amount=Money(row["amount"], row["currency"]),
                status=DisputeStatus(row["status"]),
                reason=row["reason"],
                due_by=row["due_by"],
            )
            for row in rows
            if row["dispute_id"] is not None
        ]

    async def refunds(self, store_id: str) -> list[KnownRefund]:
        rows = await self._pool.fetch(queries.KNOWN_REFUNDS, store_id)
        return [
            KnownRefund(
                RefundId(str(row["refund_id"])),
                row["provider_refund_id"],
                RefundStatus(row["status"]),
                Money(row["amount"], row["currency"]),
                row["reserved_at"],
            )
            for row in rows
        ]
