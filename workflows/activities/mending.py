"""Payments held against their providers, and the books against themselves: repaired, or asked about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from temporalio import activity

from services.domain.accounts import REFUND_PAYABLE
from services.domain.case import Actor, ActorKind, CaseSnapshot, TaskState
from services.domain.errors import (
    CaseNotFound,
    DependencyUnavailable,
    TaskAlreadyCompleted,
    TaskClaimedByOther,
)
from services.domain.ids import StoreId, TaskId, derived_id
from services.domain.inbox import InboxTask, TaskFilter
from services.domain.refund import Doubt, Finding, LedgerEntry, Mending
from workflows.activities.errors import translated

_EXAMPLES: Final = 20
_PAGE: Final = 100
_PERSON_ANSWERS_WITHIN: Final = timedelta(days=2)
_QUEUE: Final = "finance"
_BROKEN: Final = "invariant_broken"
_DOUBTFUL: Final = "refund_doubtful"
# The question that a case itself asks about a refund, and the answers after which the customer has the money.
_STUCK: Final = "refund_stuck"
_PAID_OTHERWISE: Final = frozenset({"settled_outside", "already_paid"})
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
    async def ledger(
        self, store_id: str, payment_id: str, cursor: str, limit: int
    ) -> tuple[list[LedgerEntry], str]: ...


class Inbox(Protocol):
    async def get(self, store_id: str, case_id: str) -> CaseSnapshot: ...
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
        """Make one step: repair what is certain, and open one task per doubt that no case follows."""
        with translated():
            mending = await self.payments.mend(wanted.since, wanted.at)
            for doubt in mending.doubts:
                await self._ask_about(doubt)
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
        """Open a task per finding; close those whose finding is gone, and doubts about what is settled."""
        findings = await self.payments.review(store_id)
        asked = [await self.inbox.open_task(_task_about_finding(found)) for found in findings]
        still = {task.task_id for task in asked}
        for task in await self._tasks(TaskFilter(store_id, queue=_QUEUE)):
            is_gone = task.kind == _BROKEN and task.task_id not in still
            if is_gone or (task.kind == _DOUBTFUL and await self._is_settled(task)):
                await self._close(task)
        return findings

    async def _ask_about(self, doubt: Doubt) -> None:
        """Open a task, unless the refund's case still follows it, and so asks finance by itself."""
        case = await self._case_of(doubt)
        case_says = await self._said_to_case(doubt) if case else None
        if case is None or case_says or case.closed_at:
            await self.inbox.open_task(_task_about_doubt(doubt, case_says))

    async def _case_of(self, doubt: Doubt) -> CaseSnapshot | None:
        try:
            return await self.inbox.get(doubt.store_id, doubt.case_id) if doubt.case_id else None
        except CaseNotFound:
            return None

    async def _said_to_case(self, doubt: Doubt) -> str | None:
        """Return the answer by which finance has told the case that it paid in another way."""
        wanted = TaskFilter(doubt.store_id, _QUEUE, TaskState.COMPLETED, case_id=doubt.case_id or "")
        for task in await self._tasks(wanted):
            is_about = task.kind == _STUCK and task.context.get("refund_id") == doubt.refund_id
            if is_about and task.outcome in _PAID_OTHERWISE:
                return task.outcome
        return None

    async def _is_settled(self, task: InboxTask) -> bool:
        """Tell whether a doubted refund has moved or died: nothing of it is promised any more."""
        promised, cursor = 0, ""
        while True:
            page, cursor = await self.payments.ledger(
                task.store_id, task.context["payment_id"], cursor, _PAGE
            )
            promised += sum(
                entry.amount.minor_units
                for entry in page
                if (entry.refund_id, entry.account) == (task.context["refund_id"], REFUND_PAYABLE)
            )
            if not cursor:
                return promised == 0

    async def _tasks(self, wanted: TaskFilter) -> list[InboxTask]:
        found, cursor = list[InboxTask](), ""
        while True:
            page, cursor = await self.inbox.tasks(wanted, cursor, _PAGE)
            found += page
            if not cursor:
                return found

    async def _close(self, task: InboxTask) -> None:
        """Take back a question that no longer matters; whoever has claimed it decides for themselves."""
        try:
            await self.inbox.complete_task(task.store_id, task.task_id, _SWEEP, _CLEAN_AGAIN, "")
        except (TaskClaimedByOther, TaskAlreadyCompleted):
            return


def _task_about_doubt(doubt: Doubt, case_says: str | None) -> InboxTask:
    context = {"payment_id": doubt.payment_id, "refund_id": doubt.refund_id, "why": doubt.why}
    if doubt.case_id:
        context["case_id"] = doubt.case_id
    if case_says:
        context["case_says"] = case_says
    return InboxTask(
        task_id=TaskId(derived_id("doubt", doubt.refund_id, doubt.why)),
        store_id=doubt.store_id,
        queue=_QUEUE,
        kind=_DOUBTFUL,
        title="A refund that was promised never reached its provider",
        due_at=doubt.promised_at + _PERSON_ANSWERS_WITHIN,
        context=context,
        outcomes=("done", _CLEAN_AGAIN),
    )


def _task_about_finding(found: Finding) -> InboxTask:
    """Return the task that a finding becomes: the same for as long as the finding lasts."""
    since = found.found_at.isoformat()
    return InboxTask(
        task_id=TaskId(derived_id("finding", found.store_id, found.invariant, found.subject, since)),
        store_id=found.store_id,
        queue=_QUEUE,
        kind=_BROKEN,
        title=f"The books disagree: {found.invariant} is broken by {found.subject}",
        due_at=found.found_at + _PERSON_ANSWERS_WITHIN,
        context={
            "invariant": found.invariant,
            "subject": found.subject,
            "violations": str(found.violations),
        },
        outcomes=("done", _CLEAN_AGAIN),
    )
