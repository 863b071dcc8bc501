"""Cases: quoted, opened, read, followed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated

from fastapi import Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.clients.casework import CaseFilter
from services.domain.case import CaseSnapshot
from services.domain.errors import RecourseError
from services.domain.logistics import Inspection
from services.gateway.access import AGENTS, CUSTOMER, STAFF, STORE, Caller, Who
from services.gateway.explaining import explained
from services.gateway.routes.secured import (
    CREATED,
    Now,
    RequiredKey,
    TheCaller,
    TheGateway,
    may,
    secured_router,
    use_of,
)
from services.gateway.schemas.case_document import (
    CaseDocument,
    CasePreview,
    TimelineDocument,
    case_document,
)
from services.gateway.schemas.cases import CaseBody, CaseQuery
from services.gateway.schemas.explanation import ExplanationDocument
from services.gateway.schemas.fields import Page
from services.gateway.wiring import Gateway

router = secured_router("cases")
OPENERS: tuple[Who, ...] = (STORE, CUSTOMER, *AGENTS)
_READERS: tuple[Who, ...] = (STORE, CUSTOMER, *STAFF)
CaseIdPath = Annotated[str, Path(max_length=100, examples=["RT-7K3M-9QX1"])]


def shown(gateway: Gateway, caller: Caller, snapshot: CaseSnapshot) -> CaseDocument:
    """Return a case as this caller sees it."""
    links = gateway.links.of(snapshot, shows_temporal=not caller.is_customer)
    return case_document(snapshot, links)


def shown_new(
    gateway: Gateway, caller: Caller, snapshot: CaseSnapshot, response: Response, *, is_new: bool
) -> CaseDocument:
    """Return a case that was asked for; the answer to the request that opened it says where it is."""
    document = shown(gateway, caller, snapshot)
    response.status_code = 201 if is_new else 200
    if is_new:
        response.headers["Location"] = document.links.self
    return document


@router.post("/cases/quote", dependencies=[may(*OPENERS)])
async def quote_case(body: CaseBody, caller: TheCaller, gateway: TheGateway, at: Now) -> CasePreview:
    """Say what would happen and why; nothing is opened."""
    return CasePreview.of(await gateway.quoting.preview(caller, body.to_request(), at))


@router.post(
    "/cases",
    status_code=201,
    dependencies=[may(*OPENERS)],
    responses={
        200: {"description": "A repeat: the case as it stands.", "model": CaseDocument},
        201: CREATED,
    },
)
async def open_case(
    body: CaseBody,
    request: Request,
    caller: TheCaller,
    gateway: TheGateway,
    response: Response,
    key: RequiredKey,
) -> CaseDocument:
    """Open a case. What a rule denies stands as a case with the verdict ``deny``, and may be escalated."""
    wanted = body.to_request()
    use = use_of(request, caller, caller.store_id, key, body)
    snapshot, is_new = await gateway.opening.open(caller, wanted, use)
    return shown_new(gateway, caller, snapshot, response, is_new=is_new)


@router.get("/cases/{case_id}", dependencies=[may(*_READERS)])
async def get_case(case_id: CaseIdPath, caller: TheCaller, gateway: TheGateway) -> CaseDocument:
    """Return a case as it was last published."""
    return shown(gateway, caller, await gateway.opening.find(caller, case_id))


@router.get("/cases", dependencies=[may(*_READERS)])
async def list_cases(
    query: Annotated[CaseQuery, Query()], caller: TheCaller, gateway: TheGateway
) -> Page[CaseDocument]:
    """List cases, last updated first; a customer sees its own."""
    if caller.is_customer and query.customer_id not in {"", caller.customer_filter}:
        return Page(data=[])
    wanted = CaseFilter(
        store_id=caller.store_id,
        order_id=query.order_id,
        customer_id=caller.customer_filter or query.customer_id,
        kind=query.kind or "",
        status=query.status or "",
        phase=query.phase or "",
        waiting_on=query.waiting_on or "",
        owner=query.owner,
        due_before=query.due_before,
        text=query.q,
    )
    cases, cursor = await gateway.casework.list(wanted, query.cursor, query.limit)
    return Page(data=[shown(gateway, caller, case) for case in cases], next_cursor=cursor or None)


@router.get("/cases/{case_id}/timeline", dependencies=[may(*_READERS)])
async def get_timeline(case_id: CaseIdPath, caller: TheCaller, gateway: TheGateway) -> list[TimelineDocument]:
    """Say what happened, oldest first. Staff's notes are for staff and the store."""
    snapshot = await gateway.opening.find(caller, case_id)
    entries = await gateway.casework.timeline(snapshot.store_id, case_id)
    return [
        TimelineDocument.of(entry, names_staff=not caller.is_customer)
        for entry in entries
        if not (caller.is_customer and entry.what == "note")
    ]


@router.get("/cases/{case_id}/explain", dependencies=[may(*_READERS)])
async def explain_case(case_id: CaseIdPath, caller: TheCaller, gateway: TheGateway) -> ExplanationDocument:
    """Say why it was decided so, what the dock found, and where each part of the amount comes from."""
    snapshot = await gateway.opening.find(caller, case_id)
    order = await gateway.orders.get(snapshot.store_id, snapshot.order_id)
    policy = await gateway.casework.policy(snapshot.decision.policy) if snapshot.decision else None
    inspections: Sequence[Inspection] = ()
    if snapshot.return_ is not None:
        inspections = (await gateway.warehouse.inbound(snapshot.store_id, snapshot.return_.rma)).inspections
    explanation = explained(snapshot, order.sold, policy)
    return ExplanationDocument.of(snapshot, explanation, inspections, names_staff=not caller.is_customer)


@router.get(
    "/cases/{case_id}/stream",
    dependencies=[may(*_READERS)],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events: `case`, with the case.",
            "content": {"text/event-stream": {}},
        }
    },
)
async def stream_case(case_id: CaseIdPath, caller: TheCaller, gateway: TheGateway) -> StreamingResponse:
    """Send the case now and whenever it changes, until the caller goes away."""
    snapshot = await gateway.opening.find(caller, case_id)
    snapshots = gateway.casework.watch(snapshot.store_id, case_id)
    events = _events(gateway, caller, snapshots, gateway.settings.heartbeat_seconds)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(
    gateway: Gateway, caller: Caller, snapshots: AsyncIterator[CaseSnapshot], heartbeat_seconds: float
) -> AsyncIterator[str]:
    """Turn snapshots into events, with comments between that keep the connection open.

    When the register goes away the stream ends; the caller's event source connects again by itself.
    """
    yield "retry: 2000\n\n"
    coming: asyncio.Task[CaseSnapshot] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(snapshots))
            done, _ = await asyncio.wait({coming}, timeout=heartbeat_seconds)
            if not done:
                yield ": still here\n\n"
                continue
            try:
                snapshot = coming.result()
            except (StopAsyncIteration, RecourseError):
                return
            coming = None
            document = shown(gateway, caller, snapshot).model_dump_json(by_alias=True)
            yield f"event: case\nid: {snapshot.sequence}\ndata: {document}\n\n"
    finally:
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, RecourseError):
                await coming
