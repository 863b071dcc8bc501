"""Webhooks to stores: where to tell them, and what became of it."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from services.gateway.access import STORE, Role
from services.gateway.routes.secured import Now, TheCaller, TheGateway, may, secured_router
from services.gateway.schemas.fields import Page
from services.gateway.schemas.subscriptions import DeliveryDocument, EndpointBody, EndpointDocument
from services.gateway.subscriptions import DeliveryState

router = secured_router("webhooks out")
_OWNERS = [may(STORE, Role.OPS, Role.MANAGER)]


@router.post(
    "/webhook-endpoints",
    status_code=201,
    dependencies=_OWNERS,
    responses={200: {"description": "Known already; told of these events now.", "model": EndpointDocument}},
)
async def subscribe(
    body: EndpointBody, caller: TheCaller, gateway: TheGateway, at: Now, response: Response
) -> EndpointDocument:
    """Tell the store at an address; what is sent is signed as Standard Webhooks with the secret."""
    endpoint, is_new = await gateway.subscriptions.subscribe(caller.store_id, body.url, body.events, at)
    response.status_code = 201 if is_new else 200
    return EndpointDocument.of(endpoint, is_new=is_new)


@router.get("/webhook-endpoints", dependencies=_OWNERS)
async def list_endpoints(caller: TheCaller, gateway: TheGateway) -> Page[EndpointDocument]:
    """List where the store is told."""
    endpoints = await gateway.subscriptions.store.endpoints(caller.store_id)
    return Page(data=[EndpointDocument.of(endpoint) for endpoint in endpoints])


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=204, dependencies=_OWNERS)
async def unsubscribe(endpoint_id: Annotated[UUID, Path()], caller: TheCaller, gateway: TheGateway) -> None:
    """Tell nobody there any more; what was not delivered is dropped."""
    await gateway.subscriptions.unsubscribe(caller.store_id, str(endpoint_id))


@router.get("/webhook-deliveries", dependencies=_OWNERS)
async def list_deliveries(
    caller: TheCaller,
    gateway: TheGateway,
    state: DeliveryState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[DeliveryDocument]:
    """List what was told, newest first; ``state=dead`` is what was given up."""
    deliveries = await gateway.subscriptions.store.deliveries(caller.store_id, state, limit)
    return Page(data=[DeliveryDocument.of(delivery) for delivery in deliveries])


@router.post("/webhook-deliveries/{delivery_id}/replay", status_code=202, dependencies=_OWNERS)
async def replay(delivery_id: Annotated[UUID, Path()], caller: TheCaller, gateway: TheGateway) -> None:
    """Send once more."""
    await gateway.subscriptions.replay(caller.store_id, str(delivery_id))
