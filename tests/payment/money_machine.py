"""Whatever happens to the payment service in whatever order, it says and books what a plain model says.

Shops sell and refund, the provider declines, dawdles, loses answers and goes down, banks dispute and rule,
webhooks come late, twice, shuffled or never, the service dies and starts again. After every step its answers
are the model's; in the end the provider's movements, the ledger and the model are one.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.domain.ids import CustomerId, LineId, OrderId, PaymentId
from services.domain.money import Money
from services.domain.refund import CapturedPayment, LineCap, OrderPayments, RefundIntent, RefundPart
from services.platform.secrets import Secrets
from services.sandbox.processor import Refused
from tests.builders import NOW, an_intent
from tests.payment.money_model import BANK_MOVES, HOUR, Books, Silence
from tests.payment.money_world import STORE, World

METHODS: Final = (
    "card",
    "card_refund_declined",
    "card_refund_pending",
    "card_refund_fails_late",
    "card_answer_lost",
    "card_slow",
    "card_down",
)
CAPTURED: Final = 1000
CUSTOMER: Final = CustomerId("17850")
LINES: Final = {"1": 1200, "": 800}
# Often the same amount twice, which is two refunds; and enough to meet every cap.
AMOUNTS: Final = st.sampled_from([50, 50, 100, 100, 200, 500, CAPTURED])
PARTS: Final = st.sampled_from(["line", "shipping", "both"])
WHICH: Final = st.integers(0, 50)
BEGINNINGS: Final = ("warning_needs_response", "needs_response")

T = TypeVar("T")


def agree(said: T, expected: T) -> None:
    assert said == expected, f"the service says {said}, the model {expected}"


def picked(among: Sequence[T], which: int) -> T:
    return among[which % len(among)]


class WholeService(RuleBasedStateMachine):
    def __init__(self, runner: asyncio.Runner, world: World, found: list[AssertionError]) -> None:
        super().__init__()
        self.found = found
        self._runner = runner
        self.world = world
        self.books = Books()
        self.bank = self.books.bank
        self.orders: list[OrderPayments] = []
        self.intents: list[RefundIntent] = []
        # The provider's webhooks, with when they were written, and which have been handed over.
        self.drawer: dict[str, tuple[dict[str, Any], int]] = {}
        self.delivered: set[str] = set()

    def run(self, asked: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await asked

        return self._runner.run(awaited())

    # The shop.

    @initialize(methods=st.permutations(METHODS))
    def open_shop(self, methods: list[str]) -> None:
        """Two orders, paid by four payments that all behave differently."""
        self.run(self.world.wipe())
        self.sell(methods[:2])
        self.sell(methods[2:4])

    def sell(self, methods: list[str]) -> None:
        """An order of a line and shipping, paid half and half."""
        number = len(self.orders)
        tenders = tuple(
            CapturedPayment(PaymentId(f"pay_{number}{half}"), "sandbox", method, Money(CAPTURED, "GBP"), NOW)
            for half, method in zip("ab", methods, strict=True)
        )
        caps = tuple(LineCap(amount, LineId(line) if line else None) for line, amount in LINES.items())
        order = OrderPayments(STORE, OrderId(f"order-{number}"), CUSTOMER, "GBP", 1, caps, tenders)
        agree(self.register(order), "None")
        self.orders.append(order)
        self.books.caps |= {(order.order_id, line): amount for line, amount in LINES.items()}
        self.bank.captured |= dict.fromkeys((one.payment_id for one in tenders), CAPTURED)
        self.bank.methods |= {one.payment_id: one.method for one in tenders}

    def register(self, order: OrderPayments) -> str:
        return self.run(self.world.said(self.world.payments.register(order)))

    @rule(which=WHICH)
    def sell_again(self, which: int) -> None:
        """The same order again is no second sale, and the same version cannot say otherwise."""
        order = picked(self.orders, which)
        agree(self.register(order), "None")
        agree(self.register(replace(order, caps=order.caps[:1])), "IDEMPOTENCY_CONFLICT")

    def wish(self, which: int, amount: int, parts: str) -> RefundIntent:
        """Want a refund as nobody has wanted before: of the line, of shipping, or of both."""
        payment_id = picked(list(self.bank.captured), which)
        shares = {
            "line": [(amount, LineId("1"))],
            "shipping": [(amount, None)],
            "both": [(amount // 2, LineId("1")), (amount - amount // 2, None)],
        }
        order = next(one for one in self.orders if payment_id in {paid.payment_id for paid in one.payments})
        intent = an_intent(
            f"step-{len(self.intents)}",
            amount,
            payment_id=payment_id,
            order_id=order.order_id,
            parts=tuple(RefundPart(*share) for share in shares[parts]),
        )
        self.intents.append(intent)
        return intent

    def issue(self, intent: RefundIntent) -> None:
        self.tick()
        agree(self.run(self.world.said(self.world.payments.issue(intent))), self.books.issue(intent))

    @rule(wishes=st.lists(st.tuples(WHICH, AMOUNTS, PARTS), min_size=2, max_size=5))
    def refund(self, wishes: list[tuple[int, int, str]]) -> None:
        for wish in wishes:
            self.issue(self.wish(*wish))

    @precondition(lambda self: self.intents)
    @rule(which=WHICH)
    def refund_again(self, which: int) -> None:
        self.issue(picked(self.intents, which))

    @precondition(lambda self: self.books.held.keys() & {one.refund_id for one in self.intents})
    @rule(which=WHICH)
    def refund_otherwise(self, which: int) -> None:
        """The same key with another body is refused, and changes nothing."""
        known = [one for one in self.intents if one.refund_id in self.books.held]
        self.issue(replace(picked(known, which), cause="another"))

    @rule(which=WHICH, amounts=st.tuples(AMOUNTS, AMOUNTS))
    def race(self, which: int, amounts: tuple[int, int]) -> None:
        """Two refunds of one payment at the same instant: it is as if one had come after the other."""
        self.together([self.wish(which, amount, "line") for amount in amounts])

    @precondition(lambda self: self.intents)
    @rule(which=WHICH)
    def twice_at_once(self, which: int) -> None:
        self.together([picked(self.intents, which)] * 2)

    def together(self, intents: list[RefundIntent]) -> None:
        self.tick()
        answers = sorted(self.run(self.world.at_once(intents)))
        expected = list(self.books.together(intents))
        fitting = [books for books, said in expected if sorted(said) == answers]
        assert fitting, f"{answers} is none of {[said for _, said in expected]}"
        self.books, self.bank = fitting[0], fitting[0].bank

    @rule(which=WHICH, amount=AMOUNTS, moment=st.sampled_from(["before", "after"]))
    def die_while_asking(self, which: int, amount: int, moment: str) -> None:
        """The service dies when the provider is asked, and knows nothing of what came of it."""
        intent = self.wish(which, amount, "line")
        self.tick()
        if self.books.refusal_of(intent):
            return
        self.run(self.world.die(intent, moment))
        self.books.reserve(intent)
        if moment == "after":
            with suppress(Silence):
                self.bank.asked(intent.refund_id, intent.payment_id, amount)

    @rule()
    def restart(self) -> None:
        self.run(self.world.restart())

    @precondition(lambda self: self.intents)
    @rule(which=WHICH)
    def check(self, which: int) -> None:
        self.check_one(picked(self.intents, which).refund_id)

    def check_one(self, refund_id: str) -> None:
        self.tick()
        asked = self.world.payments.check(STORE, refund_id, NOW)
        agree(self.run(self.world.said(asked)), self.books.check(refund_id))

    # The provider and the bank.

    @rule(which=WHICH, method=st.sampled_from(METHODS))
    def behave(self, which: int, method: str) -> None:
        payment_id = picked(list(self.bank.captured), which)
        self.bank.methods[payment_id] = method
        self.world.behave(payment_id, method)

    @rule(which=WHICH, amount=AMOUNTS)
    def refund_by_hand(self, which: int, amount: int) -> None:
        """Somebody gives money back in the provider's dashboard, past the service."""
        self.tick()
        payment_id = picked(list(self.bank.captured), which)
        params = {"payment_intent": self.world.ref_of(payment_id), "amount": str(amount)}
        try:
            key = self.world.processor.create_refund(params, None)["id"]
        except Refused:
            assert self.bank.refuses(payment_id, amount)
            return
        assert not self.bank.refuses(payment_id, amount)
        self.bank.give_back(key, payment_id, amount, is_ours=False)

    @rule(which=WHICH, amount=AMOUNTS, status=st.sampled_from(BEGINNINGS), is_told=st.booleans())
    def dispute(self, which: int, amount: int, status: str, is_told: bool) -> None:  # noqa: FBT001
        """The cardholder asks (an inquiry) or takes the money back; we hear of it at once, or later."""
        self.tick()
        payment_id = picked(list(self.bank.captured), which)
        (opened,) = self.world.processor.open_dispute(payment_id, amount, ("fraudulent", None, status))
        self.bank.dispute(opened["id"], payment_id, amount, status)
        self.look_into_drawer()
        if is_told:
            self.deliver_one(list(self.drawer)[-1])

    @precondition(lambda self: self.bank.disputes)
    @rule(which=WHICH, where=WHICH)
    def move_dispute(self, which: int, where: int) -> None:
        self.tick()
        dispute_id = picked(list(self.bank.disputes), which)
        dispute = self.bank.disputes[dispute_id]
        dispute.status = picked(BANK_MOVES[dispute.status], where)
        self.world.processor.move_dispute(dispute_id, dispute.status)

    @rule(which=WHICH)
    def early_warning(self, which: int) -> None:
        """The issuer suspects fraud, and says so once: nothing is frozen."""
        payment_id = picked(list(self.bank.captured), which)
        number = sum(1 for event_id in self.drawer if event_id.startswith("evt_warning"))
        warning = {
            "id": f"issfr_{number}",
            "object": "radar.early_fraud_warning",
            "payment_intent": self.world.ref_of(payment_id),
            "actionable": True,
            "fraud_type": "made_with_stolen_card",
            "created": 0,
        }
        event = {"id": f"evt_warning_{number}", "created": 0, "data": {"object": warning}}
        self.drawer[event["id"]] = (event | {"payment_id": payment_id}, self.books.clock)

    # The post.

    def look_into_drawer(self) -> None:
        for event in self.world.drawer():
            _, written_at = self.drawer.get(event["id"], (event, self.books.clock))
            self.drawer[event["id"]] = (event, written_at)

    @precondition(lambda self: self.drawer.keys() - self.delivered)
    @rule(several=st.lists(WHICH, min_size=1, max_size=4))
    def deliver(self, several: list[int]) -> None:
        """Hand over webhooks that nobody has seen, in any order; those never handed over are lost."""
        for which in several:
            if unseen := [one for one in self.drawer if one not in self.delivered]:
                self.deliver_one(picked(unseen, which))

    @precondition(lambda self: self.delivered)
    @rule(which=WHICH)
    def deliver_again(self, which: int) -> None:
        self.deliver_one(picked(sorted(self.delivered), which))

    @precondition(lambda self: self.drawer)
    @rule(chance=st.randoms(use_true_random=False))
    def deliver_all_shuffled(self, chance: random.Random) -> None:
        names = list(self.drawer)
        chance.shuffle(names)
        for name in names:
            self.deliver_one(name)

    def deliver_one(self, event_id: str) -> None:
        event, written_at = self.drawer[event_id]
        self.come_due(event)
        answer = self.run(self.world.deliver(event))
        subject = event["data"]["object"]
        if subject["object"] == "refund":
            key = self.world.key_of(subject["id"])
            expected = self.books.hear_refund(event_id, key, subject["status"])
        elif subject["object"] == "dispute":
            expected = self.books.hear_dispute(event_id, subject["id"], subject["status"], written_at)
        else:
            expected = self.books.hear_warning(event_id, event["payment_id"])
        agree(answer, expected)
        self.delivered.add(event_id)

    def come_due(self, event: dict[str, Any]) -> None:
        """Let what a webhook tells of have happened: days after a refund the bank sends the money back."""
        if event.get("type") == "refund.failed":
            self.world.processor.come_due(event)
            self.bank.moved[self.world.key_of(event["data"]["object"]["id"])].status = "failed"

    @precondition(lambda self: any(event.get("type") == "refund.failed" for event, _ in self.drawer.values()))
    @rule(which=WHICH)
    def the_bank_sends_it_back(self, which: int) -> None:
        """And its webhook is lost, or late."""
        late = [event for event, _ in self.drawer.values() if event.get("type") == "refund.failed"]
        self.come_due(picked(late, which))

    # Time, and who repairs.

    def tick(self, seconds: int = 1) -> None:
        """Providers date to the second: no two things happen in the same."""
        self.look_into_drawer()
        self.run(self.world.pass_time(seconds))
        self.books.clock += seconds

    @rule()
    def an_hour_passes(self) -> None:
        self.tick(HOUR + 100)

    @rule()
    def janitor(self) -> None:
        self.tick()
        self.look_into_drawer()
        agree(self.run(self.world.mend()), self.books.mend())

    # After every step, and in the end.

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        self.look_into_drawer()
        for payment_id in self.bank.captured:
            agree(self.run(self.world.balance(payment_id)), self.books.balance(payment_id))
        agree(self.run(self.world.trial_balance()), self.books.trial_balance())
        agree(self.run(self.world.violations()), self.books.violations())

    def teardown(self) -> None:
        """End the story, and keep what is found: of a story cut short the runner would lose it."""
        try:
            if self.orders:
                self.come_to_an_end()
        except AssertionError as found:
            self.found.append(found)
            raise

    def come_to_an_end(self) -> None:
        """Once all is asked about and delivered, provider, ledger and model are one."""
        for payment_id in self.bank.captured:
            self.behave(list(self.bank.captured).index(payment_id), "card")
        for _ in range(3):
            self.ask_about_everything()
        self.an_hour_passes()
        self.janitor()
        self.everything_is_as_the_model_says()
        assert self.books.violations().keys() <= {"disputes_after_refunds"}
        trial = self.run(self.world.trial_balance())
        back = {one: self.world.went_back(one) for one in self.bank.captured}
        taken = sum(self.world.taken(one) for one in self.bank.captured)
        agree({one: self.books.balance(one)[1] for one in self.bank.captured}, back)
        agree(trial.get("provider", 0), sum(self.bank.captured.values()) - sum(back.values()) - taken)
        agree(trial.get("refund_payable", 0), 0)
        agree(self.run(self.world.facts()), self.books.facts)

    def ask_about_everything(self) -> None:
        for refund_id in [key for key, held in self.books.held.items() if held.intent]:
            self.check_one(refund_id)
        for key, made in self.bank.moved.items():
            if not made.is_ours:
                # Nobody here asks about what was made by hand: whoever made it does.
                self.world.processor.look_up_refund(key)
                self.bank.look_up(key)
        self.look_into_drawer()
        for event_id in list(self.drawer):
            self.deliver_one(event_id)


def tell_stories(server: str, folder: Path, secrets: Secrets, how: settings) -> None:
    """Run the machine over one world; ``how`` says how many stories, how long, and which."""
    how = settings(how, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    found: list[AssertionError] = []
    with asyncio.Runner() as runner:
        opened = World.open(server, folder, secrets)
        world = runner.run(opened.__aenter__())
        try:
            run_state_machine_as_test(lambda: WholeService(runner, world, found), settings=how)
        finally:
            runner.run(opened.__aexit__(None, None, None))
    if found:
        raise found[0]
