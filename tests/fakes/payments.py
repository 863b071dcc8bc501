"""The payment service in memory, over a provider that behaves like the sandbox's payment methods."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from services.domain.case import RefundStatus, RefundTo
from services.domain.dispute import DisputeStatus, Stake, Telling, stake
from services.domain.errors import (
    CurrencyMismatch,
    DependencyUnavailable,
    IdempotencyConflict,
    InvalidArgument,
    OrderVersionConflict,
    PaymentDisputed,
    PaymentNotFound,
    RefundExceedsCaptured,
    RefundExceedsLine,
    RefundNotFound,
)
from services.domain.facts import Fact, FactKind, RefundChanged
from services.domain.ids import EventId, PaymentId, RefundId, StoreId, derived_id
from services.domain.money import Money
from services.domain.refund import (
    COUNTED,
    CapturedPayment,
    OrderPayments,
    PaymentBalance,
    Refund,
    RefundIntent,
    advance,
)
from tests.fakes.switchboard import Switchboard

_OUTCOMES = {
    "card_refund_declined": RefundStatus.FAILED,
    "card_refund_pending": RefundStatus.PENDING,
    "card_refund_stuck": RefundStatus.PENDING,
}
_SETTLES_AT_POLL = 2
_LOSES_FIRST_ANSWER = frozenset({"card_answer_lost", "card_slow"})
_MOVING = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION})


@dataclass
class FakeProvider:
    """What really moved, by refund id; ``methods`` says how each payment behaves."""

    board: Switchboard
    methods: dict[PaymentId, str] = field(default_factory=dict)
    refunds: dict[RefundId, RefundStatus] = field(default_factory=dict)
    _polls: dict[RefundId, int] = field(default_factory=dict)

    def refund(self, intent: RefundIntent) -> RefundStatus:
        """Move the money at most once per refund id.

        Raises:
            DependencyUnavailable: Before it moved (``card_down``), or after (an answer that got lost).
        """
        method = self.methods[intent.payment_id]
        if method == "card_down":
            raise DependencyUnavailable("the provider is down")
        if intent.refund_id in self.refunds:
            return self.refunds[intent.refund_id]
        status = self.refunds[intent.refund_id] = _OUTCOMES.get(method, RefundStatus.SUCCEEDED)
        if status is RefundStatus.SUCCEEDED:
            self.board.done("provider", "moved", intent.refund_id)
        if method in _LOSES_FIRST_ANSWER:
            raise DependencyUnavailable("the provider's answer is missing")
        return status

    def look_up(self, intent: RefundIntent) -> RefundStatus:
        """Tell how a refund stands; a pending one settles when asked often enough, unless it is stuck."""
        method = self.methods[intent.payment_id]
        if method == "card_down":
            raise DependencyUnavailable("the provider is down")
        self._polls[intent.refund_id] = self._polls.get(intent.refund_id, 0) + 1
        is_due = self._polls[intent.refund_id] >= _SETTLES_AT_POLL and method != "card_refund_stuck"
        if self.refunds[intent.refund_id] is RefundStatus.PENDING and is_due:
            self.refunds[intent.refund_id] = RefundStatus.SUCCEEDED
            self.board.done("provider", "moved", intent.refund_id)
        return self.refunds[intent.refund_id]


@dataclass
class FakePayments:
    board: Switchboard
    provider: FakeProvider
    _orders: dict[tuple[str, str], OrderPayments] = field(default_factory=dict)
    _payments: dict[tuple[str, str], tuple[str, CapturedPayment]] = field(default_factory=dict)
    _refunds: dict[RefundId, Refund] = field(default_factory=dict)
    _stakes: dict[PaymentId, Stake] = field(default_factory=dict)
    # What became store credit, by refund.
    credited: dict[RefundId, Money] = field(default_factory=dict)

    def behave(self, payment_id: str, method: str) -> None:
        """Let a payment's refunds behave as the sandbox's ``method`` does from now on."""
        self.provider.methods[PaymentId(payment_id)] = method

    def disputed(self, payment_id: str, amount: int, status: DisputeStatus) -> None:
        """Let a payment's dispute stand so from now on."""
        self._stakes[PaymentId(payment_id)] = stake(
            Telling("told", status, datetime.min.replace(tzinfo=UTC), amount)
        )

    async def register(self, payments: OrderPayments) -> None:
        with self.board.call("payment", "register", payments.order_id):
            key = (payments.store_id, payments.order_id)
            known = self._orders.get(key)
            if known is not None and known.version > payments.version:
                raise OrderVersionConflict(f"version {known.version} is known")
            if known is not None and known.version == payments.version and known != payments:
                raise IdempotencyConflict("the payments were registered otherwise")
            self._orders[key] = payments
            for payment in payments.payments:
                stored = (payments.order_id, payment)
                if self._payments.setdefault((payments.store_id, payment.payment_id), stored) != stored:
                    raise IdempotencyConflict(f"payment {payment.payment_id} is known otherwise")
                self.provider.methods.setdefault(payment.payment_id, payment.method)

    async def balance(self, store_id: str, payment_id: str) -> PaymentBalance:
        with self.board.call("payment", "balance", payment_id):
            _, payment = self._payment(store_id, payment_id)
            refunded = self._sum(payment_id, frozenset({RefundStatus.SUCCEEDED}))
            pending = self._sum(payment_id, _MOVING)
            captured = payment.amount
            held = self._stakes.get(payment.payment_id, Stake())
            disputed = held.frozen + held.lost
            units = (
                captured.minor_units,
                refunded,
                pending,
                disputed,
                max(0, captured.minor_units - refunded - pending - disputed),
            )
            amounts = [Money(unit, captured.currency) for unit in units]
            return PaymentBalance(PaymentId(payment_id), StoreId(store_id), *amounts)

    async def issue(self, intent: RefundIntent) -> Refund:
        with self.board.call("payment", "issue", intent.refund_id):
            _check_intent(intent)
            refund = self._reserve(intent)
            if refund.status is RefundStatus.PENDING and refund.provider_refund_id is None:
                return self._settle(refund, self._move(intent), intent.requested_at)
            return refund

    async def check(self, store_id: str, refund_id: str, at: datetime) -> Refund:
        with self.board.call("payment", "check", refund_id):
            refund = self._refunds.get(RefundId(refund_id))
            if refund is None or refund.intent.store_id != store_id:
                raise RefundNotFound("there is no such refund")
            if refund.status not in _MOVING:
                return refund
            if refund.provider_refund_id is None:
                return self._settle(refund, self._move(refund.intent), at)
            return self._settle(refund, self.provider.look_up(refund.intent), at)

    def _move(self, intent: RefundIntent) -> RefundStatus:
        """Have the payment's provider move it, unless it goes elsewhere, which nobody outside hears of."""
        if intent.destination is RefundTo.ORIGINAL:
            return self.provider.refund(intent)
        if intent.destination is RefundTo.STORE_CREDIT:
            self.credited[intent.refund_id] = intent.amount
        return RefundStatus.SUCCEEDED

    def bank_returns(self, refund_id: str, at: datetime) -> Fact:
        """Let a refund that succeeded, or is on its way, fail; returns the fact its case will be told."""
        refund = self._refunds[RefundId(refund_id)]
        self.provider.refunds[refund.intent.refund_id] = RefundStatus.FAILED
        refund = self._settle(refund, RefundStatus.FAILED, at)
        return Fact(
            event_id=EventId(derived_id("refund", f"{refund_id}/{refund.status}")),
            kind=FactKind.REFUND_CHANGED,
            occurred_at=at,
            store_id=refund.intent.store_id,
            case_id=refund.intent.case_id,
            order_id=refund.intent.order_id,
            refund=RefundChanged(
                payment_id=refund.intent.payment_id,
                amount=refund.intent.amount,
                status=refund.status,
                refund_id=refund.intent.refund_id,
                failure="returned by the bank",
            ),
        )

    def moved(self, payment_id: str) -> int:
        """Return what of a payment is out, in minor units, as the provider sees it."""
        return sum(
            refund.intent.amount.minor_units
            for refund_id, refund in self._refunds.items()
            if refund.intent.payment_id == payment_id
            and self.provider.refunds.get(refund_id) is RefundStatus.SUCCEEDED
        )

    def _reserve(self, intent: RefundIntent) -> Refund:
        order_id, payment = self._payment(intent.store_id, intent.payment_id)
        if order_id != intent.order_id:
            raise PaymentNotFound("there is no such payment of this order")
        known = self._refunds.get(intent.refund_id)
        if known is not None:
            if known.intent != intent:
                raise IdempotencyConflict("the refund was asked for otherwise")
            return known
        if payment.amount.currency != intent.amount.currency:
            raise CurrencyMismatch(f"the payment is in {payment.amount.currency}")
        self._check_caps(intent, payment.amount.minor_units)
        refund = self._refunds[intent.refund_id] = Refund(intent, RefundStatus.PENDING)
        self.board.done("payment", "reserved", intent.refund_id)
        return refund

    def _check_caps(self, intent: RefundIntent, captured: int) -> None:
        held = self._stakes.get(intent.payment_id, Stake())
        if held.frozen:
            raise PaymentDisputed("the bank holds the payment's money")
        if self._sum(intent.payment_id, COUNTED) + held.lost + intent.amount.minor_units > captured:
            raise RefundExceedsCaptured("more than is left of the payment")
        order = self._orders[(intent.store_id, intent.order_id)]
        caps = {cap.line_id: cap.amount for cap in order.caps}
        for part in intent.parts:
            counted = sum(
                other.amount
                for refund in self._refunds.values()
                if refund.status in COUNTED
                and (refund.intent.store_id, refund.intent.order_id) == (intent.store_id, intent.order_id)
                for other in refund.intent.parts
                if other.line_id == part.line_id
            )
            if counted + part.amount > caps.get(part.line_id, 0):
                raise RefundExceedsLine(f"more than is left of {part.line_id or 'shipping'}")

    def _settle(self, refund: Refund, told: RefundStatus, at: datetime) -> Refund:
        status = advance(refund.status, told)
        settled = replace(
            refund,
            status=status,
            provider_refund_id=f"re_{refund.intent.refund_id}",
            failure="declined" if status is RefundStatus.FAILED else None,
            settled_at=None if status in _MOVING else at,
        )
        self._refunds[refund.intent.refund_id] = settled
        return settled

    def _payment(self, store_id: str, payment_id: str) -> tuple[str, CapturedPayment]:
        found = self._payments.get((store_id, payment_id))
        if found is None:
            raise PaymentNotFound("there is no such payment")
        return found

    def _sum(self, payment_id: str, statuses: frozenset[RefundStatus]) -> int:
        return sum(
            refund.intent.amount.minor_units
            for refund in self._refunds.values()
            if refund.intent.payment_id == payment_id and refund.status in statuses
        )


def _check_intent(intent: RefundIntent) -> None:
    if sum(part.amount for part in intent.parts) != intent.amount.minor_units:
        raise InvalidArgument("the parts do not add up to the amount")
    if intent.amount.minor_units <= 0:
        raise InvalidArgument("the amount must be positive")
    if len({part.line_id for part in intent.parts}) < len(intent.parts):
        raise InvalidArgument("a line is named twice")
