"""What was asked for: the order it is about, the decision on it, the units it holds, what they are worth."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import workflow
from temporalio.exceptions import FailureError

from services.domain.amounts import QuoteTerms, count_of, first_units, quote_return
from services.domain.case import Action, Party, Then, WaitingOn
from services.domain.deadline import deadline
from services.domain.decision import Decision, FreightPayer, RuleResult, RuleVerdict, Silence, Verdict
from services.domain.eligibility import RETURN_REMEDIES, check_request, decide_return
from services.domain.errors import RecourseError
from services.domain.goods import ReturnedGoods
from services.domain.ids import LineId, PaymentId, derived_id
from services.domain.order import HeldUnits, Order, UnitClaim, UnitSettlement
from services.domain.policy import ReturnTimers
from services.domain.quote import Quote
from workflows.activities.opening import Ground, LookUp, OpeningActivities, Standing
from workflows.activities.order import ClaimUnits, OrderActivities, SettleUnits
from workflows.cases.anatomy import NotOpened, refused
from workflows.effects import at_once, if_possible, quickly, refusal
from workflows.tasks import Ask

if TYPE_CHECKING:
    from workflows.cases.return_case import ReturnCase


class Request:
    """One request of a case; decides by the policy frozen on the order, and by people where it must."""

    def __init__(self, case: "ReturnCase") -> None:
        self._case = case
        self._ground: Ground | None = None
        self._held: dict[str, tuple[HeldUnits, ...]] = {}
        self._claims = 1
        self._settled: dict[LineId, int] = {}
        self._is_released = False

    @property
    def ground(self) -> Ground:
        """The order and the policy; known once the case has decided."""
        if self._ground is None:
            raise RuntimeError("the case has not looked up its order yet")
        return self._ground

    @property
    def timers(self) -> ReturnTimers:
        return self.ground.policy.timers

    @property
    def tax_inclusive(self) -> bool:
        return self.ground.order.sold.tax_inclusive

    @property
    def decision(self) -> Decision:
        decision = self._case.file.decision
        if decision is None:
            raise RuntimeError("the case has not decided yet")
        return decision

    def due(self, *, days: int = 0, hours: int = 0, start: datetime | None = None) -> datetime:
        """Return the deadline that many days and hours from now (or ``start``), by the shop's calendar."""
        period = timedelta(days=days, hours=hours)
        return deadline(start or workflow.now(), period, self.ground.policy.calendar)

    # Deciding.

    @property
    def _wanted(self) -> LookUp:
        request = self._case.request
        return LookUp(request.store_id, request.order_id, tuple(line.line_id for line in request.lines))

    async def look_again(self) -> None:
        """Learn what other cases have changed since; what cannot be asked now stays as it was known."""
        standing = await if_possible(OpeningActivities.look_again, self._wanted)
        if standing is not None:
            order = self._without_own(standing.order)
            self._ground = replace(self.ground, order=order, refundable=self._with_own(standing))

    def _without_own(self, order: Order) -> Order:
        """Return the order as if what this case has settled were still to be settled."""
        units = (
            replace(known, refunded=known.refunded - self._settled.get(known.line_id, 0))
            for known in order.units
        )
        return replace(order, units=tuple(units))

    def _with_own(self, standing: Standing) -> dict[PaymentId, int]:
        """Return what each tender could take back had this case not refunded anything yet."""
        own = self._case.money.paid()
        return {
            payment.payment_id: min(
                payment.amount,
                standing.refundable.get(payment.payment_id, 0) + own.get(payment.payment_id, 0),
            )
            for payment in standing.order.sold.payments
        }

    async def decide(self) -> None:
        """Look the order up, ask the rules, and hold the units unless the answer is no.

        Raises:
            NotOpened: If there is nothing to decide on (an unknown order, units another case holds).
        """
        request = self._case.request
        try:
            self._ground = await quickly(OpeningActivities.look_up, self._wanted)
            check_request(self.ground.order, request.lines)
        except FailureError as error:
            refused_with = refusal(error)
            if refused_with is None:
                raise
            raise NotOpened(refused_with) from error
        except RecourseError as error:
            raise NotOpened(refused(error)) from error
        order, policy = self.ground.order, self.ground.policy
        self._case.inbound.goods = ReturnedGoods.expected(request.lines, order)
        self._case.waiting.max_pause = timedelta(days=policy.timers.pause_days)
        decision = decide_return(order, request.lines, policy, now=workflow.now())
        self._case.file.decision = decision
        self._case.record("decided", detail=decision.verdict)
        if decision.verdict is not Verdict.DENY:
            await self._hold_first()

    async def _hold_first(self) -> None:
        wanted = {line.line_id: line.quantity for line in self._case.request.lines}
        try:
            # Nothing is shown of a case that may yet turn out not to be one.
            await self._hold("claim-1", wanted, is_opening=True)
        except FailureError as error:
            refused_with = refusal(error)
            if refused_with is None:
                raise
            raise NotOpened(refused_with) from error

    async def _hold(self, step: str, units: Mapping[LineId, int], *, is_opening: bool = False) -> None:
        """Take units, with their release pushed before."""
        request = self._case.request
        claim = ClaimUnits(
            store_id=request.store_id,
            order_id=request.order_id,
            case_id=request.case_id,
            claim_id=derived_id(request.case_id, step),
            claims=tuple(UnitClaim(line_id, count) for line_id, count in units.items() if count),
        )
        self._is_released = False
        self._case.undo.push(f"release units ({step})", lambda: self._release(step))
        if is_opening:
            self._held[step] = await quickly(OrderActivities.claim_units, claim)
        else:
            self._held[step] = await self._case.have_done(OrderActivities.claim_units, claim)
        self._case.file.quote = self.quote_for({h.line_id: count_of(h.ranges) for h in self._all_held()})

    @property
    def is_allowed(self) -> bool:
        return self.decision.verdict is Verdict.ALLOW

    @property
    def is_under_review(self) -> bool:
        return self.decision.verdict is Verdict.REVIEW

    def failing_rule(self) -> str:
        """Return the name of the first rule that said no."""
        failing = [rule.rule for rule in self.decision.rules if rule.verdict is RuleVerdict.FAIL]
        return failing[0] if failing else "merchant_review"

    async def review(self) -> bool:
        """Ask an agent; silence agrees where there is a right, and refuses where there is goodwill."""
        agrees = self.decision.silence is Silence.AGREES
        timers = self.timers
        until = self.due(
            hours=timers.merchant_answer_hours if agrees else 0,
            days=0 if agrees else timers.discretion_answer_days,
        )
        await self._case.tell("return_under_review", {"answer_by": until.isoformat()})
        then = Then.APPROVE if agrees else Then.REFUSE
        ask = Ask("review_return", "agent", "Review a return request", ("approve", "refuse"))
        answer = await self._case.ask(ask, WaitingOn(Party.MERCHANT, Action.REVIEW, until, then))
        if answer is None:
            return self._decided("timer:merchant_answer", is_allowed=agrees)
        return self._decided(answer[1], is_allowed=answer[0] == "approve")

    async def review_escalation(self) -> bool:
        """Ask a supervisor about a refusal; silence leaves it standing. Overturned, the units are taken."""
        until = self.due(days=self.timers.discretion_answer_days)
        ask = Ask(
            "review_escalation",
            "supervisor",
            "The customer does not accept a refusal",
            ("uphold", "overturn"),
        )
        answer = await self._case.ask(ask, WaitingOn(Party.MERCHANT, Action.REVIEW, until, Then.CLOSE_DENIED))
        if answer is None or answer[0] != "overturn":
            return False
        try:
            wanted = {line.line_id: line.quantity for line in self._case.request.lines}
            await self._hold("claim-escalated", wanted)
        except FailureError as error:
            refused_with = refusal(error)
            if refused_with is None:
                raise
            self._case.record("units_taken", detail=refused_with.type or "")
            return False
        return self._decided(answer[1], is_allowed=True)

    def _decided(self, by: str, *, is_allowed: bool) -> bool:
        verdict = RuleVerdict.PASS if is_allowed else RuleVerdict.FAIL
        result = RuleResult("merchant_review", f"decided by {by}", verdict, "a person's or a timer's word")
        self._case.file.decision = replace(
            self.decision,
            verdict=Verdict.ALLOW if is_allowed else Verdict.DENY,
            decided_at=workflow.now(),
            decided_by=by,
            rules=(*self.decision.rules, result),
            remedies=RETURN_REMEDIES if is_allowed else (),
        )
        self._case.record("decided", detail=f"{self.decision.verdict} by {by}")
        return is_allowed

    # What the units are worth, and what becomes of them.

    def _all_held(self) -> tuple[HeldUnits, ...]:
        """Return everything the case's live claims hold, line by line, the earlier claims' units first."""
        ranges: dict[LineId, HeldUnits] = {}
        for held in self._held.values():
            for units in held:
                known = ranges.get(units.line_id, HeldUnits(units.line_id, ()))
                ranges[units.line_id] = HeldUnits(units.line_id, (*known.ranges, *units.ranges))
        return tuple(ranges.values())

    def quote_for(self, units: Mapping[LineId, int]) -> Quote:
        """Return what so many units of each line come to, the first ones held taken first."""
        some = [
            HeldUnits(
                held.line_id, first_units(held.ranges, min(units.get(held.line_id, 0), count_of(held.ranges)))
            )
            for held in self._all_held()
        ]
        order, policy = self.ground.order, self.ground.policy
        terms = QuoteTerms(
            self.decision.freight_paid_by,
            policy.prepaid_labels,
            self.ground.refundable,
            grades=self._case.inbound.goods.grades,
            settled=self._case.given,
        )
        try:
            return quote_return(order, some, policy, terms)
        except ValueError:
            # Money has left these tenders by other ways. What is due stays due: the tender that cannot take
            # it back refuses, and finance decides.
            paid = {payment.payment_id: payment.amount for payment in order.sold.payments}
            return quote_return(order, some, policy, replace(terms, refundable=paid))

    @property
    def label_is_prepaid(self) -> bool:
        merchant_pays = self.decision.freight_paid_by is FreightPayer.MERCHANT
        return merchant_pays or self.ground.policy.prepaid_labels

    async def settle_early(self, units: Mapping[LineId, int], *, release_rest: bool) -> None:
        """Say what becomes of the units before the money moves, which does not wait for it to be heard."""
        await self._settle_claims(units, release_rest=release_rest, is_early=True)

    async def settle_units(self, units: Mapping[LineId, int]) -> None:
        """Say what became of the units, and give the others back; nothing is said twice."""
        if self._settled != units or not self._is_released:
            await self._settle_claims(units, release_rest=True)

    async def _settle_claims(
        self, units: Mapping[LineId, int], *, release_rest: bool, is_early: bool = False
    ) -> None:
        """Settle claim by claim, the earlier claims' units first."""
        left, is_heard = dict(units), True
        for step, held in self._held.items():
            settlements = []
            for some in held:
                part = min(left.get(some.line_id, 0), count_of(some.ranges))
                left[some.line_id] = left.get(some.line_id, 0) - part
                settlements.append(UnitSettlement(some.line_id, part, part))
            is_heard &= await self._settle(
                step, tuple(settlements), release_rest=release_rest, is_early=is_early
            )
        if is_heard:
            self._settled, self._is_released = dict(units), release_rest
        self._case.undo.discard()

    async def _settle(
        self,
        step: str,
        settlements: tuple[UnitSettlement, ...],
        *,
        release_rest: bool,
        is_early: bool = False,
    ) -> bool:
        """Settle one claim; False when an early word was not heard."""
        request = self._case.request
        settle = SettleUnits(
            store_id=request.store_id,
            order_id=request.order_id,
            case_id=request.case_id,
            claim_id=derived_id(request.case_id, step),
            settlements=settlements,
            release_rest=release_rest,
        )
        if is_early:
            if not await at_once(OrderActivities.settle_units, settle):
                return False
        else:
            await self._case.have_done(OrderActivities.settle_units, settle)
        if release_rest:
            self._keep_only(step, {item.line_id: item.refunded for item in settlements})
        return True

    async def _release(self, step: str) -> None:
        await self._settle(step, (), release_rest=True)

    def _keep_only(self, step: str, settled: Mapping[LineId, int]) -> None:
        """Forget the units of a claim that were given back: another case may have them by now."""
        self._held[step] = tuple(
            HeldUnits(held.line_id, first_units(held.ranges, settled.get(held.line_id, 0)))
            for held in self._held.get(step, ())
            if settled.get(held.line_id, 0)
        )

    async def reclaim(self, goods: ReturnedGoods) -> bool:
        """Take units again that came after they were given back; False when another case has them."""
        held = {units.line_id: count_of(units.ranges) for units in self._all_held()}
        missing = {
            line.line_id: min(line.received, line.requested) - held.get(line.line_id, 0)
            for line in goods.lines
            if min(line.received, line.requested) > held.get(line.line_id, 0)
        }
        if not missing:
            return True
        self._claims += 1
        try:
            await self._hold(f"claim-late-{self._claims}", missing)
        except FailureError as error:
            if refusal(error) is None:
                raise
            return False
        return True
