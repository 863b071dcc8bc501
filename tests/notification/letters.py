"""Messages, valid by default."""

from dataclasses import replace

from services.domain.ids import CaseId, OrderId, derived_id
from services.domain.message import Message
from services.notification.catalogue import TEMPLATES
from tests.builders import NOW, STORE

CASE = CaseId("RT-7K3M-9QX1")
# A value of every name that a template knows.
VALUES = {
    "amount": "GBP 1530",
    "answer_by": "2026-03-09T12:00:00+00:00",
    "content": "I withdraw from the purchase of two lanterns.",
    "escalate_until": "2026-03-09T12:00:00+00:00",
    "label_url": "https://labels.example.com/R7K3M9QX1?format=a6&copies=1",
    "reason": "return_window",
    "received_at": "2026-03-02T11:58:30+00:00",
    "rma": "R7K3M9QX1",
    "send_by": "2026-03-16T12:00:00+00:00",
    "units": "2",
}


def a_message(template: str = "refund_succeeded", fact: str = "", **changes: object) -> Message:
    """Return a message of ``template`` with its values; its id follows from case and fact."""
    case_id = str(changes.get("case_id", CASE))
    message = Message(
        message_id=derived_id(case_id, "message", fact or template),
        store_id=STORE,
        case_id=CASE,
        order_id=OrderId("536365"),
        template=template,
        recipient="17850@example.com",
        locale="en-GB",
        stated_at=NOW,
        values={name: VALUES[name] for name in TEMPLATES.get(template, {})},
    )
    return replace(message, **changes)  # type: ignore[arg-type]
