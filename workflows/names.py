"""Names that Temporal and its users see: queues, workflow ids and types, search attributes."""

from typing import Final

from services.domain.case import CaseKind
from services.domain.ids import CaseId

TASK_QUEUE: Final = "cases"
WORKFLOW_TYPES: Final = {CaseKind.RETURN: "ReturnCase"}

SEARCH_ATTRIBUTES: Final = {
    "CaseKind": "Keyword",
    "CasePhase": "Keyword",
    "StoreId": "Keyword",
    "OrderId": "Keyword",
    "WaitingOn": "Keyword",
    "DueAt": "Datetime",
    "Outcome": "Keyword",
}


def workflow_id(kind: CaseKind, case_id: CaseId) -> str:
    return f"{kind}/{case_id}"
