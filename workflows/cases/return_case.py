"""The return: goods come back, and the money for what was accepted goes back.

    verify → decide → (review) → await the goods → inspect → refund → close → follow up

Silence agrees where the customer has a right and refuses where there is only goodwill. Whatever comes late
(goods, a second parcel, a bank's refusal) reopens the case.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

from services.domain.case import (
    Action,
    CaseLine,
    CaseSnapshot,
    CaseStatus,
    Party,
    RefundTo,
    Then,
    WaitingOn,
)
from services.domain.errors import ActionNotAllowed, InvalidArgument
from services.domain.facts import Fact, FactKind
from services.domain.ids import LineId
from services.domain.money import Money
from services.domain.quote import Quote, beyond
from services.domain.return_phases import TAKEN_IN, ReturnPhase, advance
from workflows.cases.anatomy import NotOpened, Withdrawn, refused
from workflows.cases.commands import CommandedCase
from workflows.cases.credit_offer import CREDIT_OFFER
from workflows.cases.inbound import Inbound
from workflows.cases.lines import lines_of
from workflows.cases.patience import Patience
from workflows.cases.refunding import Refunding
from workflows.cases.rejections import Rejections
from workflows.cases.request import Request
from workflows.messages import CaseResult, Choose, Confirm, Escalate, OpenCase, RegisterParcel
from workflows.tasks import Ask

P = ReturnPhase
# A satisfaction score (1 to 5) below this goes back to a person.
_BAR = 3
_TOLD_BY = {
    RefundTo.ORIGINAL: "refund_succeeded",
    RefundTo.BANK_TRANSFER: "refund_succeeded",
    RefundTo.STORE_CREDIT: "refund_credited",
}


@workflow.defn(name="ReturnCase")
class ReturnCase(CommandedCase):
    """Reads like the process; what it is made of stands in the modules beside this one."""

    @workflow.init
    def __init__(self, request: OpenCase) -> None:
        super().__init__(request)
        self.asked = Request(self)
        self.inbound = Inbound(self)
        self.rejections = Rejections(self)
        self.money = Refunding(self, self._tell_refunded, request.return_.refund_to)
        self.settlements = 0
        # What was asked to go back so far; it is settled when nothing of it is on its way any more.
        self.given: Quote | None = None
        # What was paid of each line, or left to a person.
        self.dealt_with: Mapping[LineId, int] = {}
        self.told = dict.fromkeys(RefundTo, Money.zero(request.currency))
        self.times_told = 0
        self.escalation: Escalate | None = None
        # Once per case: what is reopened and closed again is not asked about again.
        self.is_rating_asked = False
        self.confirmation: Confirm | None = None
        if request.return_.refund_to is RefundTo.STORE_CREDIT:
            # The law wants it expressly agreed to: who said so stays on record.
            self.record("store_credit_asked_for", request.opened_by)

    @workflow.run
    async def run(self, request: OpenCase) -> CaseResult:
        try:
            await self.asked.decide()
        except NotOpened as reason:
            self.refusal = reason.refusal
            await self.finish()
            return CaseResult(refused=reason.refusal.type, detail=reason.refusal.message)
        outcome = await self._carry_out()
        while True:
            await self._close(outcome)
            if not await self._something_comes_late():
                await self.finish()
                if not self.has_work:
                    return CaseResult(outcome=outcome)
            outcome = await self._reopen()

    async def _carry_out(self) -> ReturnPhase:
        try:
            if not await self._is_approved():
                return self._unless_withdrawn(P.DENIED)
            self.inbound.authorise()
            if not await self.inbound.goods_come():
                return self._unless_withdrawn(P.EXPIRED)
            return await self._settle_what_came()
        except Withdrawn:
            return P.WITHDRAWN

    def _unless_withdrawn(self, outcome: ReturnPhase) -> ReturnPhase:
        """Who withdrew in the deadline's very instant, or while the case was undone, was told so."""
        return P.WITHDRAWN if self.withdrawal is not None else outcome

    async def _is_approved(self) -> bool:
        if self.asked.is_allowed:
            return True
        if self.asked.is_under_review:
            self.enter(P.MERCHANT_REVIEW)
            if await self.asked.review():
                return True
            await self.undo_all()
        return await self._is_overturned()

    async def _is_overturned(self) -> bool:
        """A refusal stands unless the customer escalates it in time and a supervisor takes it back."""
        self.enter(P.REFUSED)
        until = self.asked.due(days=self.asked.timers.escalation_days)
        await self.tell(
            "return_denied",
            {"reason": self.asked.failing_rule(), "escalate_until": until.isoformat()},
        )
        wanted = WaitingOn(Party.CUSTOMER, Action.ESCALATE, until, Then.CLOSE_DENIED)
        if not await self.wait(wanted, lambda: self.escalation is not None):
            return False
        self.enter(P.MERCHANT_REVIEW)
        return await self.asked.review_escalation()

    async def _settle_what_came(self) -> ReturnPhase:
        """Do what presses most until nothing is missing or awaited; goods, whose time runs by law, first."""
        while True:
            self._note_settled()
            if self._is_unpaid:
                await self._refund_accepted()
            elif self.inbound.goods.uninspected:
                await self.inbound.is_judged()
            elif self.money.is_open:
                await self._see_money_through()
            elif self.rejections.new:
                await self.rejections.offer_ways_on()
            elif not await self.inbound.rest_comes():
                break
        await self.asked.settle_units(self.dealt_with)
        await self.inbound.expect_no_more()
        return self._outcome()

    async def _refund_accepted(self) -> None:
        """Give back what the accepted units are worth beyond what has been settled before."""
        # More may be accepted while this is paid: it is the next settlement's.
        goods = self.inbound.goods
        # Other cases of the order may have been paid meanwhile: it is their shipping or this one's.
        await self.asked.look_again()
        due = self.asked.quote_for(goods.refundable)
        before = self.given and replace(self.given, to=self.money.shares())
        owed, self.given = beyond(due, before), due
        self.dealt_with = goods.refundable
        if not owed.refund.minor_units:
            self._note_settled()
            return
        # Seen by other cases of the order before the money moves, which may take days: the last one's quote
        # has the shipping.
        await self.asked.settle_early(goods.refundable, release_rest=goods.is_complete)
        self.enter(P.REFUNDING)
        self.settlements += 1
        await self.money.pay(
            owed,
            step=f"settle-{self.settlements}",
            cause=self.inbound.cause,
            tax_inclusive=self.asked.tax_inclusive,
            patience=self._patience,
        )
        self._note_settled()
        await self._tell_refunded()

    def _note_settled(self) -> None:
        """Keep what is settled for good, and say what the storefront gives and takes back in kind."""
        if self.given is None or self.money.is_open:
            return
        more = beyond(self.given, self.file.settled)
        self.file.settled = replace(self.given, to=self.money.shares())
        given = [
            *([f"{more.points_back} points back"] if more.points_back else []),
            *([f"{more.points_clawed_back} points clawed back"] if more.points_clawed_back else []),
            *(f"coupon {code} back" for code in more.coupons_back),
        ]
        if given:
            self.record("settled_in_kind", detail=", ".join(given))

    async def _see_money_through(self) -> None:
        """Wait for money on its way; what came back is finance's to decide, and what moves is told."""
        self.enter(P.REFUNDING)
        await self.money.see_through(self._patience, lambda: self.goods_press)
        self._note_settled()
        await self._tell_refunded()

    @property
    def _patience(self) -> Patience:
        timers = self.asked.timers
        return Patience(
            timedelta(days=timers.provider_pending_days), timedelta(days=timers.choose_option_days)
        )

    async def _tell_refunded(self) -> None:
        """Say what has really moved, by which way, and only that."""
        for destination, template in _TOLD_BY.items():
            moved = self.money.moved(destination)
            news = moved - self.told[destination]
            if news.minor_units > 0:
                self.told[destination] = moved
                self.times_told += 1
                await self.tell(
                    template,
                    {"amount": f"{news.currency} {news.minor_units}"},
                    fact=f"refunded-{self.times_told}",
                )

    def _outcome(self) -> ReturnPhase:
        """Name what became of it: by the units that were paid; what is accepted this moment reopens it."""
        paid = sum(self.dealt_with.values())
        asked = sum(line.quantity for line in self.request.lines)
        if not paid:
            return P.REJECTED
        return P.REFUNDED if paid == asked else P.PARTIALLY_REFUNDED

    async def _close(self, outcome: ReturnPhase) -> None:
        if outcome in {P.DENIED, P.EXPIRED, P.WITHDRAWN}:
            await self.undo_all()
            outcome = self._unless_withdrawn(outcome)
        # No withdrawal is taken from here on: what is told is what became of it.
        self.desk.cancel_open()
        self.enter(outcome)
        self.file.close(outcome, workflow.now())
        self.record("closed", detail=outcome)
        self.withdrawal = None
        if outcome in {P.EXPIRED, P.WITHDRAWN}:
            name = "parcel_expired" if outcome is P.EXPIRED else "case_withdrawn"
            await self.tell(name, {})

    async def _something_comes_late(self) -> bool:
        """Follow up; True when goods come, or money comes back, after the case was closed."""
        timers = self.asked.timers
        if self.file.outcome in {P.REFUNDED, P.PARTIALLY_REFUNDED, P.REJECTED} and not self.is_rating_asked:
            ask_at = self.asked.due(days=timers.satisfaction_days)
            later = WaitingOn(Party.NOBODY, Action.FOLLOW_UP, ask_at, Then.ASK_SATISFACTION)
            if await self.wait(later, lambda: self.has_work):
                return True
            self.is_rating_asked = True
            until = self.asked.due(days=timers.satisfaction_answer_days)
            await self.tell("satisfaction_question", {"answer_by": until.isoformat()})
            rating = WaitingOn(Party.CUSTOMER, Action.RATE, until, Then.SKIP)
            await self.wait(rating, lambda: self.has_work or self.confirmation is not None)
            if self.confirmation is not None and (self.confirmation.score or _BAR) < _BAR:
                self.later(Ask("low_score", "agent", "A customer is not satisfied", ("done",)))
        elif self.inbound.is_authorised:
            until = self.asked.due(days=timers.late_parcel_days)
            late = WaitingOn(Party.NOBODY, Action.FOLLOW_UP, until, Then.SKIP)
            await self.wait(late, lambda: self.has_work)
        return self.has_work

    @property
    def has_work(self) -> bool:
        """Whether goods or money wait for the case to act, whenever they came."""
        return self._goods_wait or bool(self.money.failed)

    @property
    def goods_press(self) -> bool:
        """Whether units wait to be judged or paid: they go before whatever else the case waits for."""
        return bool(self.inbound.goods.uninspected) or self._is_unpaid

    @property
    def _goods_wait(self) -> bool:
        return self.goods_press or bool(self.rejections.new)

    @property
    def _is_unpaid(self) -> bool:
        return sum(self.inbound.goods.refundable.values()) > sum(self.dealt_with.values())

    async def _reopen(self) -> ReturnPhase:
        self.file.reopen()
        self.record("reopened")
        before = P(self.file.phase)
        if not self._goods_wait:
            await self._see_money_through()
        if not self._goods_wait:
            return self._outcome()
        self.enter(P.INSPECTING)
        if not await self.asked.reclaim(self.inbound.goods):
            await self.inbound.leave_unclaimed()
            self.rejections.leave()
            self.dealt_with = self.inbound.goods.refundable
            return before
        return await self._settle_what_came()

    # What the case is.

    def enter(self, phase: ReturnPhase) -> None:
        """Go into a phase, along the table."""
        self.file.phase = advance(P(self.file.phase), phase)
        self.news()

    def lines(self) -> tuple[CaseLine, ...]:
        return lines_of(self.request.lines, self.inbound.goods, self.file.settled)

    def is_opened(self) -> bool:
        return self.inbound.is_authorised or not self.inbound.is_authorising

    def is_taken(self, command: str) -> bool:
        if command == "withdraw" and self.inbound.goods.has_come:
            return False
        phases = TAKEN_IN.get(command)
        return P(self.file.phase) in phases if phases else self.file.status is CaseStatus.OPEN

    def take(self, fact: Fact) -> None:
        if fact.kind is FactKind.REFUND_CHANGED and fact.refund:
            self.money.learn(fact.refund)
            # What came back has not been refunded, whatever was said: it is told again when it has moved.
            self.told = {to: min(said, self.money.moved(to)) for to, said in self.told.items()}
        elif fact.kind is FactKind.DISPUTE_CHANGED and fact.dispute:
            self.money.learn_of_dispute(fact.dispute)
        else:
            self.inbound.take(fact)

    # What its customer may do beside what every case takes.

    @workflow.update
    async def register_parcel(self, command: RegisterParcel) -> CaseSnapshot:
        self.inbound.register(command, workflow.now())
        self.record("parcel_registered", command.actor, command.carrier)
        return await self.answer()

    @register_parcel.validator
    def _check_register_parcel(self, command: RegisterParcel) -> None:
        self.check_taken("register_parcel")

    @workflow.update
    async def escalate(self, command: Escalate) -> CaseSnapshot:
        self.escalation = self.rejections.escalation = command
        self.record("escalated", command.actor, command.reason)
        return await self.answer()

    @escalate.validator
    def _check_escalate(self, command: Escalate) -> None:
        self.check_taken("escalate")
        is_decided = not self.rejections.is_open or self.rejections.escalation is not None
        if self.file.phase != P.REFUSED and is_decided:
            raise refused(ActionNotAllowed("it has been looked at again, or decided, already"))

    @workflow.update
    async def choose(self, command: Choose) -> CaseSnapshot:
        if command.option_id in {option.option_id for option in self.file.offers.get(CREDIT_OFFER, ())}:
            self.money.choice = command.option_id
        else:
            self.rejections.choice = command.option_id
        self.record("chosen", command.actor, command.option_id)
        return await self.answer()

    @choose.validator
    def _check_choose(self, command: Choose) -> None:
        self.check_taken("choose")
        if not self.file.options:
            raise refused(ActionNotAllowed("there is nothing to choose"))
        if command.option_id not in {option.option_id for option in self.file.options}:
            raise refused(InvalidArgument("that is none of the case's options"))

    @workflow.update
    async def confirm(self, command: Confirm) -> CaseSnapshot:
        self.confirmation = command
        score = f"{command.score}" if command.score else ""
        self.record("rated" if score else "confirmed", command.actor, score)
        return await self.answer()

    @confirm.validator
    def _check_confirm(self, command: Confirm) -> None:
        waiting = self.waiting.current
        if waiting is None or waiting.action is not Action.RATE:
            raise refused(ActionNotAllowed("the case asks for no confirmation"))
