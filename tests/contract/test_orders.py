"""A unit that was bought is in at most one live case, and keeps its number for good."""

import asyncio
from dataclasses import replace

import pytest

from services.domain.errors import (
    IdempotencyConflict,
    InvalidArgument,
    OrderNotFound,
    OrderVersionConflict,
    QuantityExceedsRemaining,
    UnknownOrderLine,
)
from services.domain.ids import LineId, derived_id
from services.domain.logistics import ParcelStatus, TrackingEvent
from services.domain.order import HeldUnits, UnitClaim, UnitRange, UnitSettlement
from tests.builders import NOW, POLICY, STORE, a_line, a_shipment, an_order

ORDER = "536365"


async def take(orders, case_id: str, quantity: int, line_id: str = "1") -> tuple[HeldUnits, ...]:
    claims = (UnitClaim(LineId(line_id), quantity),)
    return await orders.claim(STORE, ORDER, case_id, derived_id(case_id), claims)


async def give_back(orders, case_id: str, returned: int = 0, refunded: int = 0, *, release_rest: bool = True):
    settled = (UnitSettlement(LineId("1"), returned, refunded),)
    await orders.settle(STORE, ORDER, case_id, derived_id(case_id), settled, release_rest=release_rest)


async def units(orders):
    return (await orders.get(STORE, ORDER)).units_of(LineId("1"))


@pytest.fixture(autouse=True)
async def _sold(orders) -> None:
    await orders.put(an_order(), POLICY)


async def test_an_order_is_kept_as_sold_under_its_first_policy(orders):
    """A later version may say otherwise what was sold, but not under which policy."""
    later = replace(an_order(), version=2, market="DE")

    order, is_new = await orders.put(later, replace(POLICY, version=2))

    assert (order.sold, order.policy, is_new) == (later, POLICY, False)
    assert await orders.contact(STORE, ORDER) == later.customer
    with pytest.raises(OrderVersionConflict):
        await orders.put(an_order(), POLICY)


async def test_a_claim_takes_the_lowest_free_units(orders):
    """Units are numbered, and a claim says which it holds."""
    first = await take(orders, "RT-1", 2)
    second = await take(orders, "RT-2", 3)

    assert first == (HeldUnits(LineId("1"), (UnitRange(0, 2),)),)
    assert second == (HeldUnits(LineId("1"), (UnitRange(2, 3),)),)
    assert (await units(orders)).in_case == 5


async def test_racing_claims_share_the_units(orders):
    """Of twenty claims of two of six units, three win, and no unit twice."""
    outcomes = await asyncio.gather(*(take(orders, f"RT-{i}", 2) for i in range(20)), return_exceptions=True)

    held = [part for won in outcomes if isinstance(won, tuple) for part in won[0].ranges]
    assert sum(isinstance(lost, QuantityExceedsRemaining) for lost in outcomes) == 17
    assert sorted(part.first for part in held) == [0, 2, 4]


async def test_a_claim_asked_for_twice_is_one(orders):
    """The same claim id holds the same units; with another body it is a conflict."""
    first = await take(orders, "RT-1", 2)

    assert await take(orders, "RT-1", 2) == first
    assert (await units(orders)).in_case == 2
    with pytest.raises(IdempotencyConflict):
        await take(orders, "RT-1", 3)


async def test_a_claim_is_all_or_nothing(orders):
    """What is not there, is unknown, or is named twice takes nothing."""
    twice = (UnitClaim(LineId("1"), 1), UnitClaim(LineId("1"), 1))
    with pytest.raises(QuantityExceedsRemaining):
        await take(orders, "RT-1", 7)
    with pytest.raises(UnknownOrderLine):
        await take(orders, "RT-2", 1, line_id="9")
    with pytest.raises(InvalidArgument):
        await orders.claim(STORE, ORDER, "RT-3", derived_id("RT-3"), twice)
    with pytest.raises(OrderNotFound):
        await orders.claim("other", ORDER, "RT-4", derived_id("RT-4"), (UnitClaim(LineId("1"), 1),))
    assert (await units(orders)).free == (UnitRange(0, 6),)


async def test_refunded_units_are_gone_and_the_rest_is_free(orders):
    """Two of four units are refunded: the two lowest; the others may be claimed again."""
    await take(orders, "RT-1", 4)
    for _ in range(2):
        await give_back(orders, "RT-1", returned=3, refunded=2)

    left = await units(orders)
    assert (left.returned, left.refunded, left.in_case, left.free) == (3, 2, 0, (UnitRange(2, 4),))
    assert await take(orders, "RT-2", 4) == (HeldUnits(LineId("1"), (UnitRange(2, 4),)),)


async def test_a_claim_settles_bit_by_bit(orders):
    """Totals grow; what is not settled stays held until it is released."""
    await take(orders, "RT-1", 3)
    await give_back(orders, "RT-1", 1, 1, release_rest=False)
    assert ((await units(orders)).in_case, (await units(orders)).refunded) == (2, 1)

    await give_back(orders, "RT-1", 2, 2, release_rest=True)

    left = await units(orders)
    assert (left.in_case, left.refunded, left.free) == (0, 2, (UnitRange(2, 4),))


async def test_an_overtaken_settlement_changes_nothing(orders):
    """A request that arrives after a later one of its claim does not take units back."""
    await take(orders, "RT-1", 3)
    await give_back(orders, "RT-1", 3, 3, release_rest=True)
    await give_back(orders, "RT-1", 1, 1, release_rest=False)

    left = await units(orders)
    assert (left.returned, left.refunded, left.in_case, left.free) == (3, 3, 0, (UnitRange(3, 3),))


async def test_no_more_is_settled_than_was_claimed(orders):
    """Nor is a released claim reopened."""
    await take(orders, "RT-1", 2)
    with pytest.raises(QuantityExceedsRemaining):
        await give_back(orders, "RT-1", 3, 3)
    await give_back(orders, "RT-1", 1, 1)
    with pytest.raises(QuantityExceedsRemaining):
        await give_back(orders, "RT-1", 2, 2)


async def test_a_claim_that_never_was_may_be_released(orders):
    """An undo is harmless when its deed was never done."""
    await give_back(orders, "RT-never")

    assert (await units(orders)).free == (UnitRange(0, 6),)


async def test_a_line_is_delivered_with_the_last_of_its_parcels(orders):
    """The earliest scan of a delivery counts, also one that came before the shipment was known."""
    event = TrackingEvent("e1", "demo-post", "TRACK1", ParcelStatus.DELIVERED, NOW)
    assert await orders.track(STORE, event) == (True, False)
    await orders.ship(STORE, ORDER, a_shipment(an_order()))
    later = replace(event, event_id="e2", occurred_at=NOW.replace(hour=13))
    assert await orders.track(STORE, later) == (False, True)
    earlier = replace(event, event_id="e3", occurred_at=NOW.replace(hour=11))
    assert await orders.track(STORE, earlier) == (True, True)
    assert await orders.track(STORE, replace(earlier, status=ParcelStatus.IN_TRANSIT)) == (False, True)

    assert (await units(orders)).delivered_at == earlier.occurred_at


async def test_an_unknown_order_is_not_found(orders):
    """Nor is another store's."""
    for store, order_id in ((STORE, "536366"), ("other", ORDER)):
        with pytest.raises(OrderNotFound):
            await orders.get(store, order_id)
        with pytest.raises(OrderNotFound):
            await orders.contact(store, order_id)


async def test_an_impossible_order_is_refused(orders):
    """The order service checks what it is told."""
    with pytest.raises(InvalidArgument):
        await orders.put(an_order(a_line(discount=10_000), order_id="536366"), POLICY)
