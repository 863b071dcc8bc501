"""Orders as sold, and the parcels they went out in."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request, Response

from services.domain.order import OrderFilter
from services.gateway.access import AGENTS, CUSTOMER, STORE, Role, Who
from services.gateway.keys import command_id
from services.gateway.opening import order_of
from services.gateway.routes.secured import (
    CREATED,
    IdempotencyKey,
    OrderIdPath,
    TheCaller,
    TheGateway,
    key_use,
    may,
    secured_router,
)
from services.gateway.schemas.fields import Page
from services.gateway.schemas.orders import (
    OrderBody,
    OrderDocument,
    OrderQuery,
    ShipmentBody,
    ShipmentDocument,
)

router = secured_router("orders")
_READERS: tuple[Who, ...] = (STORE, CUSTOMER, *AGENTS, Role.FINANCE, Role.OPS)


@router.put(
    "/orders/{order_id}",
    dependencies=[may(STORE)],
    response_model=OrderDocument,
    responses={201: {**CREATED, "model": OrderDocument}},
)
async def put_order(
    order_id: OrderIdPath, body: OrderBody, caller: TheCaller, gateway: TheGateway, response: Response
) -> OrderDocument:
    """Keep an order as sold; answers once its payments may be refunded."""
    order, is_new = await gateway.placing.put(body.to_order(caller.store_id, order_id))
    if is_new:
        response.status_code = 201
        response.headers["Location"] = f"{gateway.settings.gateway_url}/v1/orders/{quote(order_id, safe='')}"
    return OrderDocument.of(order)


@router.get("/orders/{order_id}", dependencies=[may(*_READERS)])
async def get_order(order_id: OrderIdPath, caller: TheCaller, gateway: TheGateway) -> OrderDocument:
    """Return an order, and where its units stand."""
    return OrderDocument.of(await order_of(gateway.orders, caller, order_id))


@router.get("/orders", dependencies=[may(*_READERS)])
async def list_orders(
    query: Annotated[OrderQuery, Query()], caller: TheCaller, gateway: TheGateway
) -> Page[OrderDocument]:
    """List orders, newest first; a customer sees its own."""
    wanted = OrderFilter(
        store_id=caller.store_id,
        customer_id=caller.customer_filter or query.customer_id,
        phone=query.phone,
        text=query.q,
        placed_after=query.placed_after,
        placed_before=query.placed_before,
    )
    if caller.is_customer and query.customer_id not in {"", caller.customer_filter}:
        return Page(data=[])
    orders, cursor = await gateway.orders.list(wanted, query.cursor, query.limit)
    return Page(data=[OrderDocument.of(order) for order in orders], next_cursor=cursor or None)


@router.post(
    "/orders/{order_id}/shipments",
    status_code=201,
    dependencies=[may(STORE, Role.WAREHOUSE, Role.OPS)],
)
async def record_shipment(
    order_id: OrderIdPath,
    body: ShipmentBody,
    request: Request,
    caller: TheCaller,
    gateway: TheGateway,
    key: IdempotencyKey = None,
) -> ShipmentDocument:
    """Record a parcel to the customer; its delivery will date the windows."""
    await command_id(gateway.records, key_use(request, caller, caller.store_id, key, body))
    return ShipmentDocument.of(await gateway.orders.ship(caller.store_id, order_id, body.to_shipment()))
