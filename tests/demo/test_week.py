"""The demo's week: the shop's data, moved to today, read as orders and returns."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import deploy.demo.week
from deploy.demo.documents import Order
from deploy.demo.shop import _order_body
from deploy.demo.week import Week, read_week
from services.domain.ids import StoreId
from services.domain.order import check_order
from services.gateway.schemas.orders import OrderBody

DATA = Path(deploy.demo.week.__file__).parent / "data"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def week() -> Week:
    return read_week(NOW, "260302T093000")


def rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(newline="") as lines:
        yield from csv.DictReader(lines)


def order_of(week: Week, invoice: str) -> Order:
    return next(sale.order for sale in week.sales if sale.order.order_id.startswith(f"{invoice}-"))


def test_every_credit_of_the_shop_is_a_return_to_the_penny(week: Week) -> None:
    """Twenty-eight lines of credit notes make nineteen returns, one per note and invoice."""
    totals = [Decimal(row["credit_total"]) for row in rows("credits.csv")]

    assert len(totals) == sum(len(note.credits) for note in week.notes) == 28
    assert len(week.notes) == len({(note.number, note.order.order_id) for note in week.notes}) == 19
    assert sum(note.given for note in week.notes) == sum(totals) * 100 == 63_757


def test_what_a_note_credits_twice_of_one_line_comes_back_once(week: Week) -> None:
    """Two and three of the same article are five units of one line."""
    note = next(note for note in week.notes if note.number == "C536826")

    assert [credit.quantity for credit in note.credits] == [2, 3]
    assert [line.quantity for line in note.lines] == [5]


def test_no_line_is_credited_beyond_what_was_sold(week: Week) -> None:
    """Over all notes, the units that come back of a line are at most its own."""
    back: dict[tuple[str, str], int] = {}
    for note in week.notes:
        for line in note.lines:
            key = note.order.order_id, line.line_id
            back[key] = back.get(key, 0) + line.quantity

    for (order_id, line_id), units in back.items():
        order = next(sale.order for sale in week.sales if sale.order.order_id == order_id)
        assert units <= next(line.quantity for line in order.lines if line.line_id == line_id)


def test_orders_carry_every_penny_of_their_invoices(week: Week) -> None:
    """What was sold in the sample is what the orders were paid, postage and all."""
    sold = sum(
        int(row["quantity"]) * Decimal(row["unit_price"])
        for row in rows("orders.csv")
        if int(row["quantity"]) > 0
    )

    assert sum(payment.amount for sale in week.sales for payment in sale.order.payments) == sold * 100


def test_every_order_is_one_the_gateway_takes(week: Week) -> None:
    """Members, types and totals of what is sent are the contract's."""
    for sale in week.sales:
        body = OrderBody.model_validate(_order_body(sale.order))
        check_order(body.to_order(StoreId("demo"), sale.order.order_id))


def test_what_is_no_sale_is_left_out(week: Week) -> None:
    """Stock written off has no price and no buyer; a line given away in an order is sold for nothing."""
    given_away = order_of(week, "537197")

    assert week.left_out == 3
    assert not any(sale.order.order_id.startswith("536414-") for sale in week.sales)
    assert [line.quantity for line in given_away.lines if line.unit_price == 0] == [1]


def test_postage_is_shipping_and_an_unknown_buyer_a_guest(week: Week) -> None:
    """Three times eighteen pounds of postage are the order's shipping; nobody's orders are not pooled."""
    assert order_of(week, "536370").shipping.price == 5_400
    assert order_of(week, "536370").market == "FR"
    assert order_of(week, "536555").customer_id == "guest-536555"


@pytest.mark.parametrize("hour", [0, 13, 23])
def test_the_week_ends_with_the_last_day_that_is_over(hour: int) -> None:
    """Whole days are moved: everything lies in the past, the last of it less than a day ago."""
    now = NOW.replace(hour=hour)
    moved = read_week(now, "r")

    last = max(sale.order.placed_at for sale in moved.sales)
    assert timedelta() <= now - last < timedelta(days=1, hours=4)
    assert {sale.order.placed_at.strftime("%H:%M") for sale in moved.sales} <= {
        row["at"][11:16] for row in rows("orders.csv")
    }


def test_goods_arrive_after_they_were_sold_and_before_they_were_credited(week: Week) -> None:
    """A delivery lies between order and credit, a day after the order at most, and in the past.

    One order was credited within the minute in which it was sold.
    """
    shift = order_of(week, "537410").placed_at - datetime(2010, 12, 6, 15, 3, tzinfo=UTC)
    credited = {row["invoice"]: datetime.fromisoformat(row["credited_at"]) for row in rows("credits.csv")}

    for sale in week.sales:
        invoice = sale.order.order_id.partition("-")[0]
        known = credited[invoice] + shift if invoice in credited else NOW
        assert sale.order.placed_at <= sale.delivered_at <= known <= NOW
        assert sale.delivered_at <= sale.order.placed_at + timedelta(days=1)


def test_every_id_of_a_run_is_its_own() -> None:
    """Two runs on one stack share no order and no payment; the same run again is the same to the byte."""
    first, again, other = (read_week(NOW, run) for run in ("r1", "r1", "r2"))

    assert first == again
    ids = [
        {sale.order.order_id for sale in week.sales}
        | {sale.order.payments[0].payment_id for sale in week.sales}
        for week in (first, other)
    ]
    assert len(ids[0]) == 2 * len(first.sales)
    assert not ids[0] & ids[1]
