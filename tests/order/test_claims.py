"""Units of a line are in at most one live case."""

import asyncio
from dataclasses import replace

import grpc
import pytest

from services.clients.order import OrderClient
from services.domain.errors import (
    IdempotencyConflict,
    OrderNotFound,
    OrderVersionConflict,
    QuantityExceedsRemaining,
    UnknownOrderLine,
)
from services.domain.ids import LineId, derived_id
from services.domain.logistics import ParcelStatus, TrackingEvent
from services.domain.order import HeldUnits, UnitClaim, UnitRange, UnitSettlement
from tests.builders import NOW, POLICY, STORE, a_line, a_shipment, an_order


@pytest.fixture
async def orders(order_channel: grpc.aio.Channel) -> OrderClient:
    return OrderClient(order_channel)


async def claim(orders: OrderClient, case_id: str, quantity: int) -> tuple[HeldUnits, ...]:
    claims = (UnitClaim(LineId("1"), quantity),)
    return await orders.claim(STORE, "536365", case_id, derived_id(case_id), claims)


async def test_an_order_comes_back_as_it_was_put(orders: OrderClient) -> None:
    """What was sold is kept to the letter, under the policy of its first version."""
    sold = an_order()
    order, is_new = await orders.put(sold, POLICY)
    again, is_new_again = await orders.put(sold, replace(POLICY, version=2))

    assert (order.sold, order.policy, is_new) == (sold, POLICY, True)
    assert (again, is_new_again) == (order, False)


async def test_a_version_is_never_overwritten(orders: OrderClient) -> None:
    """The same version with another body, and a lower version, are conflicts."""
    sold = an_order(version=2)
    await orders.put(sold, POLICY)

    with pytest.raises(OrderVersionConflict):
        await orders.put(replace(sold, market="DE"), POLICY)
    with pytest.raises(OrderVersionConflict):
        await orders.put(replace(sold, version=1), POLICY)


async def test_racing_cases_never_hold_the_same_unit(orders: OrderClient) -> None:
    """Of twenty cases that claim two of six units each, three win, with six different units."""
    await orders.put(an_order(), POLICY)

    outcomes = await asyncio.gather(*(claim(orders, f"RT-{i}", 2) for i in range(20)), return_exceptions=True)

    won = [held for outcome in outcomes if isinstance(outcome, tuple) for held in outcome]
    lost = [outcome for outcome in outcomes if isinstance(outcome, QuantityExceedsRemaining)]
    numbers = sorted(
        number
        for held in won
        for part in held.ranges
        for number in range(part.first, part.first + part.count)
    )
    assert (len(won), len(lost)) == (3, 17)
    assert numbers == [0, 1, 2, 3, 4, 5]


async def test_a_claim_is_made_once(orders: OrderClient) -> None:
    """The same claim again holds the same units; with another body it is a conflict."""
    await orders.put(an_order(), POLICY)
    first = await asyncio.gather(*(claim(orders, "RT-1", 2) for _ in range(10)))

    assert set(first) == {(HeldUnits(LineId("1"), (UnitRange(0, 2),)),)}
    with pytest.raises(IdempotencyConflict):
        await claim(orders, "RT-1", 3)


async def test_settled_units_are_gone_and_released_ones_free(orders: OrderClient) -> None:
    """Two of four claimed units are refunded, the others given back; saying so twice changes nothing."""
    await orders.put(an_order(), POLICY)
    await claim(orders, "RT-1", 4)
    settled = (UnitSettlement(LineId("1"), returned=3, refunded=2),)
    for _ in range(2):
        await orders.settle(STORE, "536365", "RT-1", derived_id("RT-1"), settled, release_rest=True)

    units = (await orders.get(STORE, "536365")).units_of(LineId("1"))
    assert (units.returned, units.refunded, units.in_case) == (3, 2, 0)
    assert units.free == (UnitRange(2, 4),)
    more = (UnitSettlement(LineId("1"), returned=3, refunded=3),)
    with pytest.raises(QuantityExceedsRemaining):
        await orders.settle(STORE, "536365", "RT-1", derived_id("RT-1"), more, release_rest=True)


async def test_what_is_not_there_cannot_be_claimed(orders: OrderClient) -> None:
    """An unknown line, and another store's order, are refused."""
    await orders.put(an_order(), POLICY)
    wrong_line = (UnitClaim(LineId("9"), 1),)
    with pytest.raises(UnknownOrderLine):
        await orders.claim(STORE, "536365", "RT-1", derived_id("x"), wrong_line)
    with pytest.raises(OrderNotFound):
        await orders.get("other", "536365")


async def test_an_order_cannot_shrink_below_what_cases_hold(orders: OrderClient) -> None:
    """A later version may drop free units, but none that a case holds; the line that would is pointed at."""
    await orders.put(an_order(), POLICY)
    await claim(orders, "RT-1", 4)

    for changed, pointer in ((a_line(quantity=3), "/lines/0/quantity"), (a_line("2"), "/lines")):
        with pytest.raises(QuantityExceedsRemaining) as refused:
            await orders.put(an_order(changed, version=2), POLICY)
        assert [problem.pointer for problem in refused.value.problems] == [pointer]
    order, _ = await orders.put(an_order(a_line(quantity=5), version=2), POLICY)
    assert order.remaining(LineId("1")) == 1


async def test_a_delivery_dates_the_line_in_any_order(orders: OrderClient) -> None:
    """A delivery told before its shipment is known still dates the window, and the earliest counts."""
    sold = an_order()
    await orders.put(sold, POLICY)
    event = TrackingEvent("e1", "demo-post", "TRACK1", ParcelStatus.DELIVERED, NOW)
    assert await orders.track(STORE, event) == (True, False)
    await orders.ship(STORE, "536365", a_shipment(sold))
    assert await orders.track(STORE, replace(event, event_id="e2")) == (False, True)
    assert [await orders.is_outbound(store, "TRACK1") for store in (STORE, "other")] == [True, False]
    assert not await orders.is_outbound(STORE, "TRACK2")

    assert (await orders.get(STORE, "536365")).units_of(LineId("1")).delivered_at == NOW
