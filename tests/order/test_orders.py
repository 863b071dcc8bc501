"""Orders as sold: their versions, their lists, their parcels."""

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest

from services.clients.order import OrderClient
from services.domain.errors import (
    IdempotencyConflict,
    InvalidArgument,
    OrderTotalsMismatch,
    OrderVersionConflict,
    QuantityExceedsRemaining,
    UnknownOrderLine,
)
from services.domain.ids import LineId, OrderId, derived_id
from services.domain.logistics import ParcelStatus, TrackingEvent
from services.domain.order import OrderFilter, ShipmentLine, UnitClaim, UnitRange, UnitSettlement
from tests.builders import NOW, POLICY, STORE, a_line, a_shipment, an_order


@pytest.fixture
def orders(order_channel: grpc.aio.Channel) -> OrderClient:
    return OrderClient(order_channel)


@pytest.fixture
async def shelf(orders: OrderClient) -> OrderClient:
    """Seven orders, one a day, of two customers."""
    for number in range(7):
        sold = an_order(
            a_line(title=f"LANTERN {number}_%"),
            order_id=f"5363{number}",
            placed_at=NOW - timedelta(days=number),
        )
        customer = replace(sold.customer, customer_id=str(number % 2), phone=f"+44{number % 2}")
        await orders.put(replace(sold, customer=customer), POLICY)
    return orders


async def take(orders: OrderClient, case_id: str, quantity: int, line_id: str = "1") -> None:
    claims = (UnitClaim(LineId(line_id), quantity),)
    await orders.claim(STORE, "536365", case_id, derived_id(case_id), claims)


async def test_racing_versions_end_with_the_highest(orders):
    """Ten versions at once, each twice: the order is the last one, and only newer ones replaced older."""
    versions = [an_order(version=number, market="GB") for number in range(1, 11)] * 2
    outcomes = await asyncio.gather(*(orders.put(sold, POLICY) for sold in versions), return_exceptions=True)

    assert (await orders.get(STORE, "536365")).sold.version == 10
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(outcome) for outcome in refused} <= {OrderVersionConflict}
    assert sum(is_new for _, is_new in (o for o in outcomes if isinstance(o, tuple))) == 1


async def test_a_line_may_go_when_nothing_of_it_is_held(orders):
    """Its past claims were all given back: a later version may drop it, and bring it back."""
    two = an_order(a_line("1"), a_line("2"))
    await orders.put(two, POLICY)
    await take(orders, "RT-1", 2, "2")
    with pytest.raises(QuantityExceedsRemaining):
        await orders.put(an_order(a_line("1"), version=2), POLICY)
    await orders.settle(STORE, "536365", "RT-1", derived_id("RT-1"), (), release_rest=True)

    order, _ = await orders.put(an_order(a_line("1"), version=2), POLICY)
    again, _ = await orders.put(replace(two, version=3), POLICY)

    assert [units.line_id for units in order.units] == ["1"]
    assert again.units_of(LineId("2")).free == (UnitRange(0, 6),)


async def test_refunded_units_cannot_be_sold_away(orders):
    """A version with fewer units than were refunded is refused; one with more has new free ones."""
    await orders.put(an_order(), POLICY)
    await take(orders, "RT-1", 2)
    settled = (UnitSettlement(LineId("1"), 2, 2),)
    await orders.settle(STORE, "536365", "RT-1", derived_id("RT-1"), settled, release_rest=True)

    with pytest.raises(QuantityExceedsRemaining):
        await orders.put(an_order(a_line(quantity=1), version=2), POLICY)
    order, _ = await orders.put(an_order(a_line(quantity=8), version=2), POLICY)
    assert order.units_of(LineId("1")).free == (UnitRange(2, 6),)


async def test_an_order_that_does_not_add_up_is_refused(orders):
    """What was paid is what it cost; several faults are told at once."""
    sold = an_order()
    with pytest.raises(OrderTotalsMismatch):
        await orders.put(replace(sold, payments=(replace(sold.payments[0], amount=1),)), POLICY)
    with pytest.raises(InvalidArgument) as caught:
        await orders.put(an_order(a_line("1", discount=1531), a_line("1")), POLICY)

    pointers = [problem.pointer for problem in caught.value.problems]
    assert pointers == ["/lines/0/discount", "/lines/1/line_id"]


