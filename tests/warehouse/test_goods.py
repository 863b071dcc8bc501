"""What came is counted once, judged at most once per unit, and restocked exactly once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.domain.errors import (
    IdempotencyConflict,
    InspectionExceedsReceived,
    InvalidArgument,
    ReturnNotFound,
    StockExceeded,
)
from services.domain.facts import FactKind
from services.domain.ids import LineId, Rma
from services.domain.logistics import Disposition, ReceivedLine
from tests.builders import NOW, STORE

RMA = Rma("R7K3M9QX1")
DERIVED_STOCK = """
SELECT sku, sum(on_hand)::bigint AS on_hand, sum(quarantined)::bigint AS quarantined
  FROM stock_movements GROUP BY sku ORDER BY sku
"""


async def test_parcels_of_one_return_add_up(expected, a_receipt):
    """One unit today, one tomorrow with an item nobody expected: two have come, and both parcels are kept."""
    stranger = ReceivedLine(1, None, "SKU-9")
    await expected.receive(STORE, a_receipt("r1", 1))
    receipt, of = await expected.receive(
        STORE, a_receipt("r2", 1, lines=(ReceivedLine(1, None, "SKU-1"), stranger))
    )

    inbound = await expected.inbound(STORE, RMA)
    assert of.case_id == "RT-7K3M-9QX1"
    assert inbound.received == {"1": 2, "2": 0}
    assert [kept.receipt_id for kept in inbound.receipts] == ["r1", "r2"]
    assert stranger in receipt.lines


async def test_more_than_expected_is_counted_as_it_came(expected, a_receipt):
    """Three of two lanterns came: a fact is not argued with."""
    await expected.receive(STORE, a_receipt(quantity=3))

    assert (await expected.inbound(STORE, RMA)).received == {"1": 3, "2": 0}


async def test_an_empty_box_is_a_receipt(expected, a_receipt, facts):
    """Nothing was in it; the case is told of the parcel all the same."""
    await expected.receive(STORE, a_receipt(quantity=0, note="a brick"))

    (fact,) = await facts("warehouse")
    assert (fact.kind, fact.case_id, fact.receipt.lines) == (FactKind.GOODS_RECEIVED, "RT-7K3M-9QX1", ())


async def test_a_receipt_told_twice_counts_once(expected, a_receipt, facts):
    """The repeat comes later and is answered with what was kept; another body is a conflict."""
    first, _ = await expected.receive(STORE, a_receipt())
    later = a_receipt(received_at=NOW + timedelta(minutes=5))
    again = await asyncio.gather(*(expected.receive(STORE, later) for _ in range(5)))

    assert {receipt for receipt, _ in again} == {first}
    assert (await expected.inbound(STORE, RMA)).received["1"] == 2
    assert len(await facts("warehouse")) == 1
    with pytest.raises(IdempotencyConflict):
        await expected.receive(STORE, a_receipt(quantity=1))


async def test_a_parcel_nobody_knows_is_kept_and_told(warehouse, a_receipt, facts):
    """It belongs to no case: a person has to look."""
    _, of = await warehouse.receive(STORE, a_receipt(scan="WHO-KNOWS"))

    (fact,) = await facts("warehouse")
    assert of is None
    assert (fact.case_id, fact.receipt.scan) == (None, "WHO-KNOWS")


async def test_a_late_parcel_of_a_closed_return_is_kept_and_told(expected, a_receipt, facts):
    """The case stopped waiting; what comes all the same is its business still."""
    await expected.close(RMA, NOW)
    _, of = await expected.receive(STORE, a_receipt())

    (fact,) = await facts("warehouse")
    assert (of.is_open, fact.case_id) == (False, "RT-7K3M-9QX1")
    assert (await expected.inbound(STORE, RMA)).received["1"] == 2


async def test_another_stores_dock_does_not_see_the_return(expected, a_receipt):
    """A scan at another store is an unknown parcel there."""
    _, of = await expected.receive("other", a_receipt())

    assert of is None
    with pytest.raises(ReturnNotFound):
        await expected.inbound("other", RMA)


async def test_a_code_typed_in_small_letters_is_the_same(expected):
    """The dock's keyboard is not its scanner."""
    assert (await expected.inbound(STORE, RMA.lower())).expected.rma == RMA


async def test_an_accepted_unit_is_restocked_once(expected, a_receipt, a_verdict, facts):
    """The same judgement, told at once by many and later again, moves the stock once."""
    await expected.receive(STORE, a_receipt())
    verdict = a_verdict(quantity=2)
    await asyncio.gather(*(expected.inspect(STORE, verdict) for _ in range(5)))
    await expected.inspect(STORE, replace(verdict, inspected_at=NOW + timedelta(hours=1)))

    assert (await expected.stock(STORE, "SKU-1")).on_hand == 2
    kinds = [fact.kind for fact in await facts("warehouse")]
    assert kinds == [FactKind.GOODS_RECEIVED, FactKind.GOODS_INSPECTED]
    with pytest.raises(IdempotencyConflict):
        await expected.inspect(STORE, a_verdict(quantity=1))


