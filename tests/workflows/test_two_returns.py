"""Two returns of one order, open at the same time: together they give back what was paid, shipping once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import RefundStatus
from services.domain.ids import CaseId
from services.domain.order import OrderAsSold, ShippingCharge
from tests.builders import a_line, an_address, an_order
from tests.fixtures.temporal import Stage


def an_order_with_shipping() -> OrderAsSold:
    return an_order(
        a_line(quantity=3, unit_price=1000),
        shipping=ShippingCharge(499, 0, "standard", an_address()),
        placed_at=datetime.now(UTC) - timedelta(days=5),
    )


async def a_unit_is_paid(stage: Stage, case_id: CaseId, units: int, *, is_last: bool) -> None:
    """Another unit of that case comes and is accepted, which makes so many."""
    stage.case_id = case_id
    await stage.receive(1)
    await stage.inspect(accepted=1)
    await stage.until_true(lambda: stage.world.register.cases[case_id].lines[0].refunded == units)
    await stage.until("refunded" if is_last else "awaiting_parcel")


def moved(stage: Stage) -> int:
    """Return what all cases have given back, in minor units."""
    refunds = [refund for case in stage.world.register.cases.values() for refund in case.refunds]
    return sum(refund.amount.minor_units for refund in refunds if refund.status is RefundStatus.SUCCEEDED)


@pytest.mark.parametrize("order", ["A B A", "A A B", "B A A"])
async def test_the_last_unit_brings_the_shipping_back(stage: Stage, order: str) -> None:
    """A has two units, in two parcels, and B the third: whichever is paid last completes the order."""
    sold = an_order_with_shipping()
    await stage.sell(sold)
    cases = {"A": (await stage.open(quantity=2)).case_id, "B": (await stage.open(quantity=1)).case_id}
    steps: Sequence[str] = order.split()
    for index, name in enumerate(steps):
        assert moved(stage) == 1000 * index
        units = steps[: index + 1].count(name)
        await a_unit_is_paid(stage, cases[name], units, is_last=units == (2 if name == "A" else 1))

    assert moved(stage) == sold.total.minor_units == 3499
    assert stage.open_tasks() == []


async def test_money_under_way_counts_for_the_other_return(stage: Stage) -> None:
    """A's refund stays pending while B is paid: B completes the order, and brings the shipping back."""
    sold = an_order_with_shipping()
    await stage.sell(sold)
    first, second = [(await stage.open(quantity)).case_id for quantity in (2, 1)]
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    stage.case_id = first
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: stage.world.register.cases[first].refunds)
    stage.world.payments.behave("pay_536365", "card")
    await a_unit_is_paid(stage, second, 1, is_last=True)
    assert moved(stage) == 1000 + 499

    stage.case_id = first
    await stage.advance(minutes=1, seconds=5)
    await stage.advance(minutes=5)
    await stage.until("refunded")
    assert moved(stage) == sold.total.minor_units
