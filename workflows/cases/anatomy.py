"""What every case has: its file, its tasks, its waits, its undo, and the commands all kinds take.

A kind of case is a subclass with a process (``run``), its own commands, and a table of which phase takes
which. Handlers are tiny: they note what was said; the process, when it wakes, acts on it. A command answers
when the case has come to rest again and has published what it is.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from services.domain.case import (
    SYSTEM,
    Action,
    Actor,
    CaseLine,
    CaseSnapshot,
    CaseStatus,
    CaseTask,
    Party,
    Then,
    WaitingOn,
)
from services.domain.errors import ActionNotAllowed, CaseClosed, RecourseError
from services.domain.facts import Fact
from services.domain.ids import EventId
from services.domain.inbox import InboxTask
from workflows.activities.casework import CaseworkActivities
from workflows.activities.notification import NotificationActivities, Tell
from workflows.case_file import CaseFile
from workflows.compensation import Compensations
from workflows.effects import quickly
from workflows.errands import Errands
from workflows.messages import (
    OpenCase,
    Withdraw,
)
from workflows.tasks import Ask, TaskDesk
from workflows.waiting import Reminder, Waiting

PHASE = SearchAttributeKey.for_keyword("CasePhase")
WAITING_ON = SearchAttributeKey.for_keyword("WaitingOn")
DUE_AT = SearchAttributeKey.for_datetime("DueAt")
OUTCOME = SearchAttributeKey.for_keyword("Outcome")

# How soon a person should see to what a case leaves behind.
_ANSWERS_WITHIN = timedelta(days=2)
# How soon a service of the shop's own that is away should be back; it is asked again until it is.
_BACK_WITHIN = timedelta(hours=1)

Subject = TypeVar("Subject")
Argument = TypeVar("Argument")
Result = TypeVar("Result")


class NotOpened(Exception):
    """There is nothing to open: ``refusal`` says why, to whoever asked."""

    def __init__(self, refusal: ApplicationError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Withdrawn(Exception):
    """The customer does not want it any more: the process is left, and what was done is undone."""


def refused(error: RecourseError) -> ApplicationError:
    """Return an expected error as Temporal carries it to the caller of an update."""
    return ApplicationError(error.detail, type=error.reason, non_retryable=True)


class Case(ABC):
    """The anatomy; see the module."""

    first_phase = "verifying"

    def __init__(self, request: OpenCase) -> None:
        self.request = request
        self.file = CaseFile(request, workflow.now(), self.first_phase, workflow.now())
        self.desk = TaskDesk(request.case_id)
        self.errands = Errands()
        self.undo = Compensations()
        self.waiting = Waiting(self._rest, self._has_news, self._interrupt)
        self.refusal: ApplicationError | None = None
        self.withdrawal: Withdraw | None = None
        self._facts_seen: set[EventId] = set()
        self._to_do: list[Callable[[], Awaitable[None]]] = []
        self._lapsing: list[asyncio.Task[None]] = []
        self._resting = asyncio.Lock()
        self._news = 1
        self._rested = 0
        self._indexed_phase: str | None = None

    # What a kind of case says of itself.

    @abstractmethod
    def lines(self) -> tuple[CaseLine, ...]:
        """Return the case's lines as they stand."""

    @abstractmethod
    def is_taken(self, command: str) -> bool:
        """Tell whether the present phase takes ``command``."""

    @abstractmethod
    def take(self, fact: Fact) -> None:
        """Note a fact that is told for the first time."""

    @property
    def is_wanted(self) -> bool:
        """Whether the case still runs, and its customer has not withdrawn it."""
        return self.file.status is CaseStatus.OPEN and self.withdrawal is None

    def is_opened(self) -> bool:
        """Tell whether the caller who opened the case may have its answer."""
        return True

    # What the process uses.

    async def wait(
        self,
        wanted: WaitingOn,
        ready: Callable[[], bool],
        reminders: tuple[Reminder, ...] = (),
        latest: datetime | None = None,
        name: str = "",
    ) -> bool:
        """Wait for somebody; False when the time ran out (see `Waiting.until`)."""
        self.news()
        return await self.waiting.until(wanted, ready, reminders, latest, name)

    @asynccontextmanager
    async def showing(self, wanted: WaitingOn) -> AsyncIterator[None]:
        """Publish whom the case waits for during an effect that takes its time."""
        self.waiting.current = wanted
        self.news()
        await self._rest(is_effect=True)
        try:
            yield
        finally:
            self.waiting.current = None

    async def have_done(
        self, activity: Callable[[Subject, Argument], Coroutine[Any, Any, Result]], argument: Argument
    ) -> Result:
        """Have an idempotent effect done, however long its service is away; the case says that it waits.

        Raises:
            FailureError: Only if the service refuses (see `workflows.effects.refusal`).
        """
        return await quickly(activity, argument, patiently=self._until_service_is_back)

    def _until_service_is_back(self) -> AbstractAsyncContextManager[None]:
        until = workflow.now() + _BACK_WITHIN
        return self.showing(WaitingOn(Party.MERCHANT, Action.RESUME, until, Then.CONTINUE))

    async def ask(
        self,
        ask: Ask,
        wanted: WaitingOn,
        unless: Callable[[], bool] = lambda: False,
        reminders: tuple[Reminder, ...] = (),
        latest: datetime | None = None,
    ) -> tuple[str, str] | None:
        """Ask a person and wait; the answer and who gave it, or None when time or ``unless`` overtook it."""
        task = self.desk.open(ask, wanted.until)
        self.record("task_opened", detail=ask.kind)

        def ready() -> bool:
            return self.desk.outcome_of(task) is not None or unless()

        try:
            await self.wait(wanted, ready, reminders, latest)
        finally:
            self.desk.cancel(task)
        answer = self.desk.outcome_of(task)
        return (answer, self.desk.answered_by(task)) if answer is not None else None

    def lapses(self, task: CaseTask) -> None:
        """Withdraw a question that holds up nothing when it is due."""
        self._lapsing.append(asyncio.create_task(self._lapse(task)))

    async def _lapse(self, task: CaseTask) -> None:
        await workflow.sleep(task.due_at - workflow.now(), summary=f"{task.kind} lapses")
        if self.desk.is_open(task):
            self.desk.cancel(task)
            self.record("task_lapsed", detail=task.kind)

    async def tell(self, template: str, values: Mapping[str, str], fact: str | None = None) -> None:
        """Tell the customer something that is true now, once per ``fact`` (else: per template)."""
        request = self.request
        said = Tell(
            store_id=request.store_id,
            order_id=request.order_id,
            case_id=request.case_id,
            fact=fact or template,
            template=template,
            at=workflow.now(),
            values=values,
        )
        await self.errands.run(NotificationActivities.tell_customer, said)

    async def leave_task(self, ask: Ask, due_at: datetime) -> None:
        """Ask people for something that does not hold up the case, and outlives it."""
        task = InboxTask(
            task_id=self.desk.next_id(ask.kind),
            store_id=self.request.store_id,
            queue=ask.queue,
            kind=ask.kind,
            title=ask.title,
            due_at=due_at,
            context={"case_id": self.request.case_id, **ask.context},
            outcomes=ask.outcomes,
        )
        self.record("task_opened", detail=ask.kind)
        await self.errands.run(CaseworkActivities.open_task, task)

    def later(self, ask: Ask) -> None:
        """Ask people for something from where nothing can be awaited; it is asked when the case rests."""
        self.soon(lambda: self.leave_task(ask, workflow.now() + _ANSWERS_WITHIN))

    def soon(self, act: Callable[[], Awaitable[None]]) -> None:
        """Have something done from where nothing can be awaited; it is done when the case rests."""
        self._to_do.append(act)
        self.news()

    async def undo_all(self) -> None:
        """Undo what was done; what cannot be undone is left to a person."""
        for step in await self.undo.run():
            ask = Ask("undo", "supervisor", f"Undo by hand: {step}", ("done",), {"step": step})
            await self.leave_task(ask, workflow.now() + timedelta(days=1))

    def record(self, what: str, actor: Actor = SYSTEM, detail: str = "") -> None:
        """Add to the timeline."""
        self.file.record(what, actor, workflow.now(), detail)
        self.news()

    def news(self) -> None:
        """Say that something has changed: whoever sleeps wakes, and the change is published."""
        self._news += 1

    async def finish(self) -> None:
        """Publish the last word, and let nothing be lost.

        Facts that come meanwhile are taken: whoever finishes looks at them before it returns.
        """
        self.desk.cancel_open()
        self.news()
        while self._has_news():
            await self._rest()
            await self.errands.done()
            await workflow.wait_condition(workflow.all_handlers_finished)

    def snapshot(self) -> CaseSnapshot:
        return self.file.snapshot(self.lines(), self.waiting.current)

    # Resting: the one place where the outside learns what the case is.

    def _has_news(self) -> bool:
        return self._rested < self._news

    def _interrupt(self) -> None:
        if self.withdrawal is not None and self.file.status is CaseStatus.OPEN:
            raise Withdrawn

    async def _rest(self, *, is_effect: bool = False) -> None:
        """Publish until nothing is new; one at a time: handlers rest too while an effect runs."""
        async with self._resting:
            while self._has_news() and self.refusal is None:
                while self._to_do:
                    await self._to_do.pop(0)()
                news = self._news
                await self._publish(is_effect=is_effect)
                self._rested = news
            if self.refusal is not None:
                self._rested = self._news

    async def _publish(self, *, is_effect: bool) -> None:
        if not is_effect:
            self._index()
        snapshot = self.file.publication(self.lines(), self.waiting.current, self.desk.take_unpublished())
        workflow.set_current_details(self._sheet())
        await self.errands.run(CaseworkActivities.publish_case, snapshot)

    def _index(self) -> None:
        """Keep the search attributes in step, once per phase."""
        if self._indexed_phase == self.file.phase:
            return
        self._indexed_phase = self.file.phase
        waiting = self.waiting.current
        workflow.upsert_search_attributes(
            [
                PHASE.value_set(self.file.phase),
                WAITING_ON.value_set(waiting.party if waiting else "nobody"),
                DUE_AT.value_set(waiting.until) if waiting else DUE_AT.value_unset(),
                OUTCOME.value_set(self.file.outcome) if self.file.outcome else OUTCOME.value_unset(),
            ]
        )

    def _sheet(self) -> str:
        """Return the ops sheet: ids, phase, waits and amounts, no personal data."""
        waiting = self.waiting.current
        lines = [f"**{self.file.phase}** ({self.file.status}{self._said_outcome()})"]
        if waiting:
            lines.append(
                f"waits for **{waiting.party}** to {waiting.action} until {waiting.until:%Y-%m-%d %H:%M}Z,"
                f" then {waiting.then}"
            )
        if self.file.quote:
            money = self.file.quote.refund
            lines.append(f"quote {money.minor_units} {money.currency}")
        lines += [
            f"refund {refund.amount.minor_units} {refund.amount.currency}: {refund.status}"
            for refund in self.file.refunds.values()
        ]
        return "\n\n".join(lines)

    def _said_outcome(self) -> str:
        return f", {self.file.outcome}" if self.file.outcome else ""

    async def answer(self) -> CaseSnapshot:
        """Return the case once it has rested on all that was said until now.

        While the process is busy with an effect nobody else would rest, so this does.
        """
        self.news()
        said = self._news
        if not self.waiting.is_attentive:
            await self._rest(is_effect=True)
        await workflow.wait_condition(lambda: self._rested >= said)
        return self.snapshot()

    def check_taken(self, command: str) -> None:
        """Refuse a command that the present phase does not take."""
        if self.refusal is not None:
            raise self.refusal
        if self.file.status is CaseStatus.CLOSED and not self.is_taken(command):
            raise refused(CaseClosed(f"the case is closed: {self.file.outcome}"))
        if not self.is_taken(command):
            raise refused(ActionNotAllowed(f"not possible while the case is {self.file.phase}"))
