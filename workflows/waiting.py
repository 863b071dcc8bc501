"""Waiting: the one way a case waits for somebody, until a time, knowing what happens then.

A wait can be extended and paused by staff, reminds before it ends, and can be cut short by a command that
changes the course of the case. What is waited for is what the API, the consoles and the Temporal UI show.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from temporalio import workflow

from services.domain.case import Action, Party, Then, WaitingOn


@dataclass(frozen=True, slots=True)
class Reminder:
    """Something to do at a time, if the wait still lasts."""

    at: datetime
    act: Callable[[], Awaitable[None]]


@dataclass
class _Timer:
    """One durable timer, kept while its instant stays the same: news costs no new timer."""

    at: datetime | None = None
    task: "asyncio.Task[None] | None" = None

    def set(self, at: datetime, summary: str) -> None:
        if self.task is not None and self.at == at and not self.task.done():
            return
        self.stop()
        delay = max(timedelta(0), at - workflow.now())
        self.at = at
        self.task = asyncio.create_task(workflow.sleep(delay, summary=summary))

    def stop(self) -> None:
        if self.task is not None and not self.task.done():
            self.task.cancel()
        self.task = None

    @property
    def has_fired(self) -> bool:
        return self.task is not None and self.task.done()


@dataclass
class Waiting:
    """What the case waits for now; ``rest`` publishes whatever is new before the case falls asleep.

    ``is_attentive``: the process will see news at once and rest again. ``is_movable``: there is a deadline
    that staff may move, and not merely an effect that takes its time. ``ended_at`` is the deadline, with its
    extensions, of the wait that ended last.
    """

    rest: Callable[[], Awaitable[None]]
    has_news: Callable[[], bool]
    interrupt: Callable[[], None]
    max_pause: timedelta = timedelta(days=30)
    current: WaitingOn | None = None
    ended_at: datetime | None = None
    is_attentive: bool = False
    is_movable: bool = False
    _latest: datetime | None = None
    _paused_at: datetime | None = None
    _shadowed: WaitingOn | None = None
    _timer: _Timer = field(default_factory=_Timer)

    async def until(
        self,
        wanted: WaitingOn,
        ready: Callable[[], bool],
        reminders: Sequence[Reminder] = (),
        latest: datetime | None = None,
    ) -> bool:
        """Wait; True when ``ready`` came about (also in the last instant), False when time ran out.

        ``latest`` is the last instant that the law leaves; nobody moves the deadline beyond it.

        Raises:
            Whatever ``interrupt`` raises: a command changed the course of the case.
        """
        self.current, self._latest = wanted, latest
        self.is_attentive = self.is_movable = True
        pending = sorted(reminders, key=lambda reminder: reminder.at)
        try:
            while True:
                self.interrupt()
                if ready():
                    return True
                if workflow.now() >= self.current.until:
                    if not self.is_paused:
                        return False
                    self.resume()
                    continue
                await self._act_on(pending)
                await self._sleep_or_news(ready, pending)
        finally:
            self._timer.stop()
            self.resume()
            self.is_attentive = self.is_movable = False
            self.ended_at = self.current.until if self.current is not None else None
            self.current = self._latest = None

    async def _act_on(self, pending: list[Reminder]) -> None:
        while pending and pending[0].at <= workflow.now() and not self.is_paused:
            self.is_attentive = False
            await pending.pop(0).act()
            self.is_attentive = True

    async def _sleep_or_news(self, ready: Callable[[], bool], pending: list[Reminder]) -> None:
        await self.rest()
        current = self.current
        if current is None or ready() or self.has_news():
            return
        wake_at = current.until
        if pending and not self.is_paused:
            wake_at = min(wake_at, pending[0].at)
        self._timer.set(wake_at, f"{current.party} to {current.action}, then {current.then}")
        await workflow.wait_condition(
            lambda: ready() or self.has_news() or self._timer.has_fired or self.current != current
        )

    @property
    def is_paused(self) -> bool:
        return self._paused_at is not None

    def may_last(self, until: datetime) -> bool:
        """Tell whether the law lets the present wait last until then."""
        return self._latest is None or until <= self._latest

    def extend(self, until: datetime) -> None:
        """Move the present deadline (while paused: the one that will count again)."""
        if self._shadowed is not None:
            self._shadowed = replace(self._shadowed, until=until)
        elif self.current is not None:
            self.current = replace(self.current, until=until)

    def pause(self) -> None:
        """Stop the clock, for as long as the policy and the law allow."""
        if self.current is None or self.is_paused:
            return
        self._paused_at = workflow.now()
        self._shadowed = self.current
        until = self._at_most(workflow.now() + self.max_pause)
        self.current = WaitingOn(Party.MERCHANT, Action.RESUME, until, Then.CONTINUE)

    def resume(self) -> None:
        """Start the clock again; the deadline moves by as long as it stood still."""
        if self._paused_at is None or self._shadowed is None:
            return
        stood_still = workflow.now() - self._paused_at
        self.current = replace(self._shadowed, until=self._at_most(self._shadowed.until + stood_still))
        self._paused_at = self._shadowed = None

    def _at_most(self, until: datetime) -> datetime:
        return until if self._latest is None else min(until, self._latest)
