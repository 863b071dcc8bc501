"""Rows and values: what a refund's row means, and what its case is told of it."""

from datetime import datetime
from typing import Any

from services.domain.case import RefundStatus
from services.domain.facts import Fact, FactKind, RefundChanged
from services.domain.ids import CaseId, EventId, RefundId, derived_id
from services.domain.money import Money
from services.domain.refund import CapturedPayment, Refund, RefundIntent
from services.platform.documents import from_json

# What an unnamed line is called in the tables.
SHIPPING = ""


def to_refund(row: Any) -> Refund:
    return Refund(
        intent=from_json(row["intent"], RefundIntent) if row["intent"] else _outside_intent(row),
        status=RefundStatus(row["status"]),
        provider_refund_id=row["provider_refund_id"],
        failure=row["failure"],
        settled_at=row["settled_at"],
    )


def _outside_intent(row: Any) -> RefundIntent:
    """Return what a refund that we did not ask for would have been asked as."""
    return RefundIntent(
        refund_id=RefundId(str(row["refund_id"])),
        payment_id=row["payment_id"],
        store_id=row["store_id"],
        case_id=CaseId(""),
        order_id=row["order_id"],
        amount=Money(row["amount"], row["currency"]),
        parts=(),
        cause="outside",
        requested_at=row["requested_at"],
    )


def to_payment(row: Any) -> CapturedPayment:
    return CapturedPayment(
        payment_id=row["payment_id"],
        provider=row["provider"],
        method=row["method"],
        amount=Money(row["captured"], row["currency"]),
        captured_at=row["captured_at"],
    )


def refund_fact(row: Any, refund: Refund, at: datetime) -> Fact:
    """Return what the case (or, of a refund nobody here asked for, the inbox) is told."""
    step = f"{refund.intent.refund_id}/{refund.status}"
    is_ours = row["case_id"] is not None
    return Fact(
        event_id=EventId(derived_id("refund", step)),
        kind=FactKind.REFUND_CHANGED,
        occurred_at=at,
        store_id=row["store_id"],
        case_id=row["case_id"],
        order_id=row["order_id"],
        refund=RefundChanged(
            payment_id=row["payment_id"],
            amount=refund.intent.amount,
            status=refund.status,
            refund_id=refund.intent.refund_id if is_ours else None,
            failure=refund.failure,
        ),
    )
