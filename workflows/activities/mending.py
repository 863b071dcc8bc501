"""Payments held against their providers: what is certain is repaired, the rest is asked about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from temporalio import activity

from services.domain.ids import TaskId, derived_id
from services.domain.inbox import InboxTask
from services.domain.refund import Doubt, Mending
from workflows.activities.errors import translated

_EXAMPLES: Final = 20
_PERSON_ANSWERS_WITHIN: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class MendPayments:
    """From when on providers' lists are read, and when this is asked."""

    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class MendReport:
    """How much was looked at, and examples of what was repaired and what is in doubt."""

    checked: int = 0
    repaired: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


class Payments(Protocol):
    async def mend(self, since: datetime) -> Mending: ...


class Inbox(Protocol):
    async def open_task(self, task: InboxTask) -> InboxTask: ...


@dataclass
class MendingActivities:
    payments: Payments
    inbox: Inbox

    @activity.defn
    async def mend_payments(self, wanted: MendPayments) -> MendReport:
        """Repair what is certain, and open one task per refund that is in doubt."""
        with translated():
            mending = await self.payments.mend(wanted.since)
            for doubt in mending.doubts:
                await self.inbox.open_task(_task_about(doubt, wanted.at))
        doubtful = tuple(doubt.refund_id for doubt in mending.doubts[:_EXAMPLES])
        return MendReport(mending.checked, mending.repaired[:_EXAMPLES], doubtful)


def _task_about(doubt: Doubt, at: datetime) -> InboxTask:
    context = {"payment_id": doubt.payment_id, "refund_id": doubt.refund_id, "why": doubt.why}
    if doubt.case_id:
        context["case_id"] = doubt.case_id
    return InboxTask(
        task_id=TaskId(derived_id("doubt", doubt.refund_id, doubt.why)),
        store_id=doubt.store_id,
        queue="finance",
        kind="refund_doubtful",
        title="A refund that was promised never reached its provider",
        due_at=at + _PERSON_ANSWERS_WITHIN,
        context=context,
        outcomes=("done",),
    )
