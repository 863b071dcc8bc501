"""Facts: what a service learned from outside, stored first and then told to the case.

One envelope; the member that matches ``kind`` is set. What Temporal and the outbox store is this format:
members are only ever added, always with a default.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.ids import CaseId, EventId, OrderId, PaymentId, RefundId, StoreId
from services.domain.logistics import Inspection, ParcelDirection, Receipt, TrackingEvent
from services.domain.money import Money


class FactKind(StrEnum):
    PARCEL_TRACKED = "parcel_tracked"
    GOODS_RECEIVED = "goods_received"
    GOODS_INSPECTED = "goods_inspected"
    REFUND_CHANGED = "refund_changed"
    MESSAGE_BOUNCED = "message_bounced"
    DISPUTE_CHANGED = "dispute_changed"


@dataclass(frozen=True, slots=True)
class ParcelTracked:
    direction: ParcelDirection
    event: TrackingEvent


@dataclass(frozen=True, slots=True)
class RefundChanged:
    """The provider's word on a refund we asked for (or, without ``refund_id``, that we did not)."""

    payment_id: PaymentId
    amount: Money
    status: RefundStatus
    refund_id: RefundId | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class MessageBounced:
    message_id: str
    template: str


@dataclass(frozen=True, slots=True)
class DisputeChanged:
    """Where a dispute of a payment stands now; ``due_by`` is until when the bank takes an answer."""

    dispute_id: str
    payment_id: PaymentId
    amount: Money
    status: DisputeStatus
    reason: str
    due_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """``event_id`` is derived from what was learned, so that a repeat is recognised.

    ``case_id`` is None when the service knows of no case (an unknown parcel); such a fact becomes a task.
    """

    event_id: EventId
    kind: FactKind
    occurred_at: datetime
    store_id: StoreId
    case_id: CaseId | None = None
    order_id: OrderId | None = None
    parcel: ParcelTracked | None = None
    receipt: Receipt | None = None
    inspection: Inspection | None = None
    refund: RefundChanged | None = None
    bounce: MessageBounced | None = None
    dispute: DisputeChanged | None = None