async def test_a_list_goes_on_where_its_page_ended(shelf):
    """Newest first, no order twice, none left out."""
    seen, cursor = [], ""
    while True:
        page, cursor = await shelf.list(OrderFilter(STORE), cursor, 3)
        seen += [order.sold.order_id for order in page]
        if not cursor:
            break

    assert seen == [f"5363{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"customer_id": "1"}, ["53631", "53633", "53635"]),
        ({"phone": "+440"}, ["53630", "53632", "53634", "53636"]),
        ({"text": "lantern 4"}, ["53634"]),
        ({"text": "53636"}, ["53636"]),
        ({"text": "4_%"}, ["53634"]),
        ({"text": "4__"}, []),
        ({"placed_after": NOW - timedelta(days=2)}, ["53630", "53631"]),
        ({"placed_before": NOW - timedelta(days=5)}, ["53636"]),
        ({"customer_id": "1", "placed_after": NOW - timedelta(days=2)}, ["53631"]),
    ],
)
async def test_a_list_is_narrowed(shelf, wanted, found):
    """By customer, phone, words taken literally, and time, all of them together."""
    page, _ = await shelf.list(OrderFilter(STORE, **wanted), "", 50)

    assert [order.sold.order_id for order in page] == found


async def test_a_store_lists_its_own(shelf):
    """Another store has other orders."""
    assert await shelf.list(OrderFilter("other"), "", 50) == ([], "")


@pytest.mark.parametrize("text", ["not base64!", "", "2026", "2026-01-01 x\0", "0001-01-01T00:00:00+23:00 x"])
async def test_a_cursor_that_is_not_ours_is_refused(orders, text):
    """Whatever somebody made up as a cursor is bad input or an empty page, never a bug."""
    cursor = base64.urlsafe_b64encode(text.encode()).decode() if text else "%%%"
    (outcome,) = await asyncio.gather(orders.list(OrderFilter(STORE), cursor, 5), return_exceptions=True)

    assert isinstance(outcome, InvalidArgument) or outcome[0] == []


async def test_no_more_is_shipped_than_was_sold(orders):
    """Parcels add up; the same parcel told twice is one; another body is a conflict."""
    await orders.put(an_order(a_line("1", quantity=3)), POLICY)
    parcel = replace(a_shipment(an_order()), lines=(ShipmentLine(LineId("1"), 2),))
    for _ in range(2):
        assert await orders.ship(STORE, "536365", parcel) == parcel

    with pytest.raises(IdempotencyConflict):
        await orders.ship(STORE, "536365", replace(parcel, carrier="other-post"))
    with pytest.raises(QuantityExceedsRemaining):
        await orders.ship(STORE, "536365", replace(parcel, shipment_id="S2"))
    unknown = replace(parcel, shipment_id="S3", lines=(ShipmentLine(LineId("9"), 1),))
    with pytest.raises(UnknownOrderLine):
        await orders.ship(STORE, "536365", unknown)


async def test_a_shipment_belongs_to_one_order(orders):
    """The same shipment id for another order is a conflict, also at the same instant."""
    for order_id in ("536365", "536366"):
        await orders.put(an_order(order_id=order_id), POLICY)
    parcel = a_shipment(an_order())
    told = [orders.ship(STORE, OrderId(order_id), parcel) for order_id in ("536365", "536366")]

    outcomes = await asyncio.gather(*told, return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IdempotencyConflict", "Shipment"]


async def test_a_line_in_two_parcels_is_delivered_with_the_second(orders):
    """Until then it is on its way."""
    await orders.put(an_order(a_line("1", quantity=2)), POLICY)
    for number in (1, 2):
        parcel = a_shipment(an_order(), f"S{number}", f"T{number}")
        await orders.ship(STORE, "536365", replace(parcel, lines=(ShipmentLine(LineId("1"), 1),)))
    event = TrackingEvent("e", "demo-post", "T1", ParcelStatus.DELIVERED, NOW)
    await orders.track(STORE, event)
    assert (await orders.get(STORE, "536365")).units_of(LineId("1")).delivered_at is None

    await orders.track(STORE, replace(event, tracking_number="T2", occurred_at=NOW + timedelta(days=1)))

    units = (await orders.get(STORE, "536365")).units_of(LineId("1"))
    assert units.delivered_at == NOW + timedelta(days=1)
