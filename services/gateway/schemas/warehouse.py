"""What the dock says and asks."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from services.domain.ids import LineId, Rma
from services.domain.logistics import (
    Disposition,
    ExpectedReturn,
    Grade,
    InboundReturn,
    InspectedLine,
    Inspection,
    ParcelStatus,
    Receipt,
    ReceivedLine,
    StockLevel,
    TrackingEvent,
)
from services.gateway.reports import FirstReport
from services.gateway.schemas.fields import (
    Flag,
    Id,
    Incoming,
    Instant,
    Line,
    Name,
    Outgoing,
    Sku,
    Text,
    Units,
)

RmaText = Annotated[str, Field(pattern=r"^R[0-9A-HJKMNP-TV-Z]{8}$", examples=["R7K3M9QX1"])]


class ReceivedLineBody(Incoming):
    """So many units found: of a line of the order, or of a SKU."""

    line_id: Id | None = None
    sku: Sku | None = None
    quantity: Units

    @model_validator(mode="after")
    def _names_one(self) -> "ReceivedLineBody":
        if (self.line_id is None) == (self.sku is None):
            raise PydanticCustomError("one_of", "either line_id or sku")
        return self


class ReceiptBody(Incoming):
    """One parcel opened; no lines: the box was empty."""

    receipt_id: Id
    scan: Name
    lines: Annotated[tuple[ReceivedLineBody, ...], Field(max_length=1000)] = ()
    note: Text = ""
    photos: Annotated[tuple[Annotated[Line, Field(min_length=1)], ...], Field(max_length=50)] = ()

    def to_receipt(self, report: FirstReport) -> Receipt:
        return Receipt(
            receipt_id=self.receipt_id,
            scan=self.scan,
            received_at=report.at,
            lines=tuple(
                ReceivedLine(
                    line.quantity, LineId(line.line_id) if line.line_id is not None else None, line.sku
                )
                for line in self.lines
            ),
            note=self.note,
            photos=tuple(self.photos),
            received_by=report.by,
        )


class InspectedLineBody(Incoming):
    line_id: Id
    quantity: Units
    grade: Grade
    accepted: Flag
    disposition: Disposition
    reason: Annotated[Text, Field(max_length=2000)] = ""


class InspectionBody(Incoming):
    inspection_id: Id
    rma: RmaText
    lines: Annotated[list[InspectedLineBody], Field(min_length=1, max_length=1000)]

    def to_inspection(self, report: FirstReport) -> Inspection:
        return Inspection(
            inspection_id=self.inspection_id,
            rma=Rma(self.rma),
            inspected_at=report.at,
            lines=tuple(
                InspectedLine(
                    LineId(line.line_id),
                    line.quantity,
                    line.grade,
                    line.accepted,
                    line.disposition,
                    line.reason,
                )
                for line in self.lines
            ),
            inspected_by=report.by,
        )


class StockBody(Incoming):
    on_hand: Annotated[StrictInt, Field(ge=0, le=1_000_000_000)]


class ReceivedLineDocument(Outgoing):
    line_id: str | None
    sku: str | None
    quantity: int


class ReceiptDocument(Outgoing):
    """A receipt, and the return it belongs to, if any."""

    receipt_id: str
    scan: str
    received_at: datetime
    received_by: str
    lines: list[ReceivedLineDocument]
    note: str
    photos: list[str]
    rma: str | None = None
    case_id: str | None = None

    @classmethod
    def of(cls, receipt: Receipt, expected: ExpectedReturn | None) -> "ReceiptDocument":
        return cls(
            receipt_id=receipt.receipt_id,
            scan=receipt.scan,
            received_at=receipt.received_at,
            received_by=receipt.received_by,
            lines=[ReceivedLineDocument.model_validate(line, from_attributes=True) for line in receipt.lines],
            note=receipt.note,
            photos=list(receipt.photos),
            rma=expected.rma if expected else None,
            case_id=expected.case_id if expected else None,
        )


class InspectedLineDocument(Outgoing):
    line_id: str
    quantity: int
    grade: Grade
    accepted: bool
    disposition: Disposition
    reason: str


class InspectionDocument(Outgoing):
    inspection_id: str
    rma: str
    inspected_at: datetime
    inspected_by: str
    lines: list[InspectedLineDocument]

    @classmethod
    def of(cls, inspection: Inspection) -> "InspectionDocument":
        return cls(
            inspection_id=inspection.inspection_id,
            rma=inspection.rma,
            inspected_at=inspection.inspected_at,
            inspected_by=inspection.inspected_by,
            lines=[
                InspectedLineDocument.model_validate(line, from_attributes=True) for line in inspection.lines
            ],
        )


class InboundLineDocument(Outgoing):
    """Units of a line: expected back, come so far, judged so far."""

    line_id: str
    sku: str
    expected: int
    received: int
    inspected: int


class InboundDocument(Outgoing):
    """What the dock sees when it scans."""

    rma: str
    case_id: str
    order_id: str
    is_open: bool
    carrier: str | None
    tracking_number: str | None
    lines: list[InboundLineDocument]
    receipts: list[ReceiptDocument]
    inspections: list[InspectionDocument]

    @classmethod
    def of(cls, inbound: InboundReturn) -> "InboundDocument":
        expected = inbound.expected
        lines = [
            InboundLineDocument(
                line_id=line.line_id,
                sku=line.sku,
                expected=line.quantity,
                received=inbound.received.get(line.line_id, 0),
                inspected=inbound.inspected.get(line.line_id, 0),
            )
            for line in expected.lines
        ]
        return cls(
            rma=expected.rma,
            case_id=expected.case_id,
            order_id=expected.order_id,
            is_open=expected.is_open,
            carrier=expected.carrier,
            tracking_number=expected.tracking_number,
            lines=lines,
            receipts=[ReceiptDocument.of(receipt, expected) for receipt in inbound.receipts],
            inspections=[InspectionDocument.of(inspection) for inspection in inbound.inspections],
        )


class StockDocument(Outgoing):
    sku: str
    on_hand: int
    reserved: int
    available: int
    quarantined: int

    @classmethod
    def of(cls, level: StockLevel) -> "StockDocument":
        return cls.model_validate(level, from_attributes=True)


class TrackingEventBody(Incoming):
    """What a carrier says of a parcel."""

    event_id: Annotated[Name, Field(max_length=200)]
    carrier: Name
    tracking_number: Name
    status: ParcelStatus
    occurred_at: Instant
    location: Annotated[Line, Field(max_length=500)] = ""
    description: Annotated[Text, Field(max_length=2000)] = ""
    signed_by: Line = ""

    def to_event(self) -> TrackingEvent:
        return TrackingEvent(**self.model_dump())
