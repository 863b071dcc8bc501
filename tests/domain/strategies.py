"""Orders, policies and events as they may come, for properties."""

from dataclasses import replace

from hypothesis import strategies as st

from services.domain.amounts import QuoteTerms
from services.domain.decision import FreightPayer
from services.domain.deductions import GradedUnits
from services.domain.ids import LineId, PaymentId
from services.domain.logistics import Grade
from services.domain.money import allocate
from services.domain.order import (
    DiscountKind,
    HeldUnits,
    OrderAsSold,
    OrderDiscount,
    OrderLine,
    Payment,
    Points,
    UnitRange,
)
from services.domain.policy import InKind, Policy, ReturnFees
from tests.builders import a_line, a_policy, an_order

# Currencies with no, two and three digits after the point.
CURRENCIES = st.sampled_from(["JPY", "GBP", "KWD"])
METHODS = ["store_credit", "card", "wallet"]


@st.composite
def order_lines(draw: st.DrawFn, line_id: str, *, tax_inclusive: bool) -> OrderLine:
    """A line of up to twelve units; often cheap ones, where rounding bites."""
    quantity = draw(st.integers(1, 12))
    unit_price = draw(st.one_of(st.integers(0, 5), st.integers(0, 100_000)))
    discount = draw(st.integers(0, quantity * unit_price))
    most_tax = quantity * unit_price - discount if tax_inclusive else 2 * quantity * unit_price
    tax = draw(st.integers(0, most_tax))
    return a_line(line_id, quantity, unit_price, discount=discount, tax=tax)


@st.composite
def orders(draw: st.DrawFn) -> OrderAsSold:
    """An order that adds up: lines, two order discounts, points, shipping, and one to three tenders."""
    tax_inclusive = draw(st.booleans())
    count = draw(st.integers(1, 3))
    lines = [draw(order_lines(str(number), tax_inclusive=tax_inclusive)) for number in range(1, count + 1)]
    worth = sum(line.value for line in lines)
    first = draw(st.integers(0, worth))
    second = draw(st.integers(0, worth - first))
    sold = an_order(
        *lines,
        currency=draw(CURRENCIES),
        tax_inclusive=tax_inclusive,
        discounts=(
            OrderDiscount("WELCOME", first, draw(st.sampled_from(DiscountKind))),
            OrderDiscount("SPRING", second, draw(st.sampled_from(DiscountKind))),
        ),
        points=Points(draw(st.integers(0, 1_000)), draw(st.integers(0, 1_000))),
    )
    shipping = replace(
        sold.shipping,
        price=draw(st.integers(0, 2_000)),
        tax=draw(st.integers(0, 400)),
        standard_price=draw(st.none() | st.integers(0, 2_000)),
    )
    sold = replace(sold, shipping=shipping)
    return replace(sold, payments=draw(tenders(sold)))


@st.composite
def orders_with_gifts(draw: st.DrawFn) -> OrderAsSold:
    """The same with up to three pieces of something that came free with it."""
    sold = draw(orders())
    quantity, worth = draw(st.integers(1, 3)), draw(st.integers(1, 50_000))
    gift = a_line("G", quantity, worth, discount=quantity * worth, gift=True)
    return replace(sold, lines=(*sold.lines, gift))


@st.composite
def tenders(draw: st.DrawFn, sold: OrderAsSold) -> tuple[Payment, ...]:
    """Up to three payments that add up to the order's total."""
    weights = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    return tuple(
        Payment(PaymentId(f"pay_{number}"), "sandbox", METHODS[number], amount, sold.placed_at)
        for number, amount in enumerate(allocate(sold.total.minor_units, weights))
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy with any fees, and any order of tenders; shipping and kind go back or not."""
    lost = {grade: draw(st.integers(0, 100)) for grade in (Grade.B, Grade.C, Grade.D)}
    kept_gifts = draw(st.sampled_from([True, True, True, False]))
    fees = ReturnFees(draw(st.integers(0, 100)), draw(st.integers(0, 2_000)), lost, kept_gifts)
    return a_policy(
        fees=fees,
        tender_order=tuple(draw(st.permutations(METHODS))),
        outbound_shipping_back_when_whole_order=draw(st.booleans()),
        express_shipping_back=draw(st.booleans()),
        in_kind=InKind(draw(st.booleans()), draw(st.booleans()), draw(st.booleans())),
    )


@st.composite
def terms(draw: st.DrawFn, sold: OrderAsSold) -> QuoteTerms:
    """Any fault and label, with every tender able to take back all that was paid with it."""
    refundable = {payment.payment_id: payment.amount for payment in sold.payments}
    return QuoteTerms(draw(st.sampled_from(FreightPayer)), draw(st.booleans()), refundable)


@st.composite
def partitions(draw: st.DrawFn, sold: OrderAsSold, *, of: int = 4) -> list[tuple[HeldUnits, ...]]:
    """Every unit of the order dealt out to one of up to ``of`` returns."""
    dealt: list[dict[LineId, list[int]]] = [{} for _ in range(of)]
    for line in sold.lines:
        for unit in range(line.quantity):
            dealt[draw(st.integers(0, of - 1))].setdefault(line.line_id, []).append(unit)
    returns = [
        tuple(
            HeldUnits(line_id, tuple(UnitRange(unit, 1) for unit in units)) for line_id, units in hand.items()
        )
        for hand in dealt
    ]
    return [units for units in returns if units]


@st.composite
def growing_counts(draw: st.DrawFn, sold: OrderAsSold) -> list[dict[LineId, int]]:
    """Units accepted so far, settlement by settlement: the last has them all, and some gifts only it."""
    steps = draw(st.integers(1, 4))
    counts = {
        line.line_id: sorted(draw(st.integers(0, line.quantity)) for _ in range(steps)) for line in sold.lines
    }
    growing = [{line_id: counts[line_id][step] for line_id in counts} for step in range(steps)]
    whole = {line.line_id: line.quantity for line in sold.lines}
    kept = {line.line_id: draw(st.integers(0, line.quantity - 1)) for line in sold.lines if line.gift}
    growing += [{**whole, **kept}] if kept else []
    return [*(_capped(counts, kept) for counts in growing), whole]


def _capped(counts: dict[LineId, int], most: dict[LineId, int]) -> dict[LineId, int]:
    return {line_id: min(count, most.get(line_id, count)) for line_id, count in counts.items()}


@st.composite
def gradings(draw: st.DrawFn, sold: OrderAsSold) -> dict[LineId, list[Grade | None]]:
    """What the dock thinks of each unit of each line, one after the other."""
    grade = st.none() | st.sampled_from(Grade)
    return {line.line_id: [draw(grade) for _ in range(line.quantity)] for line in sold.lines}


def graded(
    grading: dict[LineId, list[Grade | None]], counts: dict[LineId, int]
) -> dict[LineId, tuple[GradedUnits, ...]]:
    """Return how the first so many units of each line were judged."""
    return {
        line_id: tuple(GradedUnits(1, grade) for grade in grades[: counts[line_id]])
        for line_id, grades in grading.items()
    }
