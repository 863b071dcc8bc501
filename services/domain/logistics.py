"""Goods on their way: expected returns, receipts, inspections, tracking."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.domain.ids import CaseId, LineId, OrderId, Rma, StoreId
from services.domain.order import Address


class ParcelStatus(StrEnum):
    INFO_RECEIVED = "info_received"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    ATTEMPT_FAILED = "attempt_failed"
    EXCEPTION = "exception"
    RETURNING = "returning"
    RETURNED = "returned"
    REFUSED = "refused"
    EXPIRED = "expired"
    LOST = "lost"


class ParcelDirection(StrEnum):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """What a carrier says of a parcel; events come repeated and in any order."""

    event_id: str
    carrier: str
    tracking_number: str
    status: ParcelStatus
    occurred_at: datetime
    location: str = ""
    description: str = ""
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class ExpectedLine:
    line_id: LineId
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ExpectedReturn:
    """Goods a case expects under its RMA."""

    rma: Rma
    case_id: CaseId
    store_id: StoreId
    order_id: OrderId
    lines: tuple[ExpectedLine, ...]
    expected_at: datetime
    prepaid_label: bool
    label_url: str | None = None
    ship_to: Address | None = None
    is_open: bool = True
    carrier: str | None = None
    tracking_number: str | None = None


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """So many units found in a parcel: of an expected line, or of a SKU nobody expected."""

    quantity: int
    line_id: LineId | None = None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One parcel opened at the dock. No lines: the box was empty."""

    receipt_id: str
    scan: str
    received_at: datetime
    lines: tuple[ReceivedLine, ...]
    note: str = ""
    photos: tuple[str, ...] = ()
    received_by: str = ""


class Grade(StrEnum):
    A = "A"
    B = "B"
    C = "C"
    D = "D"


class Disposition(StrEnum):
    RESTOCK = "restock"
    REFURBISH = "refurbish"
    DISPOSE = "dispose"
    RETURN_TO_CUSTOMER = "return_to_customer"


@dataclass(frozen=True, slots=True)
class InspectedLine:
    """``quantity`` units of a line, all judged alike."""

    line_id: LineId
    quantity: int
    grade: Grade
    accepted: bool
    disposition: Disposition
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    inspection_id: str
    rma: Rma
    inspected_at: datetime
    lines: tuple[InspectedLine, ...]
    inspected_by: str = ""


@dataclass(frozen=True, slots=True)
class StockLevel:
    """``available`` = ``on_hand`` − ``reserved``; ``quarantined`` units are not on hand."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class InboundReturn:
    """What the dock sees when it scans: what is expected, and what has come."""

    expected: ExpectedReturn
    receipts: tuple[Receipt, ...]
    inspections: tuple[Inspection, ...]
    received: Mapping[str, int]
    inspected: Mapping[str, int]
