"""Rejected units: what the customer may choose for them, and a supervisor's second look."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import workflow

from services.domain.case import Action, Option, Party, Then, WaitingOn
from services.domain.ids import LineId
from services.domain.money import Money
from services.domain.return_phases import ReturnPhase as P
from workflows.messages import Escalate
from workflows.tasks import Ask

if TYPE_CHECKING:
    from workflows.cases.return_case import ReturnCase

_OFFER = "rejection"


class Rejections:
    """The rejected units of one return, and what was said of them."""

    def __init__(self, case: "ReturnCase") -> None:
        self._case = case
        self.choice: str | None = None
        self.escalation: Escalate | None = None
        self._parted_with: Mapping[LineId, int] = {}
        self._offered: Mapping[LineId, int] = {}
        self._offers = 0
        self._until = workflow.now()
        self._is_reviewed = False

    @property
    def new(self) -> int:
        """Rejected units nobody has decided on yet."""
        known = self._parted_with
        rejected = self._case.inbound.goods.rejected
        return sum(max(0, count - known.get(line, 0)) for line, count in rejected.items())

    async def offer_ways_on(self) -> None:
        """Let the customer choose what becomes of the units, or escalate; silence sends them back.

        Units that come meanwhile are judged and paid first; the offer stays open while they are.
        """
        case, offered = self._case, self._case.inbound.goods.rejected
        case.enter(P.INSPECTION_REJECTED)
        if offered != self._offered:
            await self._offer(offered)
        while self.new and self.choice is None:
            if self._awaits_review:
                await self._review()
            elif not await self._choose():
                break
            if self.new and case.goods_press:
                return
        case.file.offers.pop(_OFFER, None)
        self._offered = {}
        await self._part_with(offered, self.choice)

    @property
    def is_open(self) -> bool:
        """Whether the customer may still choose, or object."""
        return bool(self._offered) and self.choice is None

    @property
    def _awaits_review(self) -> bool:
        return self.escalation is not None and not self._is_reviewed

    async def _offer(self, offered: Mapping[LineId, int]) -> None:
        """Ask: what was said of an earlier rejection does not answer this one."""
        case, asked = self._case, self._case.asked
        self.choice = self.escalation = None
        self._is_reviewed, self._offered, self._offers = False, offered, self._offers + 1
        self._until = asked.due(days=asked.timers.escalation_days)
        case.file.offers[_OFFER] = self._options(self._until)
        await self._tell(f"rejection-{self._offers}")

    async def _tell(self, fact: str) -> None:
        values = {"units": str(self.new), "answer_by": self._until.isoformat()}
        await self._case.tell("inspection_rejected", values, fact)

    async def _choose(self) -> bool:
        """Wait for the customer's word, or for goods that go first; False when the time is over."""
        case = self._case
        wanted = WaitingOn(Party.CUSTOMER, Action.CHOOSE, self._until, Then.RETURN_GOODS)

        def is_over() -> bool:
            return self.choice is not None or self._awaits_review or case.goods_press

        in_time = await case.wait(wanted, is_over)
        self._until = case.waiting.ended_at or self._until
        return in_time

    def leave(self) -> None:
        """Leave the units to people who see to the goods anyway."""
        self._parted_with = self._case.inbound.goods.rejected

    def _options(self, ready_by: datetime) -> tuple[Option, ...]:
        free = Money.zero(self._case.request.currency)
        return (
            Option(
                "send_back", "Get the goods back", free, ready_by, ("You keep the goods",), ("No refund",)
            ),
            Option("dispose", "Leave the goods with us", free, None, ("Nothing to do",), ("No refund",)),
        )

    async def _review(self) -> None:
        """Have a supervisor look again, unless goods go first; a rejection that stands leaves the choice."""
        objection = self.escalation.reason if self.escalation else ""
        until = self._case.asked.due(days=self._case.asked.timers.discretion_answer_days)
        ask = Ask(
            "review_rejection",
            "supervisor",
            "The customer does not accept the inspection",
            ("uphold", "accept_goods"),
            {"units": str(self.new), "objection": objection},
        )
        wanted = WaitingOn(Party.MERCHANT, Action.REVIEW, until, Then.RETURN_GOODS)
        answer = await self._case.ask(ask, wanted, unless=lambda: self._case.goods_press)
        if answer is None and workflow.now() < (self._case.waiting.ended_at or until):
            return
        self._is_reviewed = True
        if answer is not None and answer[0] == "accept_goods":
            self._case.inbound.accept_rejected(standing=self._parted_with, by=answer[1])
        elif workflow.now() < self._until:
            # The rejection stands, and so does the choice that was promised.
            await self._tell(f"rejection-stands-{self._until:%Y%m%d%H%M}")

    async def _part_with(self, offered: Mapping[LineId, int], choice: str | None) -> None:
        """Have the units that were offered sent back, unless the customer leaves them to us."""
        known, rejected = self._parted_with, self._case.inbound.goods.rejected
        parted = {line: min(count, rejected.get(line, 0)) for line, count in offered.items()}
        units = sum(max(0, count - known.get(line, 0)) for line, count in parted.items())
        self._parted_with = {**known, **parted}
        if not units:
            return
        kind = "dispose_rejected" if choice == "dispose" else "send_back_rejected"
        verb = "Dispose of" if choice == "dispose" else "Send back to the customer"
        title = f"{verb}: {units} rejected {'unit' if units == 1 else 'units'}"
        ask = Ask(kind, "warehouse", title, ("done",), {"units": str(units)})
        await self._case.leave_task(ask, workflow.now() + timedelta(days=2))
