"""The real week: the shop's own orders and the credits it gave, moved so that the week ends today."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Final

from deploy.demo.documents import Line, Order, Payment, ReturnLine, Shipping

_DATA: Final = Path(__file__).parent / "data"
_PENCE: Final = 100
# What the shop books as articles, but is the price of sending.
_SENDING: Final = frozenset({"POST", "DOT", "C2"})
_COUNTRIES: Final[Mapping[str, str]] = {
    "United Kingdom": "GB",
    "Australia": "AU",
    "Belgium": "BE",
    "EIRE": "IE",
    "France": "FR",
    "Germany": "DE",
    "Italy": "IT",
    "Japan": "JP",
    "Lithuania": "LT",
    "Netherlands": "NL",
    "Norway": "NO",
    "Poland": "PL",
    "Portugal": "PT",
    "Spain": "ES",
    "Switzerland": "CH",
}
_LONGEST_DELIVERY: Final = timedelta(days=1)

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sale:
    """An order of the week, and when it arrived."""

    order: Order
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class Credit:
    """A line of a credit note of the shop's: what it gave, in pence, for which units of an order's line."""

    number: str
    invoice: str
    sku: str
    line_id: str
    quantity: int
    given: int


@dataclass(frozen=True, slots=True)
class CreditNote:
    """What one credit note gave for one invoice: one return."""

    number: str
    order: Order
    credits: tuple[Credit, ...]

    @property
    def lines(self) -> tuple[ReturnLine, ...]:
        """The units that came back, each line once; the week's data gives no reasons."""
        quantities: dict[str, int] = {}
        for credit in self.credits:
            quantities[credit.line_id] = quantities.get(credit.line_id, 0) + credit.quantity
        return tuple(
            ReturnLine(line_id=line_id, quantity=quantity) for line_id, quantity in quantities.items()
        )

    @property
    def given(self) -> int:
        return sum(credit.given for credit in self.credits)


@dataclass(frozen=True, slots=True)
class Week:
    """``left_out`` counts invoices that are no sales: stock written off, at no price and to nobody."""

    sales: tuple[Sale, ...]
    notes: tuple[CreditNote, ...]
    left_out: int


def read_week(now: datetime, run: str, data: Path = _DATA) -> Week:
    """Return the week as if its last day were the last that is over by ``now``; ``run`` ends every id.

    Whole days are moved, so the shop's hours stay what they were.

    Raises:
        ValueError: If a credit has no purchase with so many units.
    """
    rows = _read(data / "orders.csv")
    credit_rows = _read(data / "credits.csv")
    last = max([_at(row["at"]) for row in rows] + [_at(row["credited_at"]) for row in credit_rows])
    shift = timedelta(days=(now - last).days)
    orders: dict[str, Order] = {}
    left_out = 0
    for invoice, lines in groupby(rows, key=lambda row: row["invoice"]):
        sold = [line for line in lines if int(line["quantity"]) > 0]
        if any(Decimal(line["unit_price"]) > 0 for line in sold):
            orders[invoice] = _order(invoice, sold, shift, run)
        else:
            left_out += 1
    credited = {row["invoice"]: _at(row["credited_at"]) + shift for row in reversed(credit_rows)}
    sales = tuple(
        Sale(order, _delivered_at(order.placed_at, credited.get(invoice, now)))
        for invoice, order in orders.items()
    )
    return Week(sales, _notes(credit_rows, orders), left_out)


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _pence(price: str) -> int:
    """Return a price in pence, exactly.

    Raises:
        ValueError: If it has fractions of a penny.
    """
    pence = Decimal(price) * _PENCE
    if pence != int(pence):
        raise ValueError(f"{price} has fractions of a penny")
    return int(pence)


def _delivered_at(placed_at: datetime, known_at: datetime) -> datetime:
    """Return when an order arrived: the next day, or halfway to when it must have been there."""
    return placed_at + min(_LONGEST_DELIVERY, (known_at - placed_at) / 2)


def _order(invoice: str, rows: Sequence[Row], shift: timedelta, run: str) -> Order:
    """Make an order of an invoice's rows: postage is its shipping, and a buyer nobody knows a guest."""
    first = rows[0]
    lines = tuple(
        Line(
            line_id=str(number),
            sku=row["sku"],
            title=row["title"],
            quantity=int(row["quantity"]),
            unit_price=_pence(row["unit_price"]),
        )
        for number, row in enumerate(rows, start=1)
        if row["sku"] not in _SENDING
    )
    postage = sum(int(row["quantity"]) * _pence(row["unit_price"]) for row in rows if row["sku"] in _SENDING)
    country = _COUNTRIES[first["country"]]
    order_id = f"{invoice}-{run}"
    unpaid = Order(
        order_id=order_id,
        market=country,
        currency="GBP",
        placed_at=_at(first["at"]) + shift,
        customer_id=first["customer"] or f"guest-{invoice}",
        country=country,
        lines=lines,
        payments=(),
        shipping=Shipping(price=postage),
    )
    payment = Payment(payment_id=f"pay_{order_id}", method="card", amount=unpaid.total)
    return unpaid.model_copy(update={"payments": (payment,)})


def _notes(rows: Sequence[Row], orders: Mapping[str, Order]) -> tuple[CreditNote, ...]:
    """Put the credits of one note and one invoice together, in the order in which they were given."""
    found: dict[tuple[str, str], list[Credit]] = {}
    taken: dict[tuple[str, str], int] = {}
    for row in rows:
        credit = _credit(row, orders[row["invoice"]], taken)
        found.setdefault((credit.number, credit.invoice), []).append(credit)
    return tuple(
        CreditNote(number, orders[invoice], tuple(given)) for (number, invoice), given in found.items()
    )


def _credit(row: Row, order: Order, taken: dict[tuple[str, str], int]) -> Credit:
    """Find the line that a credit is for: same article, same price, with so many units not credited yet."""
    quantity, price = int(row["quantity"]), _pence(row["sold_unit_price"])
    for line in _lines_of(order, row["sku"], price):
        already = taken.get((order.order_id, line.line_id), 0)
        if line.quantity - already >= quantity:
            taken[order.order_id, line.line_id] = already + quantity
            given = _pence(row["credit_total"])
            return Credit(row["credit"], row["invoice"], row["sku"], line.line_id, quantity, given)
    raise ValueError(f"{row['credit']}: {row['invoice']} has no {quantity} of {row['sku']} left")


def _lines_of(order: Order, sku: str, price: int) -> Iterable[Line]:
    return (line for line in order.lines if line.sku == sku and line.unit_price == price)
