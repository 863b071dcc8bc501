"""A return settles as often as more comes; every settlement pays only what the earlier ones did not."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.domain.amounts import first_units, payments_of, quote_return, refund_parts
from services.domain.ids import LineId, PaymentId
from services.domain.order import HeldUnits, OrderAsSold, Payment, UnitRange
from services.domain.policy import ReturnFees
from services.domain.quote import Quote, TenderShare, beyond
from tests.builders import CUSTOMER_PAYS, NOW, a_line, a_policy, an_order, as_it_stands
from tests.domain.strategies import (
    graded,
    gradings,
    growing_counts,
    orders,
    orders_with_gifts,
    policies,
    terms,
)


def accepted(sold: OrderAsSold, counts: dict[LineId, int]) -> list[HeldUnits]:
    """Return the first so many units of each line, as a case takes them from what it holds."""
    return [
        HeldUnits(line.line_id, first_units((UnitRange(0, line.quantity),), counts[line.line_id]))
        for line in sold.lines
    ]


@given(st.data())
def test_settlements_add_up_to_the_final_quote(data: st.DataObject) -> None:
    """Refund, shipping, lines, fees and tenders of all settlements are those of one settlement of all."""
    sold = data.draw(orders_with_gifts())
    policy, owed = data.draw(policies()), data.draw(terms(sold))
    grading = data.draw(gradings(sold))
    order = as_it_stands(sold)
    settled: Quote | None = None
    settlements = []
    for counts in data.draw(growing_counts(sold)):
        owed = replace(owed, settled=settled, grades=graded(grading, counts))
        due = quote_return(order, accepted(sold, counts), policy, owed)
        settlements.append(beyond(due, settled))
        settled = due

    assert settled is not None
    assert sum(one.refund.minor_units for one in settlements) == settled.refund.minor_units
    assert sum(one.shipping for one in settlements) == settled.shipping
    assert _tenders(*settlements) == _tenders(settled)
    assert _fees(*settlements) == _fees(settled)
    assert _lines(*settlements) == _lines(settled)
    assert tuple(code for one in settlements for code in one.coupons_back) == settled.coupons_back


@given(st.data())
def test_what_was_quoted_is_what_is_paid(data: st.DataObject) -> None:
    """In however many parcels it comes: if all is accepted as good, the settlements are the quote."""
    sold = data.draw(orders_with_gifts())
    policy, owed = data.draw(policies()), data.draw(terms(sold))
    order = as_it_stands(sold)
    growing = data.draw(growing_counts(sold))
    quoted = quote_return(order, accepted(sold, growing[-1]), policy, owed)
    settled: Quote | None = None
    paid = 0
    for counts in growing:
        due = quote_return(order, accepted(sold, counts), policy, replace(owed, settled=settled))
        paid += beyond(due, settled).refund.minor_units
        settled = due

    assert settled == quoted
    assert paid == quoted.refund.minor_units


@given(st.data())
def test_no_settlement_takes_money_back(data: st.DataObject) -> None:
    """More units never lower the refund, nor any tender's share, nor any line's part; caps are kept.

    Neither do bad grades, nor a gift that has not come yet; and nothing in kind is taken back.
    """
    sold = data.draw(orders_with_gifts())
    policy, owed = data.draw(policies()), data.draw(terms(sold))
    grading = data.draw(gradings(sold))
    order = as_it_stands(sold)
    settled: Quote | None = None
    paid: Counter[LineId | None] = Counter()
    for counts in data.draw(growing_counts(sold)):
        owed = replace(owed, settled=settled, grades=graded(grading, counts))
        due = quote_return(order, accepted(sold, counts), policy, owed)
        one = beyond(due, settled)
        parts = refund_parts(one, tax_inclusive=sold.tax_inclusive)
        settled = due
        assert one.refund.minor_units == sum(share.amount for share in one.to) >= 0
        assert all(share.amount > 0 for share in one.to)
        for share in one.to:
            assert sum(part.amount for part in parts[share.payment_id]) == share.amount
        for line in one.lines:
            assert line.amount(tax_inclusive=sold.tax_inclusive) >= 0
            assert min(line.points_back, line.points_clawed_back) >= 0
        assert all(part.amount >= 0 for tender in parts.values() for part in tender)
        again = quote_return(order, accepted(sold, counts), policy, replace(owed, settled=due))
        assert again == due
        for tender in parts.values():
            for part in tender:
                paid[part.line_id] += part.amount

    assert all(paid[cap.line_id] <= cap.amount for cap in payments_of(sold).caps)


@given(st.data())
def test_tenders_that_can_take_less_by_then_change_no_sum(data: st.DataObject) -> None:
    """Whatever others leave of each tender: a settlement's shares are its refund, and they fit."""
    sold = data.draw(orders())
    policy, owed = data.draw(policies()), data.draw(terms(sold))
    order = as_it_stands(sold)
    settled: Quote | None = None
    paid: Counter[PaymentId] = Counter()
    for counts in data.draw(growing_counts(sold)):
        left = data.draw(left_of_tenders(sold, paid))
        try:
            due = quote_return(order, accepted(sold, counts), policy, replace(owed, refundable=left))
        except ValueError:
            break
        one = beyond(due, settled)
        assert sum(share.amount for share in one.to) == one.refund.minor_units
        assert all(share.amount > 0 for share in one.to)
        for share in one.to:
            paid[share.payment_id] += share.amount
            assert paid[share.payment_id] <= left[share.payment_id]
        settled = replace(due, to=shares(paid))

    assert sum(paid.values()) == (settled.refund.minor_units if settled else 0)


