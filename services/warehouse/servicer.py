"""`WarehouseService` on the wire."""

from recourse.warehouse.v1 import types_pb2, warehouse_pb2_grpc
from recourse.warehouse.v1 import warehouse_pb2 as pb
from services.domain.ids import StoreId
from services.domain.logistics import ExpectedReturn, Inspection, Receipt, TrackingEvent
from services.platform.grpc_server import Context, Mounted
from services.platform.wire import from_wire, to_wire
from services.warehouse.returns import Returns


class WarehouseServicer(warehouse_pb2_grpc.WarehouseServiceServicer):
    def __init__(self, returns: Returns) -> None:
        self._returns = returns
        self._store = returns.store

    async def AuthorizeReturn(
        self, request: pb.AuthorizeReturnRequest, context: Context
    ) -> pb.AuthorizeReturnResponse:
        made = await self._returns.authorize(from_wire(request.expected, ExpectedReturn))
        return pb.AuthorizeReturnResponse(expected=to_wire(made, types_pb2.ExpectedReturn))

    async def CloseReturn(self, request: pb.CloseReturnRequest, context: Context) -> pb.CloseReturnResponse:
        await self._returns.close(request.rma)
        return pb.CloseReturnResponse()

    async def RegisterParcel(
        self, request: pb.RegisterParcelRequest, context: Context
    ) -> pb.RegisterParcelResponse:
        made = await self._store.register(request.rma, request.carrier, request.tracking_number)
        return pb.RegisterParcelResponse(expected=to_wire(made, types_pb2.ExpectedReturn))

    async def FindInbound(self, request: pb.FindInboundRequest, context: Context) -> pb.FindInboundResponse:
        inbound = await self._store.inbound(request.scan, request.store_id)
        return pb.FindInboundResponse(inbound=to_wire(inbound, types_pb2.InboundReturn))

    async def RecordReceipt(
        self, request: pb.RecordReceiptRequest, context: Context
    ) -> pb.RecordReceiptResponse:
        told = from_wire(request.receipt, Receipt)
        receipt, of = await self._store.receive(StoreId(request.store_id), told)
        return pb.RecordReceiptResponse(
            receipt=to_wire(receipt, types_pb2.Receipt),
            expected=to_wire(of, types_pb2.ExpectedReturn) if of else None,
        )

    async def RecordInspection(
        self, request: pb.RecordInspectionRequest, context: Context
    ) -> pb.RecordInspectionResponse:
        told = from_wire(request.inspection, Inspection)
        inspection = await self._returns.inspect(StoreId(request.store_id), told)
        return pb.RecordInspectionResponse(inspection=to_wire(inspection, types_pb2.Inspection))

    async def RecordTrackingEvent(
        self, request: pb.RecordTrackingEventRequest, context: Context
    ) -> pb.RecordTrackingEventResponse:
        event = from_wire(request.event, TrackingEvent)
        is_new, is_inbound = await self._store.track(StoreId(request.store_id), event)
        return pb.RecordTrackingEventResponse(is_new=is_new, is_inbound=is_inbound)

    async def GetStock(self, request: pb.GetStockRequest, context: Context) -> pb.GetStockResponse:
        level = await self._store.stock(StoreId(request.store_id), request.sku)
        return pb.GetStockResponse(stock=to_wire(level, types_pb2.StockLevel))

    async def SetStock(self, request: pb.SetStockRequest, context: Context) -> pb.SetStockResponse:
        level = await self._store.set_stock(StoreId(request.store_id), request.sku, request.on_hand)
        return pb.SetStockResponse(stock=to_wire(level, types_pb2.StockLevel))


def mount(returns: Returns) -> Mounted:
    servicer = WarehouseServicer(returns)
    name = pb.DESCRIPTOR.services_by_name["WarehouseService"].full_name
    return Mounted(
        name,
        lambda server: warehouse_pb2_grpc.add_WarehouseServiceServicer_to_server(servicer, server),
    )
