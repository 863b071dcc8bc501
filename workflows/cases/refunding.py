"""Refunding: the money of a settlement, tender by tender, until it has really moved.

A leg that is pending or unknown is asked about with its own id on a schedule; one that failed is decided
by a person. One tender's failure never holds up another, and what has moved is never paid again.

Money that is owed becomes store credit only by the customer's own word: asked for when the case was opened,
or chosen when finance offers it for a leg that failed (Directive 2011/83/EU art. 13(1), CCR 2013 reg. 34(7)).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError

from services.domain.amounts import refund_parts
from services.domain.case import (
    Action,
    CaseRefund,
    Party,
    RefundStatus,
    RefundTo,
    Then,
    WaitingOn,
)
from services.domain.dispute import DisputeStatus
from services.domain.errors import PaymentDisputed
from services.domain.facts import DisputeChanged, RefundChanged
from services.domain.ids import PaymentId, RefundId, refund_id_for
from services.domain.money import Money
from services.domain.quote import Quote, TenderShare
from services.domain.refund import TRANSITIONS, Refund, RefundIntent, RefundPart
from workflows.activities.payment import CheckRefund, PaymentActivities
from workflows.cases.anatomy import Case
from workflows.cases.credit_offer import CREDIT_OFFER, credit_or_money
from workflows.cases.patience import Patience, Watch
from workflows.effects import refusal
from workflows.options import MOVE_MONEY, with_summary
from workflows.tasks import Ask
from workflows.waiting import Reminder

_PERSON_ANSWERS_WITHIN = timedelta(days=2)
_MOVING = {RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION}
_DEAD = {RefundStatus.FAILED, RefundStatus.CANCELED}
_AS: Final = {
    RefundTo.ORIGINAL: "",
    RefundTo.STORE_CREDIT: " as store credit",
    RefundTo.BANK_TRANSFER: " by bank transfer",
}


@dataclass
class Refunding:
    """The money of one case; it goes back as it was paid, unless ``destination`` says otherwise.

    ``tell`` says to the customer what has moved, as soon as the case rests.
    """

    case: Case
    tell: Callable[[], Awaitable[None]]
    destination: RefundTo = RefundTo.ORIGINAL
    choice: str | None = None
    _intents: dict[RefundId, RefundIntent] = field(default_factory=dict)
    _unknown: set[RefundId] = field(default_factory=set)
    _given_up: set[RefundId] = field(default_factory=set)
    # What was paid outside and may still move, with how that is booked once it cannot.
    _paid_outside: dict[RefundId, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    _declined: set[RefundId] = field(default_factory=set)
    # What is left of the customer's time to choose credit.
    _offers: dict[RefundId, timedelta] = field(default_factory=dict)
    _disputed: set[RefundId] = field(default_factory=set)
    _free: set[PaymentId] = field(default_factory=set)
    _watches: dict[RefundId, Watch] = field(default_factory=dict)

    async def pay(
        self, quote: Quote, *, step: str, cause: str, tax_inclusive: bool, patience: Patience
    ) -> None:
        """Ask for what ``quote`` says to go back; `see_through` has what does not move at once."""
        parts = refund_parts(quote, tax_inclusive=tax_inclusive)
        legs = [self._intent(share, parts[share.payment_id], quote, step, cause) for share in quote.to]
        if not legs:
            return
        until = workflow.now() + patience.pending_for
        async with self.case.showing(WaitingOn(Party.PROVIDER, Action.MOVE_MONEY, until, Then.ASK_FINANCE)):
            await self._send(legs, patience)

    async def _send(self, legs: Sequence[RefundIntent], patience: Patience) -> None:
        for intent in legs:
            self._watch(intent.refund_id, patience)
        await asyncio.gather(*(self._issue(intent) for intent in legs))

    def _watch(self, refund_id: RefundId, patience: Patience) -> None:
        """Start to ask the provider, soon and then ever more rarely; a leg sent again has its own time."""
        now = workflow.now()
        self._watches[refund_id] = Watch(now, now + patience.pending_for)

    def _intent(
        self, share: TenderShare, parts: Sequence[RefundPart], quote: Quote, step: str, cause: str
    ) -> RefundIntent:
        request = self.case.request
        return RefundIntent(
            refund_id=refund_id_for(request.case_id, step, share.payment_id),
            payment_id=share.payment_id,
            store_id=request.store_id,
            case_id=request.case_id,
            order_id=request.order_id,
            amount=Money(share.amount, quote.refund.currency),
            parts=tuple(parts),
            cause=cause,
            requested_at=workflow.now(),
            destination=self.destination,
        )

    async def _issue(self, intent: RefundIntent) -> None:
        self._intents[intent.refund_id] = intent
        amount = intent.amount
        try:
            refund = await workflow.execute_activity_method(
                PaymentActivities.issue_refund,
                intent,
                **with_summary(MOVE_MONEY, f"{amount.minor_units} {amount.currency} to {intent.payment_id}"),
            )
        except FailureError as error:
            refused = refusal(error)
            if refused is None:
                self._unknown.add(intent.refund_id)
                self._note(intent, RefundStatus.PENDING)
            else:
                if refused.type == PaymentDisputed.reason:
                    self._disputed.add(intent.refund_id)
                self._note(intent, RefundStatus.FAILED, refused.type or "refused")
            return
        self._take(refund)

    def _take(self, refund: Refund) -> None:
        self._unknown.discard(refund.intent.refund_id)
        self._note(self._intents[refund.intent.refund_id], refund.status, refund.failure)

    def learn(self, changed: RefundChanged) -> None:
        """Take the provider's word, learned by its webhook."""
        intent = self._intents.get(changed.refund_id) if changed.refund_id else None
        if intent is not None:
            self._note(intent, changed.status, changed.failure)

    def learn_of_dispute(self, changed: DisputeChanged) -> None:
        """Note that a payment's money is free: what was refused because of its dispute is asked for again."""
        if changed.status is DisputeStatus.WON:
            self._free.add(changed.payment_id)

    @property
    def freed(self) -> list[CaseRefund]:
        """Legs that nobody has settled, and that nothing is in the way of any more."""
        return [
            leg for leg in self.failed if leg.refund_id in self._disputed and leg.payment_id in self._free
        ]

    def _note(self, intent: RefundIntent, status: RefundStatus, failure: str | None = None) -> None:
        known = self.case.file.refunds.get(intent.refund_id)
        if known is not None and status not in TRANSITIONS[known.status]:
            return
        self.case.file.refunds[intent.refund_id] = CaseRefund(
            refund_id=intent.refund_id,
            payment_id=intent.payment_id,
            amount=intent.amount,
            status=status,
            cause=intent.cause,
            at=workflow.now(),
            destination=intent.destination,
        )
        amount = f"{intent.amount.minor_units} {intent.amount.currency}{_AS[intent.destination]}"
        self.case.record(f"refund_{status}", detail=f"{amount}: {failure}" if failure else amount)
        if status is RefundStatus.SUCCEEDED:
            self.case.soon(self.tell)
            if intent.refund_id in self._paid_outside:
                self._ask_about_double(self.case.file.refunds[intent.refund_id])
        elif status in _DEAD and intent.refund_id in self._paid_outside:
            self.case.soon(self._paid_outside.pop(intent.refund_id))

    def _ask_about_double(self, leg: CaseRefund) -> None:
        """Money moved that finance has also paid outside: a person takes one of the two back."""
        context = {"refund_id": leg.refund_id, "payment_id": leg.payment_id}
        title = f"{leg.amount.minor_units} {leg.amount.currency} moved, and were paid outside too"
        self.case.later(Ask("paid_twice", "finance", title, ("done",), context))

    @property
    def moving(self) -> list[CaseRefund]:
        """Legs whose outcome is open, at the provider or because nobody knows it."""
        return [
            refund
            for refund in self.case.file.refunds.values()
            if refund.status in _MOVING and refund.refund_id not in self._given_up
        ]

    @property
    def failed(self) -> list[CaseRefund]:
        """Legs that are dead and that nobody has settled yet."""
        return [
            refund
            for refund in self.case.file.refunds.values()
            if refund.status in _DEAD and refund.refund_id not in self._given_up
        ]

    def shares(self) -> tuple[TenderShare, ...]:
        """Return what was paid to each tender, whatever its share had once been."""
        return tuple(TenderShare(payment_id, amount) for payment_id, amount in self.paid().items())

    def paid(self) -> dict[PaymentId, int]:
        """Return what of each tender has gone back or is on its way."""
        paid: dict[PaymentId, int] = {}
        for refund in self.case.file.refunds.values():
            if refund.status not in _DEAD:
                paid[refund.payment_id] = paid.get(refund.payment_id, 0) + refund.amount.minor_units
        return paid

    def moved(self, destination: RefundTo) -> Money:
        """Return what has really gone back by one of the ways."""
        moved = (
            refund.amount
            for refund in self.case.file.refunds.values()
            if refund.status is RefundStatus.SUCCEEDED and refund.destination is destination
        )
        return Money.total(moved, self.case.request.currency)

    @property
    def is_open(self) -> bool:
        """Whether a leg has neither moved nor been settled by a person."""
        return bool(self.moving or self.failed)

    async def see_through(self, patience: Patience, unless: Callable[[], bool]) -> None:
        """Return when nothing is open any more, or when ``unless`` tells of something more pressing.

        The provider is asked all the while, and by whatever the case waits for then (`polls`).
        """
        while self.is_open and not unless():
            if freed := self.freed:
                # What finds the money held once more is refused anew, and waits for the next ruling.
                self._free.difference_update(leg.payment_id for leg in freed)
                again = [self._anew(leg, "the bank's ruling") for leg in freed]
                await self._send(again, patience)
            elif self.failed and self.failed[0].refund_id in self._offers:
                await self._await_choice(self.failed[0], patience, unless)
            elif self.failed:
                await self._ask_finance(self.failed[0], patience, unless)
            elif not await self._provider_settles(unless):
                await self._ask_finance(self._longest_out(), patience, unless)

    def _longest_out(self) -> CaseRefund:
        """Return the moving leg whose time is over first."""
        return min(self.moving, key=lambda leg: self._watches[leg.refund_id].until)

    async def _provider_settles(self, unless: Callable[[], bool]) -> bool:
        until = self._watches[self._longest_out().refund_id].until
        return await self.case.wait(
            WaitingOn(Party.PROVIDER, Action.MOVE_MONEY, until, Then.ASK_FINANCE),
            lambda: not self.moving or bool(self.failed) or unless(),
            self.polls(),
        )

    def polls(self) -> tuple[Reminder, ...]:
        """Return when the provider is still to be asked, counted for each leg from when it was sent."""
        asks = {at for leg in self.moving for at in self._watches[leg.refund_id].asks()}
        return tuple(Reminder(at, self._ask_provider) for at in sorted(asks) if at > workflow.now())

    async def _ask_provider(self) -> None:
        for refund_id in [leg.refund_id for leg in self.moving]:
            if refund_id in self._unknown:
                await self._issue(self._intents[refund_id])
            else:
                await self._check(refund_id)

    async def _check(self, refund_id: RefundId) -> None:
        asked = CheckRefund(self.case.request.store_id, refund_id, workflow.now())
        try:
            refund = await workflow.execute_activity_method(
                PaymentActivities.check_refund, asked, **MOVE_MONEY
            )
        except FailureError:
            return
        self._take(refund)

    async def _ask_finance(self, leg: CaseRefund, patience: Patience, unless: Callable[[], bool]) -> None:
        """A person decides on a leg that did not move: try again, offer credit, or settle it outside."""
        context = {
            "refund_id": leg.refund_id,
            "payment_id": leg.payment_id,
            "status": leg.status,
            "destination": leg.destination,
        }
        if leg.refund_id in self._disputed:
            context["why"] = "payment_disputed"
        amount = f"{leg.amount.minor_units} {leg.amount.currency}{_AS[leg.destination]}"
        title = f"A refund of {amount} is {leg.status}"
        ask = Ask("refund_stuck", "finance", title, self._ways_on(leg), context)
        until = workflow.now() + _PERSON_ANSWERS_WITHIN
        wanted = WaitingOn(Party.MERCHANT, Action.REVIEW, until, Then.ASK_FINANCE)

        def is_overtaken() -> bool:
            has_changed = self.case.file.refunds[leg.refund_id].status is not leg.status
            return has_changed or bool(self.freed) or unless()

        answer = await self.case.ask(ask, wanted, is_overtaken, self.polls())
        if answer is None:
            return
        outcome, by = answer
        if outcome == "settled_outside":
            await self._settle_outside(leg, by, patience)
        elif outcome == "already_paid":
            self._given_up.add(leg.refund_id)
            self.case.record("refund_already_paid", detail=f"by {by}")
        elif outcome == "offer_store_credit":
            await self._offer_credit(leg, by, patience)
        elif leg.status in _DEAD:
            await self._send([self._anew(leg, by)], patience)
        else:
            self._watch(leg.refund_id, patience)
            await self._ask_provider()

    def _ways_on(self, leg: CaseRefund) -> tuple[str, ...]:
        """Return what finance may answer; what may still move is not offered as something else."""
        if leg.destination is RefundTo.BANK_TRANSFER:
            return ("retry", "already_paid")
        if leg.status not in _DEAD:
            return ("retry", "settled_outside")
        is_open = leg.destination is RefundTo.ORIGINAL and leg.refund_id not in self._declined
        offer = ("offer_store_credit",) if is_open else ()
        return ("retry", *offer, "settled_outside", "already_paid")

    async def _offer_credit(self, leg: CaseRefund, by: str, patience: Patience) -> None:
        """Ask the customer whether it shall be credit; what was said of an earlier leg answers nothing."""
        self.choice, self._offers[leg.refund_id] = None, patience.choice_for
        self.case.record("store_credit_offered", detail=f"by {by}")
        values = {
            "amount": f"{leg.amount.currency} {leg.amount.minor_units}",
            "answer_by": (workflow.now() + patience.choice_for).isoformat(),
        }
        await self.case.tell("refund_choice", values, fact=f"credit-offered-{leg.refund_id}")

    async def _await_choice(self, leg: CaseRefund, patience: Patience, unless: Callable[[], bool]) -> None:
        """Wait for the customer's word; silence is no consent, and finance is asked again.

        What presses more is done first; the customer's time stands still for as long.
        """
        case, until = self.case, workflow.now() + self._offers[leg.refund_id]
        case.file.offers[CREDIT_OFFER] = credit_or_money(leg.amount.currency, workflow.now())
        wanted = WaitingOn(Party.CUSTOMER, Action.CHOOSE, until, Then.ASK_FINANCE)
        was_early = await case.wait(wanted, lambda: self.choice is not None or unless(), self.polls())
        case.file.offers.pop(CREDIT_OFFER, None)
        if was_early and self.choice is None:
            self._offers[leg.refund_id] = (case.waiting.ended_at or until) - workflow.now()
            return
        del self._offers[leg.refund_id]
        if self.choice == "store_credit":
            credit = self._anew(leg, "the customer's choice", RefundTo.STORE_CREDIT)
            await self._send([credit], patience)
        else:
            self._declined.add(leg.refund_id)

    async def _settle_outside(self, leg: CaseRefund, by: str, patience: Patience) -> None:
        """Book what finance has paid by bank transfer, unless the money turns out to have moved just now.

        What may still move keeps its amount reserved, so that the transfer is booked once it is dead.
        """
        if leg.status in _MOVING:
            await self._ask_provider()
        status = self.case.file.refunds[leg.refund_id].status
        if status is RefundStatus.SUCCEEDED:
            self._ask_about_double(leg)
            return
        self.case.record("refund_settled_outside", detail=f"by {by}")
        transfer = self._instead(leg, "outside", f"settled outside by {by}", RefundTo.BANK_TRANSFER)
        if status in _DEAD:
            await self._send([transfer], patience)
        else:
            self._paid_outside[leg.refund_id] = partial(self._send, [transfer], patience)

    def _anew(self, leg: CaseRefund, by: str, destination: RefundTo | None = None) -> RefundIntent:
        """Ask anew under a new id: the old one is dead and stays on the books as such."""
        return self._instead(leg, "retry", f"retry by {by}", destination or leg.destination)

    def _instead(self, leg: CaseRefund, step: str, cause: str, destination: RefundTo) -> RefundIntent:
        self._given_up.add(leg.refund_id)
        old = self._intents[leg.refund_id]
        return replace(
            old,
            refund_id=refund_id_for(old.case_id, f"{step}-{leg.refund_id}", old.payment_id),
            cause=cause,
            requested_at=workflow.now(),
            destination=destination,
        )
