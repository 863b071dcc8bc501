"""Refund intents: money asked to go back to one payment, and what it covers.

An intent's life: ``pending`` (reserved, counted against every cap) → what the provider says. All amounts
are minor units of the payment's currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from services.domain.case import RefundStatus, RefundTo
from services.domain.errors import Conflict
from services.domain.ids import CaseId, CustomerId, LineId, OrderId, PaymentId, RefundId, StoreId
from services.domain.money import Money

# A provider may report a failure long after success (the bank sent the money back).
TRANSITIONS: Final[Mapping[RefundStatus, frozenset[RefundStatus]]] = MappingProxyType(
    {
        RefundStatus.PENDING: frozenset(
            {
                RefundStatus.REQUIRES_ACTION,
                RefundStatus.SUCCEEDED,
                RefundStatus.FAILED,
                RefundStatus.CANCELED,
            }
        ),
        RefundStatus.REQUIRES_ACTION: frozenset(
            {
                RefundStatus.PENDING,
                RefundStatus.SUCCEEDED,
                RefundStatus.FAILED,
                RefundStatus.CANCELED,
            }
        ),
        RefundStatus.SUCCEEDED: frozenset({RefundStatus.FAILED}),
        RefundStatus.FAILED: frozenset(),
        RefundStatus.CANCELED: frozenset(),
    }
)

# Statuses whose amount is out of the payment, or may be.
COUNTED: Final = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED})


class IllegalRefundTransition(Conflict):
    reason = "ILLEGAL_REFUND_TRANSITION"


def advance(current: RefundStatus, target: RefundStatus) -> RefundStatus:
    """Return ``target`` if a refund may go there from ``current``; staying is always allowed.

    Raises:
        IllegalRefundTransition: If the table has no such step.
    """
    if target is not current and target not in TRANSITIONS[current]:
        raise IllegalRefundTransition(f"a refund cannot go from {current} to {target}")
    return target


@dataclass(frozen=True, slots=True)
class RefundPart:
    """What part of an intent is for: a line's units, or shipping when ``line_id`` is None."""

    amount: int
    line_id: LineId | None = None


@dataclass(frozen=True, slots=True)
class RefundIntent:
    """``refund_id`` is the caller's, derived from case and step; it is also the provider's key.

    ``parts`` add up to ``amount``. ``cause`` names the actor or timer behind it. It counts against what was
    captured of the payment, whatever its ``destination``.
    """

    refund_id: RefundId
    payment_id: PaymentId
    store_id: StoreId
    case_id: CaseId
    order_id: OrderId
    amount: Money
    parts: tuple[RefundPart, ...]
    cause: str
    requested_at: datetime
    destination: RefundTo = RefundTo.ORIGINAL


@dataclass(frozen=True, slots=True)
class Refund:
    """An intent with what has become of it."""

    intent: RefundIntent
    status: RefundStatus
    provider_refund_id: str | None = None
    failure: str | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineCap:
    """What was paid for a line (or shipping, ``line_id`` None): no refunds may exceed it."""

    amount: int
    line_id: LineId | None = None


@dataclass(frozen=True, slots=True)
class OrderPayments:
    """The captured payments of an order, and what each part of it cost the customer.

    ``customer_id`` is whose store credit pays, and whose a refund may become; empty when nobody's.
    """

    store_id: StoreId
    order_id: OrderId
    customer_id: CustomerId
    currency: str
    version: int
    caps: tuple[LineCap, ...]
    payments: tuple["CapturedPayment", ...]


@dataclass(frozen=True, slots=True)
class CapturedPayment:
    payment_id: PaymentId
    provider: str
    method: str
    amount: Money
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentBalance:
    """``refundable`` = captured − refunded − pending − disputed, never below zero."""

    payment_id: PaymentId
    store_id: StoreId
    captured: Money
    refunded: Money
    pending: Money
    disputed: Money
    refundable: Money


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One posting of a double-entry transaction; positive is debit, negative credit."""

    transaction_id: str
    account: str
    amount: Money
    posted_at: datetime
    business_at: datetime
    refund_id: RefundId | None = None
    memo: str = ""
    payment_id: PaymentId | None = None
    dispute_id: str | None = None
    lot_id: str | None = None


@dataclass(frozen=True, slots=True)
class InvariantReport:
    """One invariant's check: how many things were looked at, how many broke it, and some of them."""

    name: str
    checked: int
    violations: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A refund that no machine can settle, asked for at ``promised_at``; ``why`` is a stable word."""

    store_id: StoreId
    payment_id: PaymentId
    refund_id: RefundId
    case_id: CaseId | None
    why: str
    promised_at: datetime


@dataclass(frozen=True, slots=True)
class Mending:
    """What one step of the janitor looked at and repaired (ids of ours or of providers), or could not.

    ``unanswered`` names what nobody answered for: the next look comes back to it. ``is_done``: nothing else
    is left to look at.
    """

    checked: int = 0
    repaired: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    unanswered: tuple[str, ...] = ()
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that breaks an invariant, for as long as it does: ``found_at`` is when that was first seen.

    ``violations`` is how many there were in all at that time.
    """

    store_id: StoreId
    invariant: str
    subject: str
    violations: int
    found_at: datetime
