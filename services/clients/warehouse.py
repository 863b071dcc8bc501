"""The warehouse service's client."""

from datetime import datetime
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from recourse.warehouse.v1 import types_pb2, warehouse_pb2_grpc
from recourse.warehouse.v1 import warehouse_pb2 as pb
from services.domain.logistics import (
    ExpectedReturn,
    InboundReturn,
    Inspection,
    Receipt,
    StockLevel,
    TrackingEvent,
)
from services.platform.grpc_channel import call
from services.platform.wire import from_wire, to_wire

# A read or one short transaction.
_SECONDS: Final = 3.0
# A label is bought from a carrier outside meanwhile.
_LABEL_SECONDS: Final = 15.0


class WarehouseClient:
    """Speaks domain values; raises the domain's errors (see the proto's comments for which)."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = warehouse_pb2_grpc.WarehouseServiceStub(channel)

    async def authorize(self, expected: ExpectedReturn) -> ExpectedReturn:
        """Expect goods; the answer has the label, if one is prepaid, and the address."""
        request = pb.AuthorizeReturnRequest(expected=to_wire(expected, types_pb2.ExpectedReturn))
        answer = await call(
            self._stub.AuthorizeReturn, request, pb.AuthorizeReturnResponse, seconds=_LABEL_SECONDS
        )
        return from_wire(answer.expected, ExpectedReturn)

    async def close(self, rma: str, at: datetime) -> None:
        closed_at = Timestamp()
        closed_at.FromDatetime(at)
        request = pb.CloseReturnRequest(rma=rma, closed_at=closed_at)
        await call(self._stub.CloseReturn, request, pb.CloseReturnResponse, seconds=_SECONDS)

    async def register(self, rma: str, carrier: str, tracking_number: str) -> ExpectedReturn:
        request = pb.RegisterParcelRequest(rma=rma, carrier=carrier, tracking_number=tracking_number)
        answer = await call(self._stub.RegisterParcel, request, pb.RegisterParcelResponse, seconds=_SECONDS)
        return from_wire(answer.expected, ExpectedReturn)

    async def inbound(self, store_id: str, scan: str) -> InboundReturn:
        """Find the return behind an RMA or a tracking number."""
        request = pb.FindInboundRequest(scan=scan, store_id=store_id)
        answer = await call(self._stub.FindInbound, request, pb.FindInboundResponse, seconds=_SECONDS)
        return from_wire(answer.inbound, InboundReturn)

    async def receive(self, store_id: str, receipt: Receipt) -> tuple[Receipt, ExpectedReturn | None]:
        """Record a parcel; the answer names the return it belongs to, if any."""
        request = pb.RecordReceiptRequest(store_id=store_id, receipt=to_wire(receipt, types_pb2.Receipt))
        answer = await call(self._stub.RecordReceipt, request, pb.RecordReceiptResponse, seconds=_SECONDS)
        has_return = answer.HasField("expected")
        of = from_wire(answer.expected, ExpectedReturn) if has_return else None
        return from_wire(answer.receipt, Receipt), of

    async def inspect(self, store_id: str, inspection: Inspection) -> Inspection:
        request = pb.RecordInspectionRequest(
            store_id=store_id, inspection=to_wire(inspection, types_pb2.Inspection)
        )
        answer = await call(
            self._stub.RecordInspection, request, pb.RecordInspectionResponse, seconds=_SECONDS
        )
        return from_wire(answer.inspection, Inspection)

    async def track(self, store_id: str, event: TrackingEvent) -> tuple[bool, bool]:
        """Pass on a scan: whether it was new, and whether it is of a return's parcel."""
        request = pb.RecordTrackingEventRequest(
            store_id=store_id, event=to_wire(event, types_pb2.TrackingEvent)
        )
        answer = await call(
            self._stub.RecordTrackingEvent,
            request,
            pb.RecordTrackingEventResponse,
            seconds=_SECONDS,
        )
        return answer.is_new, answer.is_inbound

    async def stock(self, store_id: str, sku: str) -> StockLevel:
        request = pb.GetStockRequest(store_id=store_id, sku=sku)
        answer = await call(self._stub.GetStock, request, pb.GetStockResponse, seconds=_SECONDS)
        return from_wire(answer.stock, StockLevel)

    async def set_stock(self, store_id: str, sku: str, on_hand: int) -> StockLevel:
        """Set the units on hand, as counted."""
        request = pb.SetStockRequest(store_id=store_id, sku=sku, on_hand=on_hand)
        answer = await call(self._stub.SetStock, request, pb.SetStockResponse, seconds=_SECONDS)
        return from_wire(answer.stock, StockLevel)
