"""`OrderService` on the wire."""

from recourse.order.v1 import order_pb2 as pb
from recourse.order.v1 import order_pb2_grpc, types_pb2
from services.domain.ids import StoreId
from services.domain.logistics import TrackingEvent
from services.domain.order import OrderAsSold, OrderFilter, PolicyRef, Shipment
from services.order.orders import ClaimRequest, Orders, SettleRequest
from services.platform.grpc_server import Context, Mounted
from services.platform.wire import from_wire, to_wire


class OrderServicer(order_pb2_grpc.OrderServiceServicer):
    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def PutOrder(self, request: pb.PutOrderRequest, context: Context) -> pb.PutOrderResponse:
        order, is_new = await self._orders.put(
            from_wire(request.order, OrderAsSold), from_wire(request.policy, PolicyRef)
        )
        return pb.PutOrderResponse(order=to_wire(order, types_pb2.Order), is_new=is_new)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        order = await self._orders.store.get(request.store_id, request.order_id)
        return pb.GetOrderResponse(order=to_wire(order, types_pb2.Order))

    async def GetContact(self, request: pb.GetContactRequest, context: Context) -> pb.GetContactResponse:
        customer = await self._orders.store.contact(request.store_id, request.order_id)
        return pb.GetContactResponse(customer=to_wire(customer, types_pb2.Customer))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        wanted = from_wire(request, OrderFilter, ignore=frozenset({"page"}))
        orders, cursor = await self._orders.page(wanted, request.page.cursor, request.page.limit)
        return pb.ListOrdersResponse(
            orders=[to_wire(order, types_pb2.Order) for order in orders], next_cursor=cursor
        )

    async def RecordShipment(
        self, request: pb.RecordShipmentRequest, context: Context
    ) -> pb.RecordShipmentResponse:
        shipment = await self._orders.store.ship(
            request.store_id, request.order_id, from_wire(request.shipment, Shipment)
        )
        return pb.RecordShipmentResponse(shipment=to_wire(shipment, types_pb2.Shipment))

    async def RecordTrackingEvent(
        self, request: pb.RecordTrackingEventRequest, context: Context
    ) -> pb.RecordTrackingEventResponse:
        event = from_wire(request.event, TrackingEvent)
        is_new, is_outbound = await self._orders.track(StoreId(request.store_id), event)
        return pb.RecordTrackingEventResponse(is_new=is_new, is_outbound=is_outbound)

    async def IsOutbound(self, request: pb.IsOutboundRequest, context: Context) -> pb.IsOutboundResponse:
        is_outbound = await self._orders.store.is_outbound(request.store_id, request.tracking_number)
        return pb.IsOutboundResponse(is_outbound=is_outbound)

    async def ClaimUnits(self, request: pb.ClaimUnitsRequest, context: Context) -> pb.ClaimUnitsResponse:
        held = await self._orders.claim(from_wire(request, ClaimRequest))
        return pb.ClaimUnitsResponse(held=[to_wire(units, types_pb2.HeldUnits) for units in held])

    async def SettleUnits(self, request: pb.SettleUnitsRequest, context: Context) -> pb.SettleUnitsResponse:
        await self._orders.store.settle(from_wire(request, SettleRequest))
        return pb.SettleUnitsResponse()


def mount(orders: Orders) -> Mounted:
    servicer = OrderServicer(orders)
    name = pb.DESCRIPTOR.services_by_name["OrderService"].full_name
    return Mounted(name, lambda server: order_pb2_grpc.add_OrderServiceServicer_to_server(servicer, server))
