"""What cases publish, and what people are asked: valid by default."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.domain.case import (
    Action,
    Actor,
    ActorKind,
    CaseKind,
    CaseLine,
    CaseSnapshot,
    CaseStatus,
    CaseTask,
    Party,
    Reason,
    Then,
    TimelineEntry,
    WaitingOn,
)
from services.domain.ids import CaseId, CustomerId, LineId, OrderId, TaskId, case_id, derived_id, task_id_for
from services.domain.inbox import Evidence, InboxTask
from tests.builders import NOW, STORE

CASE = case_id("RT", 1)
AGENT = Actor(ActorKind.STAFF, "agent-1", ("agent",))
SENIOR = Actor(ActorKind.STAFF, "senior-1", ("senior",))
ANSWERS = ("approve", "deny")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 32


def a_snapshot(number: int = 1, sequence: int = 1, **changes: object) -> CaseSnapshot:
    """A return of one lantern that waits for its parcel; ``sequence`` minutes old."""
    snapshot = CaseSnapshot(
        case_id=case_id("RT", number),
        kind=CaseKind.RETURN,
        store_id=STORE,
        order_id=OrderId("536365"),
        customer_id=CustomerId("17850"),
        sequence=sequence,
        status=CaseStatus.OPEN,
        phase="awaiting_parcel",
        outcome=None,
        channel="web",
        note="",
        currency="GBP",
        locale="en-GB",
        lines=(CaseLine(LineId("1"), 1, Reason.CHANGED_MIND),),
        decision=None,
        quote=None,
        waiting_on=waiting_until(NOW + timedelta(days=14)),
        opened_at=NOW,
        updated_at=NOW + timedelta(minutes=sequence),
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]


def waiting_until(until: datetime, party: Party = Party.CUSTOMER) -> WaitingOn:
    return WaitingOn(party, Action.SEND_PARCEL, until, Then.CLOSE_UNRETURNED)


def an_entry(number: int, case: CaseId = CASE) -> TimelineEntry:
    at = NOW + timedelta(minutes=number)
    return TimelineEntry(f"{case}/{number}", at, AGENT, f"step_{number}", "by hand")


def a_case_task(step: str = "review-1", case: CaseId = CASE, **changes: object) -> CaseTask:
    """A review that a case asks for."""
    task = CaseTask(
        task_id=task_id_for(case, step),
        queue="agents",
        kind="review",
        title="Decide on the return",
        due_at=NOW + timedelta(days=2),
        outcomes=ANSWERS,
        context={"order_id": "536365"},
    )
    return replace(task, **changes)  # type: ignore[arg-type]


def a_loose_task(name: str = "parcel-1", **changes: object) -> InboxTask:
    """A parcel that no case expects."""
    task = InboxTask(
        task_id=TaskId(derived_id("loose", name)),
        store_id=STORE,
        queue="warehouse",
        kind="unknown_parcel",
        title="Find out whose parcel this is",
        due_at=NOW + timedelta(days=1),
        context={"scan": "TRACK9"},
        outcomes=("matched", "returned_to_sender"),
    )
    return replace(task, **changes)  # type: ignore[arg-type]


def a_photo(name: str = "photo-1", **changes: object) -> Evidence:
    """A photo as it is announced: what it is, only its content tells."""
    photo = Evidence(derived_id(name), STORE, CASE, "photo", "", "", 0, NOW)
    return replace(photo, **changes)  # type: ignore[arg-type]