@pytest.mark.parametrize(
    ("disposition", "accepted", "levels"),
    [
        (Disposition.RESTOCK, True, (1, 1, 0)),
        (Disposition.REFURBISH, True, (0, 0, 1)),
        (Disposition.DISPOSE, True, (0, 0, 0)),
        (Disposition.DISPOSE, False, (0, 0, 0)),
        (Disposition.RETURN_TO_CUSTOMER, False, (0, 0, 1)),
    ],
)
async def test_the_disposition_says_where_a_unit_goes(
    expected, a_receipt, a_verdict, disposition, accepted, levels
):
    """Only what is restocked can be sold again; what waits for something else lies aside."""
    await expected.receive(STORE, a_receipt())
    await expected.inspect(STORE, a_verdict(accepted=accepted, disposition=disposition))

    level = await expected.stock(STORE, "SKU-1")
    assert (level.on_hand, level.available, level.quarantined) == levels


@pytest.mark.parametrize(
    ("disposition", "accepted"),
    [(Disposition.RESTOCK, False), (Disposition.RETURN_TO_CUSTOMER, True)],
)
async def test_a_unit_is_either_the_shops_or_the_customers(
    expected, a_receipt, a_verdict, disposition, accepted
):
    """A rejected unit is not sold again; one that is paid back is not sent back."""
    await expected.receive(STORE, a_receipt())

    with pytest.raises(InvalidArgument):
        await expected.inspect(STORE, a_verdict(accepted=accepted, disposition=disposition))


async def test_no_more_is_judged_than_has_come(expected, a_receipt, a_verdict):
    """Two have come; of five inspectors who judge one each at once, two count, and two are on the shelf."""
    await expected.receive(STORE, a_receipt())
    verdicts = (expected.inspect(STORE, a_verdict(f"i{number}")) for number in range(5))

    outcomes = await asyncio.gather(*verdicts, return_exceptions=True)

    assert sum(isinstance(outcome, InspectionExceedsReceived) for outcome in outcomes) == 3
    assert (await expected.inbound(STORE, RMA)).inspected == {"1": 2, "2": 0}
    assert (await expected.stock(STORE, "SKU-1")).on_hand == 2


async def test_a_judgement_is_all_or_nothing(expected, a_receipt, a_verdict):
    """One row that cannot be leaves no trace of the others, and its id may be used for a right one."""
    await expected.receive(STORE, a_receipt())
    good = a_verdict().lines[0]
    for bad in (replace(good, line_id=LineId("2")), replace(good, line_id=LineId("9"))):
        with pytest.raises(InspectionExceedsReceived):
            await expected.inspect(STORE, replace(a_verdict(), lines=(good, bad)))
    assert (await expected.stock(STORE, "SKU-1")).on_hand == 0

    await expected.inspect(STORE, replace(a_verdict(), lines=(good, good)))
    assert (await expected.stock(STORE, "SKU-1")).on_hand == 2


async def test_judging_and_receiving_may_race(expected, a_receipt, a_verdict):
    """Whoever comes first, the counts are right: an inspection passes once its goods are booked."""
    await asyncio.gather(*(expected.receive(STORE, a_receipt(f"r{n}", 1)) for n in range(4)))
    racing = [expected.receive(STORE, a_receipt("r9", 1)), expected.inspect(STORE, a_verdict(quantity=4))]
    await asyncio.gather(*racing)

    inbound = await expected.inbound(STORE, RMA)
    assert (inbound.received["1"], inbound.inspected["1"]) == (5, 4)


async def test_stock_is_what_its_movements_add_up_to(expected, a_receipt, a_verdict, database):
    """Counts, restocks and quarantine are all movements; the levels are their sums."""
    await expected.set_stock(STORE, "SKU-1", 10)
    await expected.receive(STORE, a_receipt())
    await expected.inspect(STORE, a_verdict())
    await expected.inspect(STORE, a_verdict("i2", disposition=Disposition.REFURBISH))
    level = await expected.set_stock(STORE, "SKU-1", 7)

    derived = await (await database("warehouse")).fetch(DERIVED_STOCK)
    assert [tuple(row) for row in derived] == [("SKU-1", level.on_hand, level.quarantined)]
    assert (level.on_hand, level.quarantined) == (7, 1)


async def test_an_opening_balance_is_absolute(warehouse):
    """Saying twice that ten are there leaves ten there; what is reserved must remain."""
    for _ in range(2):
        await warehouse.set_stock(STORE, "SKU-1", 10)

    assert (await warehouse.stock(STORE, "SKU-1")).available == 10
    assert (await warehouse.stock("other", "SKU-1")).on_hand == 0


async def test_reserved_units_cannot_be_counted_away(warehouse, database):
    """Fewer on hand than are promised to somebody is refused."""
    await warehouse.set_stock(STORE, "SKU-1", 10)
    await (await database("warehouse")).execute("UPDATE stock SET reserved = 4")

    with pytest.raises(StockExceeded):
        await warehouse.set_stock(STORE, "SKU-1", 3)
    assert (await warehouse.set_stock(STORE, "SKU-1", 4)).available == 0