def test_a_tender_that_was_paid_more_than_its_share_is_not_paid_beyond_what_it_takes() -> None:
    """B was paid all while A could take nothing; then A has its turn, and B only what it still takes."""
    sold = an_order(a_line(quantity=4, unit_price=500), payments=(tender("A", 1000), tender("B", 1000)))
    order = as_it_stands(sold)
    settled: Quote | None = None
    paid: Counter[PaymentId] = Counter()
    settlements = []
    for units, left in ((1, {"A": 0, "B": 1000}), (2, {"A": 1000, "B": 1000}), (3, {"A": 700, "B": 800})):
        refundable = {PaymentId(name): amount for name, amount in left.items()}
        counts = {LineId("1"): units}
        due = quote_return(
            order, accepted(sold, counts), a_policy(), replace(CUSTOMER_PAYS, refundable=refundable)
        )
        one = beyond(due, settled)
        settlements.append({share.payment_id: share.amount for share in one.to})
        paid.update(settlements[-1])
        settled = replace(due, to=shares(paid))

    assert settlements == [{"B": 500}, {"A": 500}, {"A": 200, "B": 300}]


def tender(name: str, amount: int) -> Payment:
    return Payment(PaymentId(name), "sandbox", "card", amount, NOW)


def shares(paid: Counter[PaymentId]) -> tuple[TenderShare, ...]:
    return tuple(TenderShare(payment_id, amount) for payment_id, amount in paid.items())


@st.composite
def left_of_tenders(draw: st.DrawFn, sold: OrderAsSold, paid: Counter[PaymentId]) -> dict[PaymentId, int]:
    """What each tender could take back had this return refunded nothing: at least what it has got of it."""
    left = {}
    for payment in sold.payments:
        least, most = paid[payment.payment_id], payment.amount
        left[payment.payment_id] = draw(st.sampled_from([least, most]) | st.integers(least, most))
    return left


def test_a_second_settlement_pays_the_difference_of_the_fees_too() -> None:
    """Freight that the first unit could not bear is taken from the next ones, and never twice."""
    sold = an_order()
    order = as_it_stands(sold)
    policy = a_policy(fees=ReturnFees(return_freight=300))
    first = quote_return(order, accepted(sold, {LineId("1"): 1}), policy, CUSTOMER_PAYS)
    whole = quote_return(order, accepted(sold, {LineId("1"): 6}), policy, CUSTOMER_PAYS)

    second = beyond(whole, first)

    assert [one.refund.minor_units for one in (first, second, whole)] == [0, 1230, 1230]
    assert [fee.amount for one in (first, second) for fee in one.fees] == [255, 45]
    assert beyond(whole, whole).to == ()


def _tenders(*quotes: Quote) -> Counter[str]:
    return sum((Counter({s.payment_id: s.amount for s in quote.to}) for quote in quotes), Counter())


def _fees(*quotes: Quote) -> Counter[tuple[str, str | None]]:
    return sum((Counter({(f.code, f.line_id): f.amount for f in quote.fees}) for quote in quotes), Counter())


def _lines(*quotes: Quote) -> Counter[tuple[str, str]]:
    members = ("quantity", "goods", "tax", "discount_share", "points_back", "points_clawed_back")
    return sum(
        (Counter({(x.line_id, m): getattr(x, m) for x in quote.lines for m in members}) for quote in quotes),
        Counter(),
    )
