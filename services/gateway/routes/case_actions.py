"""What customers and storefronts do in a case."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import File, Form, Path, UploadFile
from fastapi.responses import StreamingResponse

from services.domain.errors import EvidenceNotFound
from services.domain.ids import CaseId, derived_id
from services.domain.inbox import Evidence
from services.gateway.access import CUSTOMER, STAFF, STORE
from services.gateway.routes.cases import OPENERS, CaseIdPath
from services.gateway.routes.commanding import TheCommand
from services.gateway.routes.secured import CREATED, Now, TheCaller, TheGateway, may, secured_router
from services.gateway.schemas.case_document import CaseDocument
from services.gateway.schemas.cases import ChoiceBody, ConfirmBody, MessageBody, ParcelBody, ReasonBody
from services.gateway.schemas.fields import Code, Incoming
from workflows.messages import AddEvidence, AddMessage, Choose, Confirm, Escalate, RegisterParcel, Withdraw

router = secured_router("case actions")
_ACTORS = [may(*OPENERS)]
_CHUNK: Final = 64 * 1024


@router.post("/cases/{case_id}/parcel", dependencies=_ACTORS)
async def register_parcel(
    case_id: CaseIdPath, body: ParcelBody, command: TheCommand, gateway: TheGateway
) -> CaseDocument:
    """Say how the goods travel back; a parcel that the store has sent is refused."""
    store_id = await gateway.opening.store_of(command.caller, case_id)
    await gateway.tracking.check_inbound(store_id, body.tracking_number)
    parcel = RegisterParcel(command.caller.actor, body.carrier, body.tracking_number)
    return await command.give(case_id, "register_parcel", parcel, body)


@router.post("/cases/{case_id}/messages", dependencies=_ACTORS)
async def add_message(case_id: CaseIdPath, body: MessageBody, command: TheCommand) -> CaseDocument:
    """Write something, as the customer or to the customer."""
    return await command.give(case_id, "add_message", AddMessage(command.caller.actor, body.text), body)


@router.post("/cases/{case_id}/choice", dependencies=_ACTORS)
async def choose_option(case_id: CaseIdPath, body: ChoiceBody, command: TheCommand) -> CaseDocument:
    """Choose one of the case's options."""
    return await command.give(case_id, "choose", Choose(command.caller.actor, body.option_id), body)


@router.post("/cases/{case_id}/confirm", dependencies=_ACTORS)
async def confirm(case_id: CaseIdPath, body: ConfirmBody, command: TheCommand) -> CaseDocument:
    """Answer what the case asks to confirm."""
    answer = Confirm(command.caller.actor, body.ok, body.score, body.comment)
    return await command.give(case_id, "confirm", answer, body)


@router.post("/cases/{case_id}/withdraw", dependencies=_ACTORS)
async def withdraw(case_id: CaseIdPath, body: ReasonBody, command: TheCommand) -> CaseDocument:
    """Call the case off."""
    return await command.give(case_id, "withdraw", Withdraw(command.caller.actor, body.reason), body)


@router.post("/cases/{case_id}/escalate", dependencies=_ACTORS)
async def escalate(case_id: CaseIdPath, body: ReasonBody, command: TheCommand) -> CaseDocument:
    """Not accept a refusal: somebody else looks at it."""
    return await command.give(case_id, "escalate", Escalate(command.caller.actor, body.reason), body)


class StoredEvidence(Incoming):
    """What an upload comes to."""

    evidence_id: str
    kind: str


@router.post("/cases/{case_id}/evidence", status_code=201, dependencies=_ACTORS, responses={201: CREATED})
async def add_evidence(
    case_id: CaseIdPath,
    file: Annotated[UploadFile, File(description="An image, a video or a PDF, checked by its content.")],
    kind: Annotated[Code, Form(examples=["photo"])],
    command: TheCommand,
    gateway: TheGateway,
    at: Now,
) -> CaseDocument:
    """Give a file as evidence; `Location` has its id.

    The same file of the same case is one piece of evidence, and stays of the kind it was first given as.
    """
    store_id = await gateway.opening.store_of(command.caller, case_id)
    digest, size = await _measured(file)
    wanted = Evidence(
        evidence_id=derived_id("evidence", case_id, digest),
        store_id=store_id,
        case_id=CaseId(case_id),
        kind=kind,
        content_type="",
        sha256=digest,
        size_bytes=size,
        added_at=at,
    )
    stored = await gateway.casework.add_evidence(wanted, _chunks(file))
    told = AddEvidence(
        command.caller.actor, stored.evidence_id, stored.kind, stored.content_type, stored.sha256
    )
    body = StoredEvidence(evidence_id=stored.evidence_id, kind=kind)
    case = await command.give(case_id, "add_evidence", told, body)
    command.response.headers["Location"] = f"{case.links.self}/evidence/{stored.evidence_id}"
    return case


@router.get(
    "/cases/{case_id}/evidence/{evidence_id}",
    dependencies=[may(STORE, CUSTOMER, *STAFF)],
    response_class=StreamingResponse,
    responses={200: {"description": "The file.", "content": {"application/octet-stream": {}}}},
)
async def get_evidence(
    case_id: CaseIdPath,
    evidence_id: Annotated[UUID, Path()],
    caller: TheCaller,
    gateway: TheGateway,
) -> StreamingResponse:
    """Return a file given as evidence, to be saved and not shown: strangers made it."""
    store_id = await gateway.opening.store_of(caller, case_id)
    evidence, content = await gateway.casework.evidence(store_id, str(evidence_id))
    if evidence.case_id != case_id:
        raise EvidenceNotFound("the case has no such evidence")
    headers = {"Content-Disposition": f'attachment; filename="{evidence_id}"'}
    return StreamingResponse(content, media_type=evidence.content_type, headers=headers)


async def _measured(file: UploadFile) -> tuple[str, int]:
    """Return the file's digest and size."""
    digest, size = hashlib.sha256(), 0
    async for chunk in _chunks(file):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    await file.seek(0)
    while chunk := await file.read(_CHUNK):
        yield chunk
