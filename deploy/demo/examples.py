"""The examples reckoned by hand: what each return has to come to stands in ``data/examples.yaml``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from deploy.demo.documents import Case, Discount, Line, Order, Payment, Points, ReturnLine, Shipping

_FILE: Final = Path(__file__).parent / "data" / "examples.yaml"
_DELIVERED_AFTER: Final = timedelta(days=1)

Outcome = Literal["refunded", "rejected", "expired", "denied"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InKind(_Strict):
    """What goes back and is taken back beside money: counts of points, codes of coupons."""

    points_back: int = 0
    points_clawed_back: int = 0
    coupons_back: tuple[str, ...] = ()

    @classmethod
    def of(cls, case: Case) -> "InKind":
        """Return what a case has settled."""
        if case.settled is None:
            return cls()
        return cls(**{name: getattr(case.settled, name) for name in cls.model_fields})


class Expectation(_Strict):
    """A return, and what has to come of it: ``refund`` by method of payment, ``because`` in words."""

    lines: Mapping[str, int]
    refund: Mapping[str, int]
    because: str
    shipping: int = 0
    fees: Mapping[str, int] = {}
    in_kind: InKind = InKind()
    outcome: Outcome = "refunded"


class Sheet(_Strict):
    """One example as it stands in the file; a line is quantity, unit price, discount, tax.

    A free gift is quantity and worth of one; ``points_worth`` is what the points used took off.
    """

    name: str
    currency: str
    tax_inclusive: bool
    lines: Mapping[str, tuple[int, int, int, int]]
    payments: Mapping[str, int]
    because: str
    returns: tuple[Expectation, ...]
    discount: int = 0
    points: Points = Points()
    points_worth: int = 0
    gifts: Mapping[str, tuple[int, int]] = {}
    shipping: Shipping = Shipping()
    market: str = "GB"
    final_sale: bool = False
    sold_days_ago: int = 3


@dataclass(frozen=True, slots=True)
class Example:
    """An order, and its returns one after the other."""

    name: str
    order: Order
    delivered_at: datetime
    returns: tuple[Expectation, ...]

    def payment_ids(self, by_method: Mapping[str, int]) -> dict[str, int]:
        """Return amounts by payment instead of by method."""
        ids = {payment.method: payment.payment_id for payment in self.order.payments}
        return {ids[method]: amount for method, amount in by_method.items()}


def read_examples(now: datetime, run: str, file: Path = _FILE) -> tuple[Example, ...]:
    """Return the examples as of ``now``; ``run`` ends every id.

    Raises:
        ValueError: If the file is malformed, or an order in it does not add up.
    """
    sheets = [Sheet.model_validate(sheet) for sheet in yaml.safe_load(file.read_text())]
    return tuple(_example(number, sheet, now, run) for number, sheet in enumerate(sheets, start=1))


def return_lines(expectation: Expectation) -> tuple[ReturnLine, ...]:
    return tuple(
        ReturnLine(line_id=line_id, quantity=quantity) for line_id, quantity in expectation.lines.items()
    )


def _example(number: int, sheet: Sheet, now: datetime, run: str) -> Example:
    order_id = f"example-{number:02}-{run}"
    placed_at = now - timedelta(days=sheet.sold_days_ago)
    order = Order(
        order_id=order_id,
        market=sheet.market,
        currency=sheet.currency,
        placed_at=placed_at,
        customer_id=f"{90000 + number}",
        country=sheet.market,
        lines=(
            *(_line(line_id, line, sheet) for line_id, line in sheet.lines.items()),
            *(_gift(line_id, *gift, sheet) for line_id, gift in sheet.gifts.items()),
        ),
        payments=tuple(
            Payment(payment_id=f"pay_{order_id}-{method}", method=method, amount=amount)
            for method, amount in sheet.payments.items()
        ),
        discounts=tuple(_discounts(sheet)),
        points=sheet.points,
        shipping=sheet.shipping,
        tax_inclusive=sheet.tax_inclusive,
    )
    if order.total != sum(sheet.payments.values()):
        raise ValueError(f"{sheet.name}: the order comes to {order.total}, not to what was paid")
    return Example(sheet.name, order, placed_at + _DELIVERED_AFTER, sheet.returns)


def _discounts(sheet: Sheet) -> Iterator[Discount]:
    if sheet.discount:
        yield Discount(code="WELCOME", amount=sheet.discount)
    if sheet.points_worth:
        yield Discount(code="POINTS", amount=sheet.points_worth, kind="points")


def _gift(line_id: str, quantity: int, worth: int, sheet: Sheet) -> Line:
    line = _line(line_id, (quantity, worth, quantity * worth, 0), sheet)
    return line.model_copy(update={"gift": True})


def _line(line_id: str, line: tuple[int, int, int, int], sheet: Sheet) -> Line:
    quantity, unit_price, discount, tax = line
    return Line(
        line_id=line_id,
        sku=f"EXAMPLE-{line_id}",
        title=f"{sheet.name}: {line_id}",
        quantity=quantity,
        unit_price=unit_price,
        discount=discount,
        tax=tax,
        final_sale=sheet.final_sale,
    )
