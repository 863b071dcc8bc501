"""What a return gives back beside money, and what it keeps back: the case says so, as totals."""

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import Actor, ActorKind, CaseLine, Reason, RequestedLine
from services.domain.facts import FactKind
from services.domain.ids import LineId, Rma
from services.domain.logistics import (
    Disposition,
    Grade,
    InspectedLine,
    Inspection,
    Receipt,
    ReceivedLine,
)
from services.domain.order import DiscountKind, OrderAsSold, OrderDiscount, Points
from services.domain.policy import ReturnFees
from tests.builders import a_line, a_policy, an_order
from tests.fixtures.temporal import Stage

# Three lamps at 10.00 and a candle for nothing, worth 2.00; 300 points and a coupon took 6.00 off.
DISCOUNTS = (OrderDiscount("POINTS", 300, DiscountKind.POINTS), OrderDiscount("WELCOME", 300))


def lamps(**changes: object) -> OrderAsSold:
    lines = (a_line("1", 3, 1_000), a_line("G", 1, 200, discount=200, gift=True))
    sold = {"discounts": DISCOUNTS, "points": Points(used=300, earned=24), **changes}
    return an_order(*lines, placed_at=datetime.now(UTC) - timedelta(days=5), **sold)


def asked_back(**units: int) -> tuple[RequestedLine, ...]:
    return tuple(
        RequestedLine(LineId(line.removeprefix("line_")), count, Reason.CHANGED_MIND)
        for line, count in units.items()
    )


async def judged(stage: Stage, *rows: tuple[str, int, Grade]) -> None:
    """A parcel of so many units of each line comes, and all of it is accepted with its grade."""
    number = len(stage.world.register.timeline(stage.case_id))
    came = tuple(ReceivedLine(count, LineId(line)) for line, count, _ in rows)
    receipt = Receipt(f"r-{number}", "RMA", datetime.now(UTC), came, received_by="dock-7")
    await stage.tell(FactKind.GOODS_RECEIVED, receipt=receipt)
    found = tuple(
        InspectedLine(LineId(line), count, grade, accepted=True, disposition=Disposition.RESTOCK)
        for line, count, grade in rows
    )
    inspection = Inspection(f"i-{number}", Rma("R7K3M9QX1"), datetime.now(UTC), found, inspected_by="dock-8")
    await stage.tell(FactKind.GOODS_INSPECTED, inspection=inspection)


def refunded(line: CaseLine) -> int:
    return line.refunded


@pytest.mark.rule("S068")
async def test_points_and_coupons_are_settled_beside_the_money(stage: Stage) -> None:
    """Parcel by parcel, as totals: points back and clawed back by share, the coupon with the last unit."""
    await stage.sell(lamps())
    opened = await stage.open(lines=asked_back(line_1=3, line_G=1))
    assert opened.quote is not None
    assert opened.settled is None

    await judged(stage, ("1", 2, Grade.A))
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded == 2)
    first = stage.world.register.cases[stage.case_id].settled
    await judged(stage, ("1", 1, Grade.A), ("G", 1, Grade.A))
    closed = await stage.until("refunded")

    assert first is not None
    assert closed.settled is not None
    assert [
        (q.refund.minor_units, q.points_back, q.points_clawed_back, q.coupons_back)
        for q in (first, closed.settled)
    ] == [(1_600, 200, 16, ()), (2_400, 300, 24, ("WELCOME",))]
    assert closed.settled.refund == opened.quote.refund
    timeline = stage.world.register.timeline(stage.case_id)
    assert [entry.detail for entry in timeline if entry.what == "settled_in_kind"] == [
        "200 points back, 16 points clawed back",
        "100 points back, 8 points clawed back, coupon WELCOME back",
    ]


async def test_an_order_paid_with_points_alone_is_settled_without_money(stage: Stage) -> None:
    """The case ends as refunded, all in points; no payment is touched."""
    discounts = (OrderDiscount("POINTS", 3_000, DiscountKind.POINTS),)
    await stage.sell(lamps(discounts=discounts, points=Points(used=3_000)))
    await stage.open(lines=asked_back(line_1=3, line_G=1))
    await judged(stage, ("1", 3, Grade.A), ("G", 1, Grade.A))
    closed = await stage.until("refunded")

    assert closed.settled is not None
    assert (closed.refunds, closed.settled.points_back, refunded(closed.lines[0])) == ((), 3_000, 3)


async def test_value_lost_is_kept_back_by_grade(stage: Stage) -> None:
    """One lamp came back used: 30 % of its 8.00 stay with the shop, and the rule says why."""
    stage.policy = a_policy(fees=ReturnFees(lost_value_percent={Grade.C: 30}))
    await stage.sell(lamps())
    await stage.open(lines=asked_back(line_1=2))
    await judged(stage, ("1", 1, Grade.A), ("1", 1, Grade.C))
    closed = await stage.until("refunded")

    assert closed.settled is not None
    (fee,) = closed.settled.fees
    assert (fee.code, fee.amount, fee.line_id) == ("lost_value", 240, "1")
    assert fee.rule == "uk-standard: fees.lost_value_percent, C 30 %"
    assert [refund.amount.minor_units for refund in closed.refunds] == [1_360]


async def test_a_gift_that_is_kept_is_priced_until_it_comes(stage: Stage) -> None:
    """Quoted with the gift; the lamps come without it and are paid less 2.00, which follow with the gift."""
    await stage.sell(lamps())
    opened = await stage.open(lines=asked_back(line_1=3, line_G=1))
    await judged(stage, ("1", 3, Grade.A))
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded == 3)
    await judged(stage, ("G", 1, Grade.A))
    closed = await stage.until("refunded")

    assert opened.quote is not None
    assert [refund.amount.minor_units for refund in closed.refunds] == [2_200, 200]
    assert closed.settled is not None
    assert (closed.settled.refund, closed.settled.fees) == (opened.quote.refund, ())


async def test_whoever_does_not_send_the_gift_is_quoted_its_price(stage: Stage) -> None:
    """All lamps without the candle: the quote shows the deduction, and is what is paid."""
    await stage.sell(lamps())
    opened = await stage.open(lines=asked_back(line_1=3))
    await judged(stage, ("1", 3, Grade.A))
    closed = await stage.until("refunded")

    assert opened.quote is not None
    assert [(fee.code, fee.amount) for fee in opened.quote.fees] == [("kept_gift", 200)]
    assert [refund.amount for refund in closed.refunds] == [opened.quote.refund]


async def test_the_timeline_names_the_amount_and_who_looked(stage: Stage) -> None:
    """A refund's entry has what moved; those of the dock who scanned and who judged."""
    await stage.sell(lamps())
    await stage.open(lines=asked_back(line_1=1))
    await judged(stage, ("1", 1, Grade.A))
    await stage.until("refunded")
    entries = {entry.what: entry for entry in stage.world.register.timeline(stage.case_id)}

    assert entries["refund_succeeded"].detail == "800 GBP"
    assert entries["goods_received"].actor == Actor(ActorKind.STAFF, "dock-7", ("warehouse",))
    assert entries["goods_inspected"].actor == Actor(ActorKind.STAFF, "dock-8", ("warehouse",))
    assert stage.world.register.cases[stage.case_id].owner is None
