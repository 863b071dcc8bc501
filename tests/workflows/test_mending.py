"""The sweep of payments: what it cannot repair becomes a task, once."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio.testing import ActivityEnvironment

from services.domain.ids import CaseId, PaymentId, RefundId
from services.domain.inbox import InboxTask
from services.domain.refund import Doubt, Mending
from tests.builders import NOW, STORE
from workflows.activities.mending import MendingActivities, MendPayments, MendReport


@dataclass
class Payments:
    """A payment service that found one thing to repair and one that it cannot."""

    asked: list[datetime] = field(default_factory=list)

    async def mend(self, since: datetime) -> Mending:
        self.asked.append(since)
        doubt = Doubt(STORE, PaymentId("p"), RefundId("r2"), CaseId("RT-0000-0000"), "refund_never_arrived")
        return Mending(7, ("r1",), (doubt,))


@dataclass
class Inbox:
    """Tasks by id."""

    tasks: dict[str, InboxTask] = field(default_factory=dict)

    async def open_task(self, task: InboxTask) -> InboxTask:
        return self.tasks.setdefault(task.task_id, task)


async def test_a_doubt_becomes_one_task_of_finance() -> None:
    """Looked at every hour, asked about once; the window is passed on."""
    payments, inbox = Payments(), Inbox()
    activities = MendingActivities(payments, inbox)
    wanted = MendPayments(NOW - timedelta(days=3), NOW)
    reports = [await ActivityEnvironment().run(activities.mend_payments, wanted) for _ in range(2)]

    assert set(reports) == {MendReport(7, ("r1",), ("r2",))}
    (task,) = inbox.tasks.values()
    assert (task.queue, task.kind, task.due_at) == ("finance", "refund_doubtful", NOW + timedelta(days=2))
    assert (task.context["case_id"], task.context["refund_id"]) == ("RT-0000-0000", "r2")
    assert payments.asked == [NOW - timedelta(days=3)] * 2
