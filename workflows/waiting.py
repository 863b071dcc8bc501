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
    """Something to do during a wait: at an instant, or so long before its end, wherever that has moved."""

    when: datetime | timedelta
    act: Callable[[], Awaitable[None]]

    def due(self, until: datetime) -> datetime:
        """Return when, in a wait that lasts until then."""
        return self.when if isinstance(self.when, datetime) else until - self.when


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
    _moved: dict[str, datetime] = field(default_factory=dict)
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
        name: str = "",
    ) -> bool:
        """Wait; True when ``ready`` came about (also in the last instant), False when time ran out.

        ``latest`` is the last instant that the law leaves; nobody moves the deadline beyond it. A wait with a
        ``name`` that begins anew ends no earlier than staff have moved it before.

        Raises:
            Whatever ``interrupt`` raises: a command changed the course of the case.
        """
        self._latest = latest
        self.current = wanted = self._as_moved(wanted, name)
        self.is_attentive = self.is_movable = True
        try:
            in_time = await self._last(ready, list(reminders))
        except GeneratorExit:
            # Thrown away with its case, which leaves the worker's cache: there is nobody to ask the time.
            raise
        except BaseException:
            self._end(wanted, name)
            raise
        self._end(wanted, name)
        return in_time

    async def _last(self, ready: Callable[[], bool], pending: list[Reminder]) -> bool:
        while True:
            self.interrupt()
            if ready():
                return True
            if self.current is None or workflow.now() >= self.current.until:
                if not self.is_paused:
                    return False
                self.resume()
                continue
            await self._act_on(pending)
            await self._sleep_or_news(ready, pending)

    def _end(self, wanted: WaitingOn, name: str) -> None:
        self._timer.stop()
        self.resume()
        self.is_attentive = self.is_movable = False
        self.ended_at = self.current.until if self.current else wanted.until
        if name and self.ended_at != wanted.until:
            self._moved[name] = self.ended_at
        self.current = self._latest = None

    def _as_moved(self, wanted: WaitingOn, name: str) -> WaitingOn:
        moved = self._at_most(self._moved.get(name, wanted.until))
        return replace(wanted, until=max(wanted.until, moved))

    async def _act_on(self, pending: list[Reminder]) -> None:
        while (reminder := self._first(pending)) and self._due(reminder) <= workflow.now():
            pending.remove(reminder)
            self.is_attentive = False
            await reminder.act()
            self.is_attentive = True

    def _first(self, pending: list[Reminder]) -> Reminder | None:
        """Return what comes next; while the clock stands still, only what does not depend on it."""
        live = [one for one in pending if isinstance(one.when, datetime)] if self.is_paused else pending
        return min(live, key=self._due, default=None)

    def _due(self, reminder: Reminder) -> datetime:
        return reminder.due(self.current.until if self.current else workflow.now())

    async def _sleep_or_news(self, ready: Callable[[], bool], pending: list[Reminder]) -> None:
        await self.rest()
        current = self.current
        if current is None or ready() or self.has_news():
            return
        reminder = self._first(pending)
        wake_at = min(current.until, self._due(reminder)) if reminder else current.until
        self._timer.set(wake_at, f"{current.party} to {current.action}, then {current.then}")
        await workflow.wait_condition(
            lambda: ready() or self.has_news() or self._timer.has_fired or self.current != current
        )

    @property
    def is_paused(self) -> bool:
        return self._paused_at is not None

    @property
    def deadline(self) -> datetime | None:
        """Return the deadline in force (while paused: the one that will count again)."""
        counted = self._shadowed or self.current
        return counted.until if counted else None

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
