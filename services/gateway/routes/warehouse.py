"""The dock: find, receive, inspect; and stock."""

from typing import Annotated

from fastapi import Path, Query, Request

from services.gateway.access import Role
from services.gateway.keys import command_id
from services.gateway.reports import FirstReport
from services.gateway.routes.secured import (
    IdempotencyKey,
    Now,
    TheCaller,
    TheGateway,
    key_use,
    may,
    secured_router,
)
from services.gateway.schemas.fields import Name, Sku
from services.gateway.schemas.warehouse import (
    InboundDocument,
    InspectionBody,
    InspectionDocument,
    ReceiptBody,
    ReceiptDocument,
    StockBody,
    StockDocument,
)

router = secured_router("warehouse")
_DOCK = [may(Role.WAREHOUSE, Role.OPS)]


@router.get("/warehouse/inbound", dependencies=_DOCK)
async def find_inbound(
    scan: Annotated[Name, Query(description="An RMA or a tracking number.")],
    caller: TheCaller,
    gateway: TheGateway,
) -> InboundDocument:
    """Find the return behind a scanned code."""
    return InboundDocument.of(await gateway.warehouse.inbound(caller.store_id, scan))


@router.post("/warehouse/receipts", status_code=201, dependencies=_DOCK)
async def record_receipt(
    body: ReceiptBody,
    request: Request,
    caller: TheCaller,
    gateway: TheGateway,
    at: Now,
    key: IdempotencyKey = None,
) -> ReceiptDocument:
    """Record a parcel opened at the dock, also one nobody expected; repeating an id is harmless."""
    store_id = caller.store_id
    await command_id(gateway.records, key_use(request, caller, store_id, key, body))
    told = FirstReport(at, caller.actor.actor_id)
    first = await gateway.records.first_report(store_id, "receipt", body.receipt_id, told)
    receipt, expected = await gateway.warehouse.receive(store_id, body.to_receipt(first))
    return ReceiptDocument.of(receipt, expected)


@router.post("/warehouse/inspections", status_code=201, dependencies=_DOCK)
async def record_inspection(
    body: InspectionBody,
    request: Request,
    caller: TheCaller,
    gateway: TheGateway,
    at: Now,
    key: IdempotencyKey = None,
) -> InspectionDocument:
    """Record the judgement of received units; repeating an id is harmless."""
    store_id = caller.store_id
    await command_id(gateway.records, key_use(request, caller, store_id, key, body))
    told = FirstReport(at, caller.actor.actor_id)
    first = await gateway.records.first_report(store_id, "inspection", body.inspection_id, told)
    return InspectionDocument.of(await gateway.warehouse.inspect(store_id, body.to_inspection(first)))


@router.get("/warehouse/stock", dependencies=_DOCK)
async def get_stock(sku: Annotated[Sku, Query()], caller: TheCaller, gateway: TheGateway) -> StockDocument:
    """Say how many units of a SKU there are; zero of one never seen."""
    return StockDocument.of(await gateway.warehouse.stock(caller.store_id, sku))


@router.put("/warehouse/stock/{sku}", dependencies=_DOCK)
async def set_stock(
    sku: Annotated[Sku, Path()], body: StockBody, caller: TheCaller, gateway: TheGateway
) -> StockDocument:
    """Set the units on hand, as counted."""
    return StockDocument.of(await gateway.warehouse.set_stock(caller.store_id, sku, body.on_hand))
