"""What staff do: tasks, deadlines, notes."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.domain.case import TaskState
from services.domain.inbox import InboxTask
from services.gateway.access import Queue
from services.gateway.schemas.case_document import CaseDocument
from services.gateway.schemas.fields import Code, Id, Incoming, Instant, Line, Outgoing, PageQuery, Said, Text


class AssignBody(Incoming):
    """``to`` is the account of the new owner, who has to accept."""

    to: Id
    reason: Said


class ExtendBody(Incoming):
    until: Instant
    reason: Said


class NoteBody(Incoming):
    text: Said


class CompletionBody(Incoming):
    """``outcome`` is one of the task's outcomes, as its form says."""

    outcome: Code
    note: Text = ""


class TaskQuery(PageQuery):
    """Which tasks; without ``state``, the open and the claimed ones."""

    queue: Queue | None = None
    state: TaskState | None = None
    assignee: Annotated[Line, Field(max_length=100)] = ""
    case_id: Annotated[Line, Field(max_length=50)] = ""
    due_before: Instant | None = None


class TaskDocument(Outgoing):
    """Something a person has to do; ``form`` is the JSON Schema of its completion."""

    task_id: str
    case_id: str | None
    store_id: str
    queue: str
    kind: str
    title: str
    due_at: datetime
    state: TaskState
    assignee: str | None
    form: dict[str, Any]
    context: dict[str, str]
    outcome: str | None

    @classmethod
    def of(cls, task: InboxTask) -> "TaskDocument":
        return cls(
            task_id=task.task_id,
            case_id=task.case_id,
            store_id=task.store_id,
            queue=task.queue,
            kind=task.kind,
            title=task.title,
            due_at=task.due_at,
            state=task.state,
            assignee=task.assignee,
            form=json.loads(task.form_json),
            context=dict(task.context),
            outcome=task.outcome,
        )


class CompletedTask(TaskDocument):
    """A task that is done, and the case as it is thereafter."""

    case: CaseDocument | None
