"""The inbox of human work, the evidence people look at, and what they look for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.domain.case import TaskState
from services.domain.ids import CaseId, StoreId, TaskId

LONGEST_NOTE: Final = 4000


@dataclass(frozen=True, slots=True)
class InboxTask:
    """A task as staff see it; ``form_json`` is the JSON Schema of its completion."""

    task_id: TaskId
    store_id: StoreId
    queue: str
    kind: str
    title: str
    due_at: datetime
    state: TaskState = TaskState.OPEN
    case_id: CaseId | None = None
    assignee: str | None = None
    form_json: str = "{}"
    context: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file somebody gave as evidence; ``content_type`` is what its content says it is."""

    evidence_id: str
    store_id: StoreId
    case_id: CaseId
    kind: str
    content_type: str
    sha256: str
    size_bytes: int
    added_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; empty members do not filter. ``waiting_on`` is a party; services need no ``store_id``."""

    store_id: StoreId
    order_id: str = ""
    customer_id: str = ""
    kind: str = ""
    status: str = ""
    phase: str = ""
    waiting_on: str = ""
    owner: str = ""
    due_before: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks; empty members do not filter, but no ``state`` means the open and the claimed ones."""

    store_id: StoreId
    queue: str = ""
    state: TaskState | None = None
    assignee: str = ""
    case_id: str = ""
    due_before: datetime | None = None


def completion_form(outcomes: Sequence[str]) -> str:
    """Return the JSON Schema of a task's completion: one of its outcomes, and a note if there is one."""
    outcome: dict[str, object] = {"type": "string", "minLength": 1, "maxLength": 50}
    if outcomes:
        outcome = {"type": "string", "enum": list(outcomes)}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "outcome": outcome,
            "note": {"type": "string", "maxLength": LONGEST_NOTE},
        },
        "required": ["outcome"],
        "additionalProperties": False,
    }
    return json.dumps(schema)
