"""Orders, policies and events as they may come, for properties."""

from dataclasses import replace

from hypothesis import strategies as st

from services.domain.amounts import QuoteTerms
from services.domain.decision import FreightPayer
from services.domain.ids import LineId, PaymentId
from services.domain.money import allocate
from services.domain.order import HeldUnits, OrderAsSold, OrderDiscount, OrderLine, Payment, UnitRange
from services.domain.policy import Policy, ReturnFees
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
    """An order that adds up: lines, two order discounts, shipping, and one to three tenders."""
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
        discounts=(OrderDiscount("WELCOME", first), OrderDiscount("SPRING", second)),
    )
    shipping = replace(sold.shipping, price=draw(st.integers(0, 2_000)), tax=draw(st.integers(0, 400)))
    sold = replace(sold, shipping=shipping)
    return replace(sold, payments=draw(tenders(sold)))


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
    """A policy with any fees and any order of tenders."""
    fees = ReturnFees(draw(st.integers(0, 100)), draw(st.integers(0, 2_000)))
    tender_order = tuple(draw(st.permutations(METHODS)))
    return a_policy(fees=fees, tender_order=tender_order)


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
    """Units accepted so far, settlement by settlement; the last has them all."""
    steps = draw(st.integers(1, 4))
    counts = {
        line.line_id: sorted(draw(st.integers(0, line.quantity)) for _ in range(steps)) for line in sold.lines
    }
    growing = [{line_id: counts[line_id][step] for line_id in counts} for step in range(steps)]
    return [*growing, {line.line_id: line.quantity for line in sold.lines}]
