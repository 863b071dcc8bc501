"""Payments held against their providers, and the books against themselves: repaired, or asked about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from temporalio import activity

from services.domain.case import Actor, ActorKind
from services.domain.errors import DependencyUnavailable, TaskAlreadyCompleted, TaskClaimedByOther
from services.domain.ids import StoreId, TaskId, derived_id
from services.domain.inbox import InboxTask, TaskFilter
from services.domain.refund import Doubt, Finding, Mending
from workflows.activities.errors import translated

_EXAMPLES: Final = 20
_PAGE: Final = 100
_PERSON_ANSWERS_WITHIN: Final = timedelta(days=2)
_QUEUE: Final = "finance"
_BROKEN: Final = "invariant_broken"
_CLEAN_AGAIN: Final = "clean_again"
_SWEEP: Final = Actor(ActorKind.SYSTEM, "sweep")


@dataclass(frozen=True, slots=True)
class MendPayments:
    """From when on providers' lists are read, and when this sweep began."""

    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class MendReport:
    """How much was looked at, and examples of what was repaired, is in doubt, or nobody answered for."""

    checked: int = 0
    repaired: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    is_done: bool = False

    def and_then(self, later: "MendReport") -> "MendReport":
        """Return what two steps come to, one after the other."""
        return MendReport(
            checked=self.checked + later.checked,
            repaired=(*self.repaired, *later.repaired)[:_EXAMPLES],
            doubtful=(*self.doubtful, *later.doubtful)[:_EXAMPLES],
            unanswered=(*self.unanswered, *later.unanswered)[:_EXAMPLES],
            is_done=later.is_done,
        )


@dataclass(frozen=True, slots=True)
class BooksReport:
    """How many stores' books were reviewed, and examples of which invariant is broken by what."""

    stores: int = 0
    broken: tuple[str, ...] = ()


class Payments(Protocol):
    async def mend(self, since: datetime, asked_at: datetime | None = None) -> Mending: ...
    async def stores(self) -> list[StoreId]: ...
    async def review(self, store_id: str) -> list[Finding]: ...


class Inbox(Protocol):
    async def open_task(self, task: InboxTask) -> InboxTask: ...
    async def tasks(self, wanted: TaskFilter, cursor: str, limit: int) -> tuple[list[InboxTask], str]: ...
    async def complete_task(
        self, store_id: str, task_id: str, actor: Actor, outcome: str, note: str
    ) -> InboxTask: ...


@dataclass
class MendingActivities:
    payments: Payments
    inbox: Inbox

    @activity.defn
    async def mend_payments(self, wanted: MendPayments) -> MendReport:
        """Make one step: repair what is certain, and open one task per refund that is in doubt."""
        with translated():
            mending = await self.payments.mend(wanted.since, wanted.at)
            for doubt in mending.doubts:
                await self.inbox.open_task(_task_about_doubt(doubt))
        return MendReport(
            checked=mending.checked,
            repaired=mending.repaired[:_EXAMPLES],
            doubtful=tuple(doubt.refund_id for doubt in mending.doubts[:_EXAMPLES]),
            unanswered=mending.unanswered[:_EXAMPLES],
            is_done=mending.is_done,
        )

    @activity.defn
    async def review_books(self) -> BooksReport:
        """Ask finance about whatever breaks an invariant, in every store, for as long as it does."""
        with translated():
            stores, broken, silent = await self.payments.stores(), [], None
            for store_id in stores:
                activity.heartbeat(store_id)
                try:
                    findings = await self._review(store_id)
                except DependencyUnavailable as error:
                    silent = error
                    continue
                broken += [f"{found.invariant}: {found.subject}" for found in findings]
            if silent is not None:
                raise silent
        return BooksReport(len(stores), tuple(broken[:_EXAMPLES]))

    async def _review(self, store_id: StoreId) -> list[Finding]:
        """Open a task per finding, and close those whose finding is gone."""
        findings = await self.payments.review(store_id)
        asked = [await self.inbox.open_task(_task_about_finding(found)) for found in findings]
        still = {task.task_id for task in asked}
        for task in await self._open_tasks(store_id):
            if task.task_id not in still:
                await self._close(task)
        return findings

    async def _open_tasks(self, store_id: StoreId) -> list[InboxTask]:
        """Return what finance is asked about this store's books, and has not answered."""
        wanted, cursor, found = TaskFilter(store_id, queue=_QUEUE), "", list[InboxTask]()
        while True:
            page, cursor = await self.inbox.tasks(wanted, cursor, _PAGE)
            found += [task for task in page if task.kind == _BROKEN]
            if not cursor:
                return found

    async def _close(self, task: InboxTask) -> None:
        """Take back a question that no longer matters; whoever has claimed it decides for themselves."""
        try:
            await self.inbox.complete_task(task.store_id, task.task_id, _SWEEP, _CLEAN_AGAIN, "")
        except (TaskClaimedByOther, TaskAlreadyCompleted):
            return


def _task_about_doubt(doubt: Doubt) -> InboxTask:
    context = {"payment_id": doubt.payment_id, "refund_id": doubt.refund_id, "why": doubt.why}
    if doubt.case_id:
        context["case_id"] = doubt.case_id
    return InboxTask(
        task_id=TaskId(derived_id("doubt", doubt.refund_id, doubt.why)),
        store_id=doubt.store_id,
        queue=_QUEUE,
        kind="refund_doubtful",
        title="A refund that was promised never reached its provider",
        due_at=doubt.promised_at + _PERSON_ANSWERS_WITHIN,
        context=context,
        outcomes=("done",),
    )


def _task_about_finding(found: Finding) -> InboxTask:
    """Return the task that a finding becomes: the same for as long as the finding lasts."""
    since = found.found_at.isoformat()
    return InboxTask(
        task_id=TaskId(derived_id("finding", found.store_id, found.invariant, found.subject, since)),
        store_id=found.store_id,
        queue=_QUEUE,
        kind="invariant_broken",
        title=f"The books disagree: {found.invariant} is broken by {found.subject}",
        due_at=found.found_at + _PERSON_ANSWERS_WITHIN,
        context={
            "invariant": found.invariant,
            "subject": found.subject,
            "violations": str(found.violations),
        },
        outcomes=("done", _CLEAN_AGAIN),
    )
