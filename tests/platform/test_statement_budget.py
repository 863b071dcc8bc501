"""What a return costs in SQL: exact budgets, transaction control included, so that a regression shows."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.clients.order import OrderClient
from services.clients.payment import PaymentClient
from services.clients.warehouse import WarehouseClient
from services.domain.amounts import payments_of
from services.domain.ids import LineId, Rma, derived_id
from services.domain.logistics import (
    Disposition,
    Grade,
    InspectedLine,
    Inspection,
    ParcelStatus,
    Receipt,
    ReceivedLine,
    TrackingEvent,
)
from services.domain.order import UnitClaim, UnitSettlement
from services.platform.database import STATEMENTS
from tests.builders import NOW, POLICY, STORE, a_line, a_shipment, an_expected_return, an_intent, an_order
from tests.fixtures.temporal import Stage
from tests.workflows.scenarios import refunded

# Before the return; the numbers of lines and payments change none of them.
SALE = {"put_order": 5, "ship": 6, "register_payments": 13}
# From opening to the money moved and the units settled.
RETURN = {
    "get_order": 1,
    "claim_units": 4,
    "authorize_return": 2,
    "register_parcel": 4,
    "scan_at_order": 1,
    "scan_at_warehouse": 4,
    "receive": 2,
    "inspect": 2,
    "issue_refund": 6,
    "webhook": 1,
    "settle_units": 4,
}
ASIDE = {"contact": 1, "balance": 1, "delivery_scan": 1, "close_return": 1}
# What a case asks of the services, by the call: as measured here, and in the tests of casework.
PRICES = {
    ("order", "get"): RETURN["get_order"],
    ("order", "contact"): ASIDE["contact"],
    ("order", "claim"): RETURN["claim_units"],
    ("order", "settle"): RETURN["settle_units"],
    ("casework", "policy"): 1,
    ("casework", "publish"): 1,
    ("warehouse", "authorize"): RETURN["authorize_return"],
    ("warehouse", "register"): RETURN["register_parcel"],
    ("warehouse", "close"): ASIDE["close_return"],
    ("payment", "issue"): RETURN["issue_refund"],
    ("notification", "send"): 1,
}
SOLD = {("order", "put"), ("payment", "register"), ("order", "ship"), ("order", "track")}
# A message is claimed, handed over and noted as sent; a fact is leased and acknowledged.
DELIVERY, RELAY = 3, 2
# The whole return over all services; 44 at present.
MOST = 50


@pytest.fixture
def notes_seconds() -> float:
    """Nobody looks for notes that are due meanwhile: what is counted is what was asked."""
    return 3600.0


@pytest.fixture
def cost() -> Callable[[Awaitable[Any]], Awaitable[int]]:
    """Count the statements that a call costs over all services of this process."""

    async def count(asked: Awaitable[Any]) -> int:
        before = STATEMENTS.statements
        await asked
        return STATEMENTS.statements - before

    return count


@pytest.fixture
def a_return(order_channel, payment_channel, warehouse_channel, postbox, cost):
    """Run a whole return of two lines, and tell what each step cost."""
    orders, payments = OrderClient(order_channel), PaymentClient(payment_channel)
    warehouse = WarehouseClient(warehouse_channel)
    take, postbox.take = postbox.take, None

    async def run(order_id: str, rma: Rma) -> dict[str, int]:
        sold = an_order(a_line("1"), a_line("2"), order_id=order_id)
        claim, lines = derived_id(order_id), (LineId("1"), LineId("2"))
        scan = TrackingEvent(order_id, "demo-post", f"BACK{order_id}", ParcelStatus.IN_TRANSIT, NOW)
        there = TrackingEvent(order_id, "demo-post", f"OUT{order_id}", ParcelStatus.DELIVERED, NOW)
        receipt = Receipt(order_id, rma, NOW, tuple(ReceivedLine(1, line) for line in lines))
        verdict = [InspectedLine(line, 1, Grade.A, True, Disposition.RESTOCK) for line in lines]  # noqa: FBT003
        intent = an_intent(amount=255, payment_id=f"pay_{order_id}", order_id=order_id)
        steps = {
            "put_order": lambda: orders.put(sold, POLICY),
            "ship": lambda: orders.ship(STORE, order_id, a_shipment(sold, order_id, f"OUT{order_id}")),
            "register_payments": lambda: payments.register(payments_of(sold)),
            "delivery_scan": lambda: orders.track(STORE, there),
            "get_order": lambda: orders.get(STORE, order_id),
            "balance": lambda: payments.balance(STORE, f"pay_{order_id}"),
            "claim_units": lambda: orders.claim(
                STORE, order_id, "RT-1", claim, tuple(UnitClaim(line, 1) for line in lines)
            ),
            "authorize_return": lambda: warehouse.authorize(an_expected_return(rma=rma)),
            "register_parcel": lambda: warehouse.register(rma, "demo-post", f"BACK{order_id}"),
            "scan_at_order": lambda: orders.track(STORE, scan),
            "scan_at_warehouse": lambda: warehouse.track(STORE, scan),
            "receive": lambda: warehouse.receive(STORE, receipt),
            "inspect": lambda: warehouse.inspect(STORE, Inspection(order_id, rma, NOW, tuple(verdict[:1]))),
            "issue_refund": lambda: payments.issue(intent),
            "contact": lambda: orders.contact(STORE, order_id),
            "settle_units": lambda: orders.settle(
                STORE,
                order_id,
                "RT-1",
                claim,
                tuple(UnitSettlement(line, 1, 1) for line in lines),
                release_rest=True,
            ),
            "close_return": lambda: warehouse.close(rma, NOW),
        }
        costs = {name: await cost(step()) for name, step in steps.items()}
        letter = (await postbox.received(int(order_id)))[-1]
        return {**costs, "webhook": await cost(take(*letter))}

    return run


async def test_every_step_of_a_return_costs_what_it_costs(a_return):
    """The first return opens connections, which ask for types; the second one is like all others."""
    await a_return("1", Rma("R00000000"))

    costs = await a_return("2", Rma("R00000001"))

    assert costs == SALE | RETURN | ASIDE


async def test_a_whole_return_stays_within_fifty_statements(stage: Stage):
    """What its workflow asks of every service, priced; and what comes from outside, with its delivery."""
    await refunded(stage)

    calls = [(call.service, call.what) for call in stage.world.board.calls]
    asked = [PRICES[call] for call in calls if call not in SOLD]
    messages = len(stage.world.messages.taken)
    facts = RETURN["receive"] + RETURN["inspect"] + 2 * RELAY
    whole = sum(asked) + RETURN["webhook"] + facts + messages * DELIVERY

    assert whole <= MOST, f"{whole}: {calls}"
