"""Every step of a return, from its opening to the end of its workflow, and the deaths that belong to each."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

from temporalio.client import WorkflowHistory

from tests.chaos.fate import Death, Kind, Moment, Step

# By process and kind: the steps, and how often each is taken.
TAKEN: Final = {
    ("gateway", Kind.CALL): {"GetOrder": 1, "RecordReceipt": 1, "RecordInspection": 1, "ReceiveWebhook": 1},
    ("gateway", Kind.UPDATE): {"open": 1},
    ("worker", Kind.ACTIVITY): {
        "look_up": 1,
        "claim_units": 1,
        "authorize_return": 1,
        "look_again": 1,
        "issue_refund": 1,
        "settle_units": 1,
        "close_return": 1,
        "tell_customer": 3,
        "publish_case": 7,
    },
    ("worker", Kind.SIGNAL): {"learn": 2},
    ("order", Kind.RPC): {"GetOrder": 1, "GetContact": 1, "ClaimUnits": 1, "SettleUnits": 1},
    ("warehouse", Kind.RPC): {
        "AuthorizeReturn": 1,
        "RecordReceipt": 1,
        "RecordInspection": 1,
        "CloseReturn": 1,
    },
    ("warehouse", Kind.CALL): {"carrier.labels": 1},
    ("payment", Kind.RPC): {"IssueRefund": 1, "ReceiveWebhook": 1},
    ("payment", Kind.CALL): {"v1.refunds": 1},
    ("notification", Kind.RPC): {"SendMessage": 3},
    ("notification", Kind.MAIL): {"data": 3},
    ("casework", Kind.RPC): {"PublishCase": 7},
    ("sandbox", Kind.HTTP): {"v1.refunds": 1, "carrier.labels": 1},
}
# Asking how a case stands is no step of it: these are the test's own questions.
QUESTIONS: Final = frozenset({("gateway", "GetCase"), ("casework", "GetCase")})

STEPS: Final = tuple(
    Step(process, kind, name, nth)
    for (process, kind), names in TAKEN.items()
    for name, times in names.items()
    for nth in range(1, times + 1)
)


def deaths() -> Iterator[Death]:
    """Give every death: whoever takes a step, around it; and who is needed for it.

    Temporal dies when something has been done and it does not know; the database under whoever is about to
    write; the mail server when it is about to get a letter, and when it has it.
    """
    for step in STEPS:
        yield Death(step, Moment.BEFORE, step.process)
        yield Death(step, Moment.AFTER, step.process)
        if step.kind in {Kind.ACTIVITY, Kind.SIGNAL, Kind.UPDATE}:
            yield Death(step, Moment.AFTER, "temporal")
        if step.kind in {Kind.SIGNAL, Kind.UPDATE}:
            yield Death(step, Moment.BEFORE, "temporal")
        if step.kind is Kind.RPC and not step.name.startswith("Get"):
            yield Death(step, Moment.BEFORE, "postgres")
        if step.kind is Kind.MAIL:
            yield Death(step, Moment.BEFORE, "mailbox")
            yield Death(step, Moment.AFTER, "mailbox")


def in_history(history: WorkflowHistory) -> Counter[tuple[Kind, str]]:
    """Return what a case's history says was done for it: activities, signals and updates."""
    found: Counter[tuple[Kind, str]] = Counter()
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled = event.activity_task_scheduled_event_attributes
            found[Kind.ACTIVITY, scheduled.activity_type.name] += 1
        elif event.HasField("marker_recorded_event_attributes"):
            marker = event.marker_recorded_event_attributes
            if marker.marker_name == "core_local_activity":
                (data,) = marker.details["data"].payloads
                found[Kind.ACTIVITY, json.loads(data.data)["activity_type"]] += 1
        elif event.HasField("workflow_execution_signaled_event_attributes"):
            signaled = event.workflow_execution_signaled_event_attributes
            found[Kind.SIGNAL, signaled.signal_name] += 1
        elif event.HasField("workflow_execution_update_accepted_event_attributes"):
            accepted = event.workflow_execution_update_accepted_event_attributes
            found[Kind.UPDATE, accepted.accepted_request.input.name] += 1
    return found
