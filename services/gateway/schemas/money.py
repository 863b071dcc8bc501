"""Money, for finance."""

from datetime import datetime
from typing import Final

from pydantic import Field

from services.domain.accounts import AccountBalance, AccountKind, LedgerClock
from services.domain.dispute import DisputeStatus
from services.domain.facts import DisputeChanged
from services.domain.refund import InvariantReport, LedgerEntry, PaymentBalance
from services.gateway.schemas.fields import Incoming, Instant, MoneyDocument, Outgoing

_FORMULA: Final = ("=", "+", "-", "@")


class DisputeDocument(Outgoing):
    """Where a dispute stands; the bank takes an answer until ``due_by``, if it says so."""

    dispute_id: str
    status: DisputeStatus
    amount: MoneyDocument
    reason: str = Field(examples=["fraudulent"])
    due_by: datetime | None

    @classmethod
    def of(cls, dispute: DisputeChanged) -> "DisputeDocument":
        return cls(
            dispute_id=dispute.dispute_id,
            status=dispute.status,
            amount=MoneyDocument.of(dispute.amount),
            reason=dispute.reason,
            due_by=dispute.due_by,
        )


class PaymentDocument(Outgoing):
    """``refundable`` = captured − refunded − pending − disputed; ``disputes``, the newest word first."""

    payment_id: str
    captured: MoneyDocument
    refunded: MoneyDocument
    pending: MoneyDocument
    disputed: MoneyDocument
    refundable: MoneyDocument
    disputes: list[DisputeDocument]

    @classmethod
    def of(cls, balance: PaymentBalance, disputes: list[DisputeChanged]) -> "PaymentDocument":
        return cls(
            payment_id=balance.payment_id,
            captured=MoneyDocument.of(balance.captured),
            refunded=MoneyDocument.of(balance.refunded),
            pending=MoneyDocument.of(balance.pending),
            disputed=MoneyDocument.of(balance.disputed),
            refundable=MoneyDocument.of(balance.refundable),
            disputes=[DisputeDocument.of(dispute) for dispute in disputes],
        )


class LedgerDocument(Outgoing):
    """One posting of a double-entry transaction: positive is debit, negative credit."""

    transaction_id: str
    account: str
    amount: MoneyDocument
    posted_at: datetime
    business_at: datetime
    refund_id: str | None
    memo: str

    @classmethod
    def of(cls, entry: LedgerEntry) -> "LedgerDocument":
        return cls(
            transaction_id=entry.transaction_id,
            account=entry.account,
            amount=MoneyDocument.of(entry.amount),
            posted_at=entry.posted_at,
            business_at=entry.business_at,
            refund_id=entry.refund_id,
            memo=entry.memo,
        )


class AccountBalanceDocument(Outgoing):
    """An account's balance, on its side; the other side is zero."""

    account: str = Field(examples=["provider"])
    kind: AccountKind
    debit: MoneyDocument
    credit: MoneyDocument


class TrialBalanceDocument(Outgoing):
    """Every account that was posted to before ``as_of``; a currency's debits and credits are equal."""

    as_of: datetime
    clock: LedgerClock
    accounts: list[AccountBalanceDocument]

    @classmethod
    def of(
        cls, as_of: datetime, clock: LedgerClock, accounts: list[AccountBalance]
    ) -> "TrialBalanceDocument":
        return cls(
            as_of=as_of,
            clock=clock,
            accounts=[
                AccountBalanceDocument(
                    account=one.account,
                    kind=one.kind,
                    debit=MoneyDocument.of(one.debit),
                    credit=MoneyDocument.of(one.credit),
                )
                for one in accounts
            ],
        )


class TrialBalanceQuery(Incoming):
    """``clock``: by when postings were stored, or by when they happened to the business."""

    as_of: Instant | None = Field(None, description="What lies before it counts; now, unless it is said.")
    clock: LedgerClock = LedgerClock.POSTED


class LedgerPeriod(Incoming):
    """Postings stored from an instant on, and before another."""

    since: Instant | None = Field(None, alias="from")
    before: Instant | None = Field(None, alias="to")


LEDGER_COLUMNS: Final = (
    "transaction_id",
    "account",
    "currency",
    "minor_units",
    "posted_at",
    "business_at",
    "payment_id",
    "refund_id",
    "dispute_id",
    "memo",
    "lot_id",
)


def ledger_row(entry: LedgerEntry) -> list[str | int]:
    """Return a posting as a line of CSV; no cell is taken for a formula by whoever opens it."""
    cells: list[str | int] = [
        entry.transaction_id,
        entry.account,
        entry.amount.currency,
        entry.amount.minor_units,
        entry.posted_at.isoformat(),
        entry.business_at.isoformat(),
        entry.payment_id or "",
        entry.refund_id or "",
        entry.dispute_id or "",
        entry.memo,
        entry.lot_id or "",
    ]
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in cells]


class InvariantDocument(Outgoing):
    """One invariant: how many things were looked at, how many broke it, and some of them."""

    name: str
    checked: int
    violations: int = Field(examples=[0])
    examples: list[str]


class ReconciliationDocument(Outgoing):
    invariants: list[InvariantDocument]

    @classmethod
    def of(cls, reports: list[InvariantReport]) -> "ReconciliationDocument":
        return cls(
            invariants=[
                InvariantDocument(
                    name=report.name,
                    checked=report.checked,
                    violations=report.violations,
                    examples=list(report.examples),
                )
                for report in reports
            ]
        )
