"""The inbox of human work."""

from typing import Annotated

from fastapi import Path, Query, Request

from services.clients.casework import TaskFilter
from services.gateway.access import STAFF
from services.gateway.desk import Completion
from services.gateway.keys import command_id
from services.gateway.routes.cases import shown
from services.gateway.routes.secured import (
    IdempotencyKey,
    TheCaller,
    TheGateway,
    key_use,
    may,
    secured_router,
)
from services.gateway.schemas.fields import Page
from services.gateway.schemas.staff import CompletedTask, CompletionBody, TaskDocument, TaskQuery

router = secured_router("tasks")
_STAFF = [may(*STAFF)]
TaskIdPath = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9-]+$")]


@router.get("/tasks", dependencies=_STAFF)
async def list_tasks(
    query: Annotated[TaskQuery, Query()], caller: TheCaller, gateway: TheGateway
) -> Page[TaskDocument]:
    """List tasks, the soonest due first."""
    wanted = TaskFilter(
        store_id=caller.store_id,
        queue=query.queue or "",
        state=query.state,
        assignee=query.assignee,
        case_id=query.case_id,
        due_before=query.due_before,
    )
    tasks, cursor = await gateway.casework.tasks(wanted, query.cursor, query.limit)
    return Page(data=[TaskDocument.of(task) for task in tasks], next_cursor=cursor or None)


@router.post("/tasks/{task_id}/claim", dependencies=_STAFF)
async def claim_task(task_id: TaskIdPath, caller: TheCaller, gateway: TheGateway) -> TaskDocument:
    """Take a task, so that nobody else works on it."""
    return TaskDocument.of(await gateway.desk.claim(caller, task_id))


@router.post("/tasks/{task_id}/release", dependencies=_STAFF)
async def release_task(task_id: TaskIdPath, caller: TheCaller, gateway: TheGateway) -> TaskDocument:
    """Give it back to its queue."""
    return TaskDocument.of(await gateway.desk.release(caller, task_id))


@router.post("/tasks/{task_id}/complete", dependencies=_STAFF)
async def complete_task(
    task_id: TaskIdPath,
    body: CompletionBody,
    request: Request,
    caller: TheCaller,
    gateway: TheGateway,
    key: IdempotencyKey = None,
) -> CompletedTask:
    """Answer what the task asks; exactly one answer is taken."""
    task = await gateway.desk.find(caller, task_id)
    once = await command_id(gateway.records, key_use(request, caller, task.store_id, key, body))
    done, snapshot = await gateway.desk.complete(caller, task, Completion(body.outcome, body.note, once))
    case = shown(gateway, caller, snapshot) if snapshot else None
    return CompletedTask(**TaskDocument.of(done).model_dump(), case=case)
