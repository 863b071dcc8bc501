"""Whatever happens in whatever order, the books are right, and the provider moved what they say.

A machine asks for refunds, repeats and checks them, lets the provider decline, lose answers, go down or fail
late, makes refunds by hand, and delivers its webhooks late, twice and shuffled. The laws hold after every
step; once everything has been asked about and delivered, both sides agree.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from services.domain.amounts import payments_of
from services.domain.case import RefundStatus
from services.domain.errors import Conflict, DependencyUnavailable
from services.domain.ids import LineId, PaymentId, StoreId
from services.domain.order import Payment, ShippingCharge
from services.domain.refund import Refund, RefundIntent, RefundPart
from services.payment.providers.card_wire import CardWireProvider
from services.payment.reconciliation import Reconciliation
from services.payment.refunds import Refunds
from services.payment.repository.books import BookRepository
from services.payment.repository.events import EventRepository
from services.payment.repository.refunds import RefundRepository
from services.payment.webhooks import Webhooks
from services.platform.database import Pool, database_dsn, ensure_database, open_pool
from services.platform.migrations import migrate
from services.sandbox.app import Sandbox
from services.sandbox.state import State
from services.sandbox.webhooks import signature
from tests.builders import NOW, an_address, an_intent, an_order
from tests.fixtures.sandbox import API_KEY, WEBHOOK_SECRET

METHODS = [
    "card",
    "card_refund_declined",
    "card_refund_pending",
    "card_refund_fails_late",
    "card_answer_lost",
    "card_down",
]
CAPTURED = {PaymentId("pay_a"): 1000, PaymentId("pay_b"): 1000}
PAYMENTS = st.sampled_from(sorted(CAPTURED))


@dataclass
class Money:
    """The payment service over its database and a sandbox without a network; one for all runs."""

    runner: asyncio.Runner
    pool: Pool
    state: State
    sandbox: Sandbox
    refunds: Refunds
    webhooks: Webhooks
    reconciliation: Reconciliation
    runs: Any

    @classmethod
    async def open(cls, runner: asyncio.Runner, server: str, folder: Path) -> "Money":
        await ensure_database(server, "any_order")
        dsn = database_dsn(server, "any_order")
        await migrate(dsn, "payment")
        pool = await open_pool(dsn, "test")
        state = State(folder / "sandbox.db")
        sandbox = Sandbox(state, API_KEY, WEBHOOK_SECRET, "http://nowhere")
        provider = CardWireProvider("http://sandbox", API_KEY, WEBHOOK_SECRET, 5)
        await provider.close()
        provider._http._client = httpx2.AsyncClient(transport=httpx2.ASGITransport(sandbox.app()))
        providers = {"sandbox": provider}
        return cls(
            runner=runner,
            pool=pool,
            state=state,
            sandbox=sandbox,
            refunds=Refunds(RefundRepository(pool), providers),
            webhooks=Webhooks(EventRepository(pool), providers),
            reconciliation=Reconciliation(BookRepository(pool), providers),
            runs=count(),
        )

    async def close(self) -> None:
        await self.refunds.providers["sandbox"].close()
        await self.pool.close()
        self.state.close()


class AnyOrder(RuleBasedStateMachine):
    def __init__(self, money: Money) -> None:
        super().__init__()
        self.money = money
        self.intents: list[RefundIntent] = []
        self.seen = 0

    @initialize(methods=st.tuples(st.sampled_from(METHODS), st.sampled_from(METHODS)))
    def sell(self, methods: tuple[str, str]) -> None:
        """An order of a line (1530) and shipping (470), paid half and half, in a store of its own."""
        self.store = StoreId(f"store-{next(self.money.runs)}")
        tenders = tuple(
            Payment(name, "sandbox", method, CAPTURED[name], NOW)
            for name, method in zip(CAPTURED, methods, strict=True)
        )
        shipping = ShippingCharge(470, 0, "standard", an_address())
        order = an_order(shipping=shipping, payments=tenders, store_id=self.store)
        self.run(self.money.refunds.register(payments_of(order)))
        self.seen = len(self.events())

    def run(self, asked: Any) -> Any:
        """Wait for something; what is refused or unknown is part of the game."""

        async def outcome() -> Any:
            try:
                return await asked
            except (Conflict, DependencyUnavailable) as error:
                return error

        return self.money.runner.run(outcome())

    def events(self) -> list[dict[str, Any]]:
        """Return all the provider has told or will tell, oldest first."""
        return self.money.state.page("event", "", "", 1_000_000)[::-1]

    @rule(payment=PAYMENTS, amount=st.integers(1, 700), shipping=st.booleans())
    def ask(self, payment: PaymentId, amount: int, shipping: bool) -> None:  # noqa: FBT001
        parts = (RefundPart(amount, None if shipping else LineId("1")),)
        step = f"{self.store}-{len(self.intents)}"
        self.intents.append(an_intent(step, amount, payment_id=payment, parts=parts, store_id=self.store))
        self.repeat(len(self.intents) - 1)

    @rule(which=st.integers(0, 50))
    def repeat(self, which: int) -> None:
        if self.intents:
            self.run(self.money.refunds.issue(self.intents[which % len(self.intents)]))

    @rule(which=st.integers(0, 50))
    def at_once(self, which: int) -> None:
        """The same request twice at the same instant."""
        if self.intents:
            intent = self.intents[which % len(self.intents)]

            async def both() -> None:
                twice = [self.money.refunds.issue(intent) for _ in range(2)]
                await asyncio.gather(*twice, return_exceptions=True)

            self.run(both())

    @rule(which=st.integers(0, 50))
    def check(self, which: int) -> None:
        if self.intents:
            intent = self.intents[which % len(self.intents)]
            self.run(self._known_check(intent))

    async def _known_check(self, intent: RefundIntent) -> Refund | None:
        known = await self.money.pool.fetchval("SELECT 1 FROM refunds WHERE refund_id = $1", intent.refund_id)
        return await self.money.refunds.check(self.store, intent.refund_id, NOW) if known else None

    @rule(payment=PAYMENTS, method=st.sampled_from(METHODS))
    def behave(self, payment: PaymentId, method: str) -> None:
        self.money.state.behave(self.intent_of(payment), method)

    @rule(payment=PAYMENTS, amount=st.integers(1, 300))
    def refund_by_hand(self, payment: PaymentId, amount: int) -> None:
        params = {"payment_intent": self.intent_of(payment), "amount": str(amount)}
        self.money.sandbox._once(params, None, self.money.sandbox._processor.create_refund)

    @rule(which=st.integers(0, 200))
    def deliver(self, which: int) -> None:
        """Hand over one of the provider's webhooks, any one, perhaps again."""
        events = self.events()[self.seen :]
        if events:
            self.hand_over(events[which % len(events)])

    def hand_over(self, event: dict[str, Any]) -> Any:
        self.money.sandbox._processor.come_due(event)
        body = json.dumps(event)
        sealed = signature(body, WEBHOOK_SECRET, int(time.time()))
        return self.run(self.money.webhooks.receive("sandbox", sealed, body.encode()))

    def intent_of(self, payment: PaymentId) -> str:
        """Return what the provider calls this run's payment."""
        named = self.money.state.named("payment_intent", payment)
        return next(one["id"] for one in named if one["metadata"]["store_id"] == self.store)

    def moved(self, payment: PaymentId) -> list[dict[str, Any]]:
        refunds = self.money.state.children("refund", self.intent_of(payment))
        return [refund for refund, _ in refunds if refund["status"] == "succeeded"]

    @invariant()
    def no_intent_moved_twice_and_no_payment_too_much(self) -> None:
        for payment, captured in CAPTURED.items():
            moved = self.moved(payment)
            ours = [one["metadata"]["refund_id"] for one in moved if one["metadata"]]
            assert len(ours) == len(set(ours))
            assert sum(one["amount"] for one in moved) <= captured

    @invariant()
    def the_books_hold(self) -> None:
        reports = self.run(self.money.reconciliation.books.check_invariants(self.store))
        # Money given back by hand cannot be forbidden: what it makes too much is told, and only that.
        told = {report.name for report in reports if report.violations}
        assert told <= {"refunds_within_captured"}

    def teardown(self) -> None:
        """Ask about everything, deliver everything: both sides agree, and nothing is left open."""
        if not hasattr(self, "store"):
            return
        for payment in CAPTURED:
            self.money.state.behave(self.intent_of(payment), "card")
        for _ in range(3):
            for intent in self.intents:
                self.run(self._known_check(intent))
            for payment in CAPTURED:
                # Nobody here asks about what was made by hand: whoever made it does.
                for refund, _ in self.money.state.children("refund", self.intent_of(payment)):
                    self.money.sandbox._processor.look_up_refund(refund["id"])
            for event in self.events()[self.seen :]:
                assert not isinstance(self.hand_over(event), Conflict)
        reports = self.run(self.money.reconciliation.report(self.store))
        assert {report.name for report in reports if report.violations} == set()
        for payment in CAPTURED:
            balance = self.run(self.money.refunds.balance(self.store, payment))
            assert balance.pending.minor_units == 0
            assert balance.refunded.minor_units == sum(one["amount"] for one in self.moved(payment))
        for intent in self.intents:
            refund = self.run(self._known_check(intent))
            assert refund is None or refund.status in {RefundStatus.SUCCEEDED, RefundStatus.FAILED}


@pytest.mark.timeout(180)
def test_money_is_right_whatever_happens(postgres_url, tmp_path):
    """Runs of twenty-five steps; what fails is shrunk to the shortest story."""
    with asyncio.Runner() as runner:
        money = runner.run(Money.open(runner, postgres_url, tmp_path))
        try:
            run_state_machine_as_test(
                lambda: AnyOrder(money),
                settings=settings(
                    max_examples=20,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(money.close())
