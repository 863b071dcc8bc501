"""An order is taken only if it is possible and adds up."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.errors import InvalidArgument, OrderTotalsMismatch
from services.domain.order import OrderAsSold, OrderDiscount, OrderStatus, check_order
from tests.builders import a_line, an_order
from tests.domain.strategies import orders


@given(orders())
def test_an_order_that_adds_up_is_taken(sold: OrderAsSold) -> None:
    """Σ lines − Σ order discounts + shipping = Σ payments, tax within or on top, in every currency."""
    check_order(sold)


@pytest.mark.rule("S004")
@given(orders(), st.integers(-5, 5).filter(bool))
def test_one_minor_unit_too_much_or_too_little_is_noticed(sold: OrderAsSold, more: int) -> None:
    """What was paid is what the order costs, exactly."""
    first, *rest = sold.payments
    wrong = replace(sold, payments=(replace(first, amount=first.amount + more), *rest))

    with pytest.raises(OrderTotalsMismatch):
        check_order(wrong)


@given(orders())
def test_order_discounts_are_shared_by_value_and_add_up(sold: OrderAsSold) -> None:
    """No line bears more than it costs."""
    shares = sold.discount_shares()

    assert sum(shares.values()) == sum(discount.amount for discount in sold.discounts)
    assert all(0 <= shares[line.line_id] <= line.value for line in sold.lines)


@pytest.mark.parametrize("status", OrderStatus)
def test_only_what_was_never_paid_may_come_without_payments(status: OrderStatus) -> None:
    """An unpaid or cancelled order has none; one that says it is paid must show them."""
    unpaid = replace(an_order(), status=status, payments=())

    if status in {OrderStatus.UNPAID, OrderStatus.CANCELLED}:
        check_order(unpaid)
        return
    with pytest.raises(OrderTotalsMismatch):
        check_order(unpaid)


@pytest.mark.parametrize(
    ("order", "pointers"),
    [
        (an_order(a_line("1", 1, 100, discount=101)), ["/lines/0/discount"]),
        (an_order(a_line("1", 1, 100, tax=101)), ["/lines/0/tax"]),
        (an_order(a_line("1", 1, 100, tax=101), tax_inclusive=False), []),
        (an_order(a_line("1"), a_line("2"), a_line("1")), ["/lines/2/line_id"]),
        (replace(an_order(), payments=an_order().payments * 2), ["/payments/1/payment_id"]),
        (
            an_order(a_line("1", 1, 100, discount=101), a_line("1", 1, 100, tax=101)),
            ["/lines/0/discount", "/lines/1/tax", "/lines/1/line_id"],
        ),
    ],
)
def test_every_impossible_part_is_pointed_at(order: OrderAsSold, pointers: list[str]) -> None:
    """All problems at once, each with its place in the request."""
    if not pointers:
        check_order(order)
        return
    with pytest.raises(InvalidArgument) as refused:
        check_order(order)
    assert [problem.pointer for problem in refused.value.problems] == pointers


def test_discounts_cannot_exceed_what_they_are_on() -> None:
    """An order discount is off the lines, never off the shipping."""
    sold = an_order(a_line("1", 1, 100), discounts=(OrderDiscount("TOO-MUCH", 101),))

    with pytest.raises(OrderTotalsMismatch) as refused:
        check_order(sold)
    assert [problem.pointer for problem in refused.value.problems] == ["/discounts"]
