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


class Rejections:
    """The rejected units of one return, and what was said of them."""

    def __init__(self, case: "ReturnCase") -> None:
        self._case = case
        self.choice: str | None = None
        self.escalation: Escalate | None = None
        self._parted_with: Mapping[LineId, int] = {}
        self._offered: Mapping[LineId, int] = {}
        self._offers = 0
        self._time_left = timedelta(0)

    @property
    def new(self) -> int:
        """Rejected units nobody has decided on yet."""
        known = self._parted_with
        rejected = self._case.inbound.goods.rejected
        return sum(max(0, count - known.get(line, 0)) for line, count in rejected.items())

    async def offer_ways_on(self) -> None:
        """Let the customer choose what becomes of the units, or escalate; silence sends them back.

        Units that come meanwhile are judged and paid first; the customer's time stands still for as long.
        """
        case = self._case
        case.enter(P.INSPECTION_REJECTED)
        offered = case.inbound.goods.rejected
        is_new = offered != self._offered
        if is_new:
            self._begin(offered)
        until = workflow.now() + self._time_left
        case.file.options = self._options(until)
        values = {"units": str(self.new), "answer_by": until.isoformat()}
        if is_new:
            await case.tell("inspection_rejected", values, fact=f"rejection-{self._offers}")
        wanted = WaitingOn(Party.CUSTOMER, Action.CHOOSE, until, Then.RETURN_GOODS)
        was_early = await case.wait(wanted, lambda: self._is_answered or case.goods_press)
        until = case.waiting.ended_at or until
        if was_early and not self._is_answered:
            case.file.options, self._time_left = (), until - workflow.now()
            return
        if self.escalation is not None and self.choice is None:
            await self._review(self.escalation)
            if self.new and self.choice is None and workflow.now() < until:
                # The rejection stands, and so does the choice that was promised.
                values["answer_by"] = until.isoformat()
                await case.tell("inspection_rejected", values, fact=f"rejection-stands-{until:%Y%m%d%H%M}")
                await case.wait(wanted, lambda: self.choice is not None)
        case.file.options, self._offered = (), {}
        await self._part_with(offered, self.choice)

    def leave(self) -> None:
        """Leave the units to people who see to the goods anyway."""
        self._parted_with = self._case.inbound.goods.rejected

    @property
    def _is_answered(self) -> bool:
        return self.choice is not None or self.escalation is not None

    def _begin(self, offered: Mapping[LineId, int]) -> None:
        """Ask anew: what was said of an earlier rejection does not answer this one."""
        self.choice = self.escalation = None
        self._offered, self._offers = offered, self._offers + 1
        asked = self._case.asked
        self._time_left = asked.due(days=asked.timers.escalation_days) - workflow.now()

    def _options(self, ready_by: datetime) -> tuple[Option, ...]:
        free = Money.zero(self._case.request.currency)
        return (
            Option(
                "send_back", "Get the goods back", free, ready_by, ("You keep the goods",), ("No refund",)
            ),
            Option("dispose", "Leave the goods with us", free, None, ("Nothing to do",), ("No refund",)),
        )

    async def _review(self, escalation: Escalate) -> None:
        until = self._case.asked.due(days=self._case.asked.timers.discretion_answer_days)
        ask = Ask(
            "review_rejection",
            "supervisor",
            "The customer does not accept the inspection",
            ("uphold", "accept_goods"),
            {"units": str(self.new), "objection": escalation.reason},
        )
        wanted = WaitingOn(Party.MERCHANT, Action.REVIEW, until, Then.RETURN_GOODS)
        answer = await self._case.ask(ask, wanted)
        if answer is not None and answer[0] == "accept_goods":
            self._case.inbound.accept_rejected(standing=self._parted_with, by=answer[1])

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
