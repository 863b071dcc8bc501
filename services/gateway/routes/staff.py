"""What staff do in a case beside their tasks."""

from services.gateway.access import AGENTS, Role
from services.gateway.routes.cases import CaseIdPath
from services.gateway.routes.commanding import TheCommand
from services.gateway.routes.secured import may, secured_router
from services.gateway.schemas.case_document import CaseDocument
from services.gateway.schemas.cases import ReasonBody
from services.gateway.schemas.staff import AssignBody, ExtendBody, NoteBody
from workflows.messages import AddNote, Assign, Extend, Pause

router = secured_router("staff")
_AGENTS = [may(*AGENTS)]


@router.post("/cases/{case_id}/assign", dependencies=_AGENTS)
async def assign(case_id: CaseIdPath, body: AssignBody, command: TheCommand) -> CaseDocument:
    """Offer the case to a new owner, who accepts by a task."""
    return await command.give(case_id, "assign", Assign(command.caller.actor, body.to, body.reason), body)


@router.post("/cases/{case_id}/extend", dependencies=_AGENTS)
async def extend(case_id: CaseIdPath, body: ExtendBody, command: TheCommand) -> CaseDocument:
    """Move the present deadline."""
    return await command.give(case_id, "extend", Extend(command.caller.actor, body.until, body.reason), body)


@router.post("/cases/{case_id}/pause", dependencies=_AGENTS)
async def pause(case_id: CaseIdPath, body: ReasonBody, command: TheCommand) -> CaseDocument:
    """Stop the present deadline's clock."""
    return await command.give(case_id, "pause", Pause(command.caller.actor, body.reason), body)


@router.post("/cases/{case_id}/resume", dependencies=_AGENTS)
async def resume(case_id: CaseIdPath, body: ReasonBody, command: TheCommand) -> CaseDocument:
    """Start it again."""
    return await command.give(case_id, "resume", Pause(command.caller.actor, body.reason), body)


@router.post("/cases/{case_id}/notes", dependencies=[may(*Role)])
async def add_note(case_id: CaseIdPath, body: NoteBody, command: TheCommand) -> CaseDocument:
    """Leave a note for colleagues; the customer does not see it."""
    return await command.give(case_id, "add_note", AddNote(command.caller.actor, body.text), body)
