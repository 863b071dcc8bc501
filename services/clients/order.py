"""The order service's client."""

from typing import Final

import grpc

from recourse.common.v1 import common_pb2
from recourse.order.v1 import order_pb2 as pb
from recourse.order.v1 import order_pb2_grpc, types_pb2
from recourse.warehouse.v1 import types_pb2 as warehouse_types_pb2
from services.domain.logistics import TrackingEvent
from services.domain.order import (
    Customer,
    HeldUnits,
    Order,
    OrderAsSold,
    OrderFilter,
    PolicyRef,
    Shipment,
    UnitClaim,
    UnitSettlement,
)
from services.platform.grpc_channel import call
from services.platform.wire import from_wire, to_wire

# Every rpc is a read or one short transaction; a claim may wait for another claim of the same order.
_SECONDS: Final = 3.0


class OrderClient:
    """Speaks domain values; raises the domain's errors (see the proto's comments for which)."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = order_pb2_grpc.OrderServiceStub(channel)

    async def put(self, sold: OrderAsSold, policy: PolicyRef) -> tuple[Order, bool]:
        """Store a version of an order; True when the order is new."""
        request = pb.PutOrderRequest(
            order=to_wire(sold, types_pb2.OrderAsSold), policy=to_wire(policy, types_pb2.PolicyRef)
        )
        answer = await call(self._stub.PutOrder, request, pb.PutOrderResponse, seconds=_SECONDS)
        return from_wire(answer.order, Order), answer.is_new

    async def get(self, store_id: str, order_id: str) -> Order:
        request = pb.GetOrderRequest(store_id=store_id, order_id=order_id)
        answer = await call(self._stub.GetOrder, request, pb.GetOrderResponse, seconds=_SECONDS)
        return from_wire(answer.order, Order)

    async def contact(self, store_id: str, order_id: str) -> Customer:
        request = pb.GetContactRequest(store_id=store_id, order_id=order_id)
        answer = await call(self._stub.GetContact, request, pb.GetContactResponse, seconds=_SECONDS)
        return from_wire(answer.customer, Customer)

    async def list(self, wanted: OrderFilter, cursor: str, limit: int) -> tuple[list[Order], str]:
        """Return a page of a store's orders and the next page's cursor (empty on the last)."""
        request = to_wire(wanted, pb.ListOrdersRequest, ignore=frozenset({"page"}))
        request.page.CopyFrom(common_pb2.Page(limit=limit, cursor=cursor))
        answer = await call(self._stub.ListOrders, request, pb.ListOrdersResponse, seconds=_SECONDS)
        return [from_wire(order, Order) for order in answer.orders], answer.next_cursor

    async def ship(self, store_id: str, order_id: str, shipment: Shipment) -> Shipment:
        request = pb.RecordShipmentRequest(
            store_id=store_id, order_id=order_id, shipment=to_wire(shipment, types_pb2.Shipment)
        )
        answer = await call(self._stub.RecordShipment, request, pb.RecordShipmentResponse, seconds=_SECONDS)
        return from_wire(answer.shipment, Shipment)

    async def track(self, store_id: str, event: TrackingEvent) -> tuple[bool, bool]:
        """Pass on a scan: whether it changed anything, and whether it is of a parcel to a customer."""
        request = pb.RecordTrackingEventRequest(
            store_id=store_id, event=to_wire(event, warehouse_types_pb2.TrackingEvent)
        )
        answer = await call(
            self._stub.RecordTrackingEvent,
            request,
            pb.RecordTrackingEventResponse,
            seconds=_SECONDS,
        )
        return answer.is_new, answer.is_outbound

    async def is_outbound(self, store_id: str, tracking_number: str) -> bool:
        """Say whether a parcel of that number has been sent to a customer."""
        request = pb.IsOutboundRequest(store_id=store_id, tracking_number=tracking_number)
        answer = await call(self._stub.IsOutbound, request, pb.IsOutboundResponse, seconds=_SECONDS)
        return answer.is_outbound

    async def claim(
        self, store_id: str, order_id: str, case_id: str, claim_id: str, claims: tuple[UnitClaim, ...]
    ) -> tuple[HeldUnits, ...]:
        request = pb.ClaimUnitsRequest(
            store_id=store_id,
            order_id=order_id,
            case_id=case_id,
            claim_id=claim_id,
            claims=[to_wire(claim, types_pb2.UnitClaim) for claim in claims],
        )
        answer = await call(self._stub.ClaimUnits, request, pb.ClaimUnitsResponse, seconds=_SECONDS)
        return tuple(from_wire(held, HeldUnits) for held in answer.held)

    async def settle(
        self,
        store_id: str,
        order_id: str,
        case_id: str,
        claim_id: str,
        settlements: tuple[UnitSettlement, ...],
        *,
        release_rest: bool,
    ) -> None:
        """Say what became of a claim's units, in totals."""
        request = pb.SettleUnitsRequest(
            store_id=store_id,
            order_id=order_id,
            case_id=case_id,
            claim_id=claim_id,
            settlements=[to_wire(item, types_pb2.UnitSettlement) for item in settlements],
            release_rest=release_rest,
        )
        await call(self._stub.SettleUnits, request, pb.SettleUnitsResponse, seconds=_SECONDS)
