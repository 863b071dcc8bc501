"""The demo from beginning to end: what is played, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from deploy.demo.api import Refused, Unavailable
from deploy.demo.documents import Case, Order
from deploy.demo.examples import Example, Expectation, return_lines
from deploy.demo.outside import Account, Invariant, Issued, Posting
from deploy.demo.play import Parties, Wish, deliver, play
from deploy.demo.progress import Progress
from deploy.demo.shop import NotThere
from deploy.demo.week import CreditNote, Week

_AT_ONCE = 8
# What a stage may take: many times what it does on a busy machine, so that then something is wrong.
STAGE_SECONDS = 300.0
# What a step may meet that is no mistake of ours: it is told with its name, and the others go on.
_IN_VAIN = (Unavailable, NotThere)
_MET = (Refused, *_IN_VAIN)
# When as many as are under way at once have waited in vain, those to come would too.
_MOST_IN_VAIN = _AT_ONCE

T = TypeVar("T")
Step = Callable[[], Awaitable[object]]


class GaveUp(Exception):
    """The demo does not get on; the message says at what, and what it waited for."""


@dataclass(frozen=True, slots=True)
class WeekReturn:
    note: CreditNote
    case: Case


@dataclass(frozen=True, slots=True)
class ExampleReturn:
    example: Example
    expected: Expectation
    case: Case


@dataclass(slots=True)
class Played:
    """What came of everything; ``moved`` is the processor's own word, by payment."""

    credited: list[WeekReturn] = field(default_factory=list)
    reckoned: list[ExampleReturn] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    postings: dict[str, list[Posting]] = field(default_factory=dict)
    invariants: list[Invariant] = field(default_factory=list)
    trial_balance: list[Account] = field(default_factory=list)
    documents: list[Issued] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Demo:
    """Plays the week and the examples, some at a time; ``progress`` is told of every step."""

    def __init__(self, parties: Parties, week: Week, examples: Sequence[Example], progress: Progress) -> None:
        self._parties = parties
        self._week = week
        self._examples = examples
        self._progress = progress
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._under_way: list[str] = []
        self._in_vain: list[str] = []
        self.played = Played()

    async def run(self) -> Played:
        """Play everything and look at the books; what a step meets does not stop the others.

        Raises:
            GaveUp: If a stage takes too long, or nothing gets on any more.
        """
        sales = [(sale.order, sale.delivered_at) for sale in self._week.sales]
        sales += [(example.order, example.delivered_at) for example in self._examples]
        delivering = [partial(self._deliver, order, at) for order, at in sales]
        await self._all("orders sold, sent, delivered", delivering)
        returning: list[Step] = [partial(self._credit, note) for note in self._week.notes]
        returning += [partial(self._reckon, example) for example in self._examples]
        cases = len(self._week.notes) + sum(len(example.returns) for example in self._examples)
        await self._all("returns opened, sent, judged", returning, cases)
        payments = [payment.payment_id for order, _ in sales for payment in order.payments]
        await self._all("payments checked", [partial(self._books, payment) for payment in payments])
        documents = [partial(self._documents, order.order_id) for order, _ in sales]
        await self._all("orders' documents asked for", documents)
        await self._all("books asked for", [self._reconcile, self._trial_balance])
        return self.played

    async def _all(self, stage: str, steps: Sequence[Step], total: int | None = None) -> None:
        """Take every step of a stage; ``total`` is how many attempts they are, if not one each."""
        self._progress.begin(stage, total or len(steps))
        try:
            async with asyncio.timeout(STAGE_SECONDS), asyncio.TaskGroup() as group:
                for step in steps:
                    group.create_task(self._in_turn(step))
        except TimeoutError as error:
            waited = _lines(self._under_way)
            raise GaveUp(f"{stage}: not done after {STAGE_SECONDS:.0f} s, waiting for{waited}") from error
        if len(self._in_vain) >= _MOST_IN_VAIN:
            raise GaveUp(f"{stage}: nothing gets on any more{_lines(self._in_vain)}")

    async def _in_turn(self, step: Step) -> None:
        async with self._turns:
            if len(self._in_vain) < _MOST_IN_VAIN:
                await step()

    async def _attempt(self, name: str, doing: Awaitable[T]) -> T | None:
        """Return what comes of it; None if it met something, which is told."""
        found = None
        self._under_way.append(name)
        try:
            found = await doing
        except _MET as error:
            self.played.failed.append(f"{name}: {error}")
            if isinstance(error, _IN_VAIN):
                self._in_vain.append(f"{name}: {error}")
        self._under_way.remove(name)
        self._progress.advance()
        return found

    async def _deliver(self, order: Order, at: datetime) -> None:
        await self._attempt(f"order {order.order_id}", deliver(self._parties, order, at))

    async def _credit(self, note: CreditNote) -> None:
        order_id = note.order.order_id
        wish = Wish(f"{note.number}-{order_id}", order_id, note.lines)
        case = await self._attempt(f"credit {note.number} of order {order_id}", play(self._parties, wish))
        if case is not None:
            self.played.credited.append(WeekReturn(note, case))

    async def _reckon(self, example: Example) -> None:
        """Play an example's returns one after the other: each counts on the ones before."""
        order_id = example.order.order_id
        for number, expected in enumerate(example.returns, start=1):
            wish = Wish(f"return-{number}-{order_id}", order_id, return_lines(expected), expected.outcome)
            case = await self._attempt(f"{example.name}, return {number}", play(self._parties, wish))
            if case is None:
                return
            self.played.reckoned.append(ExampleReturn(example, expected, case))

    async def _books(self, payment_id: str) -> None:
        await self._attempt(f"the books of {payment_id}", self._look_into_books(payment_id))

    async def _look_into_books(self, payment_id: str) -> None:
        self.played.moved[payment_id] = await self._parties.processor.moved(payment_id)
        self.played.postings[payment_id] = await self._parties.finance.ledger(payment_id)

    async def _documents(self, order_id: str) -> None:
        finance = self._parties.finance
        found = await self._attempt(f"the documents of {order_id}", finance.documents(order_id))
        self.played.documents += found or []

    async def _trial_balance(self) -> None:
        found = await self._attempt("the trial balance", self._parties.finance.trial_balance())
        self.played.trial_balance = found or []

    async def _reconcile(self) -> None:
        found = await self._attempt("the invariants", self._parties.finance.reconcile())
        self.played.invariants = found or []


def _lines(names: Sequence[str]) -> str:
    """Return the first of them below each other, and how many more there are."""
    more = [f"… and {len(names) - _AT_ONCE} more"] if len(names) > _AT_ONCE else []
    return "".join(f"\n  {name}" for name in [*names[:_AT_ONCE], *more])
