"""What an order was made of comes back, each component in its own unit, however the goods come back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.amounts import QuoteTerms, count_of, payments_of, quote_return, refund_parts
from services.domain.decision import FreightPayer
from services.domain.deductions import GradedUnits
from services.domain.ids import LineId, PaymentId
from services.domain.logistics import Grade
from services.domain.order import (
    DiscountKind,
    HeldUnits,
    OrderAsSold,
    OrderDiscount,
    Points,
    ShippingCharge,
    UnitRange,
)
from services.domain.policy import InKind, Policy, ReturnFees
from services.domain.quote import Fee, Quote, beyond
from tests.builders import CUSTOMER_PAYS, MERCHANT_PAYS, a_line, a_policy, an_address, an_order, as_it_stands
from tests.domain.strategies import orders, partitions, terms

Sum = Counter[tuple[str, str]]


def back(quantity: int, line_id: str = "1", first: int = 0) -> HeldUnits:
    return HeldUnits(LineId(line_id), (UnitRange(first, quantity),))


def graded(*units: tuple[int, Grade | None], line_id: str = "1") -> dict[LineId, tuple[GradedUnits, ...]]:
    return {LineId(line_id): tuple(GradedUnits(count, grade) for count, grade in units)}


def given_back(sold: OrderAsSold, returns: Sequence[tuple[HeldUnits, ...]]) -> Sum:
    """Return what of each component goes back over all returns, one after the other, by fault of the shop."""
    left = {payment.payment_id: payment.amount for payment in sold.payments}
    gone: dict[str, int] = {}
    total: Sum = Counter()
    for units in returns:
        owed = QuoteTerms(FreightPayer.MERCHANT, label_is_ours=True, refundable=dict(left))
        quote = quote_return(as_it_stands(sold, refunded=gone), units, a_policy(), owed)
        assert min([part for _, part in _parts(quote)], default=0) >= 0
        total.update(dict(_parts(quote)))
        for share in quote.to:
            left[share.payment_id] -= share.amount
        for tender in refund_parts(quote, tax_inclusive=sold.tax_inclusive).values():
            total.update({("paid for", part.line_id or "shipping"): part.amount for part in tender})
        for held in units:
            gone[held.line_id] = gone.get(held.line_id, 0) + count_of(held.ranges)
    return +total


def _parts(quote: Quote) -> list[tuple[tuple[str, str], int]]:
    """Every component of a quote with what it comes to."""
    members = ("goods", "tax", "discount_share", "points_back", "points_clawed_back")
    parts = [((member, line.line_id), getattr(line, member)) for line in quote.lines for member in members]
    parts += [(("to", share.payment_id), share.amount) for share in quote.to]
    parts += [(("coupon", code), 1) for code in quote.coupons_back]
    return [*parts, (("shipping", ""), quote.shipping)]


def _sold(sold: OrderAsSold) -> Sum:
    """Every component of an order with what it came to, added up without a look at units."""
    total: Sum = Counter()
    discounts = sold.discount_shares()
    for line in sold.lines:
        total["goods", line.line_id] += line.value - discounts[line.line_id]
        total["tax", line.line_id] += line.tax
        total["discount_share", line.line_id] += discounts[line.line_id]
    for cap in payments_of(sold).caps:
        total["paid for", cap.line_id or "shipping"] += cap.amount
    for payment in sold.payments:
        total["to", payment.payment_id] += payment.amount
    for discount in sold.discounts:
        total["coupon", discount.code] += discount.kind is DiscountKind.COUPON
    total["shipping", ""] += sold.shipping_total
    return +total


def _without_points(total: Sum) -> Sum:
    return Counter({key: part for key, part in total.items() if not key[0].startswith("points")})


@pytest.mark.rule("S041")
@pytest.mark.rule("S068")
@given(st.data())
def test_all_returns_together_give_back_the_order(data: st.DataObject) -> None:
    """Per component, over any partition into returns and any order of them, in any currency.

    Goods, tax and discounts by line, shipping, each tender, each coupon, points used and points earned.
    """
    sold = data.draw(orders())
    returns = data.draw(partitions(sold))

    total = given_back(sold, returns)

    assert _without_points(total) == _sold(sold)
    assert sum(part for key, part in total.items() if key[0] == "points_back") == sold.points.used
    assert sum(part for key, part in total.items() if key[0] == "points_clawed_back") == sold.points.earned
    assert given_back(sold, data.draw(st.permutations(returns))) == total


@given(st.data())
def test_points_are_shared_by_what_they_were_used_and_earned_for(data: st.DataObject) -> None:
    """Each line's share is within one point of its exact part: of the value used, of the money earned."""
    sold = data.draw(orders())
    discounts = sold.discount_shares()
    worth = {line.line_id: line.value for line in sold.lines}
    paid = {line_id: value - discounts[line_id] for line_id, value in worth.items()}

    for points, shares, weights in (
        (sold.points.used, sold.points_used_shares(), worth),
        (sold.points.earned, sold.points_earned_shares(), paid),
    ):
        assert sum(shares.values()) == points
        total = sum(weights.values())
        for line_id, weight in weights.items() if total else ():
            assert abs(shares[line_id] * total - points * weight) < total


@pytest.mark.rule("S068")
def test_points_go_back_and_are_clawed_back_in_points() -> None:
    """300 points paid 3.00 of 30.00; two of three pieces bring 200 of them back, and cost 18 of 27 earned."""
    sold = an_order(
        a_line("1", 3, 1_000),
        discounts=(OrderDiscount("POINTS", 300, DiscountKind.POINTS),),
        points=Points(used=300, earned=27),
    )

    quote = quote_return(as_it_stands(sold), [back(2)], a_policy(), CUSTOMER_PAYS)

    assert (quote.refund.minor_units, quote.points_back, quote.points_clawed_back) == (1_800, 200, 18)
    assert quote.coupons_back == ()


def test_a_coupon_goes_back_with_the_last_of_the_order() -> None:
    """It cannot be divided; what points or a promotion took off is no coupon."""
    sold = an_order(
        a_line("1", 2, 1_000),
        discounts=(
            OrderDiscount("WELCOME", 100),
            OrderDiscount("POINTS", 50, DiscountKind.POINTS),
            OrderDiscount("SPRING", 50, DiscountKind.PROMOTION),
        ),
    )

    first = quote_return(as_it_stands(sold), [back(1)], a_policy(), CUSTOMER_PAYS)
    last = quote_return(as_it_stands(sold, refunded={"1": 1}), [back(1, first=1)], a_policy(), CUSTOMER_PAYS)

    assert (first.coupons_back, last.coupons_back) == ((), ("WELCOME",))


def test_a_policy_may_keep_what_is_not_money() -> None:
    """Where the law leaves it to the shop: then nothing of it is told."""
    sold = an_order(points=Points(60, 6), discounts=(OrderDiscount("WELCOME", 30),))
    keeps = a_policy(
        in_kind=InKind(
            points_used_back=False, points_earned_clawed_back=False, coupons_back_when_whole_order=False
        )
    )

    quote = quote_return(as_it_stands(sold), [back(6)], keeps, CUSTOMER_PAYS)

    assert (quote.points_back, quote.points_clawed_back, quote.coupons_back) == (0, 0, ())


def test_an_order_paid_with_points_alone_gives_points_back() -> None:
    """No money has moved, so none goes back; the points do, and none were earned by money."""
    sold = an_order(
        a_line("1", 2, 500),
        discounts=(OrderDiscount("POINTS", 1_000, DiscountKind.POINTS),),
        points=Points(used=1_000, earned=3),
    )

    quote = quote_return(as_it_stands(sold), [back(1)], a_policy(), CUSTOMER_PAYS)

    assert (quote.refund.minor_units, quote.to, quote.points_back, quote.points_clawed_back) == (
        0,
        (),
        500,
        2,
    )


EXPRESS = ShippingCharge(1_200, 240, "express", an_address(), standard_price=400)


@pytest.mark.parametrize(
    ("tax_inclusive", "is_merchants", "policy", "shipping"),
    [
        (True, False, a_policy(), 400),
        (False, False, a_policy(), 480),
        (True, True, a_policy(), 1_200),
        (False, True, a_policy(), 1_440),
        (True, False, a_policy(express_shipping_back=True), 1_200),
        (True, True, a_policy(outbound_shipping_back_when_whole_order=False), 0),
    ],
)
def test_of_express_only_what_standard_would_have_cost_comes_back(
    policy: Policy, shipping: int, *, tax_inclusive: bool, is_merchants: bool
) -> None:
    """Who chose express pays the difference, with its part of the tax, unless the shop is at fault."""
    sold = an_order(shipping=EXPRESS, tax_inclusive=tax_inclusive)
    owed = MERCHANT_PAYS if is_merchants else CUSTOMER_PAYS

    assert quote_return(as_it_stands(sold), [back(6)], policy, owed).shipping == shipping


def test_a_dear_standard_delivery_gives_back_no_more_than_was_paid() -> None:
    """Delivery that was free, or cheaper, comes back as it was paid."""
    sold = an_order(shipping=replace(EXPRESS, price=300, tax=60, standard_price=400))

    assert quote_return(as_it_stands(sold), [back(6)], a_policy(), CUSTOMER_PAYS).shipping == 300


LOSES = a_policy(fees=ReturnFees(lost_value_percent={Grade.B: 0, Grade.C: 30, Grade.D: 60}))


def test_lost_value_is_deducted_by_grade() -> None:
    """Of five at 2.55, accepted: one as new, two C, one D, one nobody graded: C and D have lost."""
    grades = graded((1, Grade.A), (2, Grade.C), (1, Grade.D), (1, None))

    quote = quote_return(as_it_stands(an_order()), [back(5)], LOSES, replace(CUSTOMER_PAYS, grades=grades))

    # 30 % of 5.10 is 1.53, 60 % of 2.55 is 1.53.
    rule = "uk-standard: fees.lost_value_percent, C 30 %, D 60 %"
    assert quote.fees == (Fee("lost_value", 306, rule, LineId("1")),)
    assert quote.refund.minor_units == 5 * 255 - 306


def test_the_shops_fault_makes_no_lost_value() -> None:
    """What came broken is not the customer's loss."""
    owed = replace(MERCHANT_PAYS, grades=graded((6, Grade.D)))

    assert quote_return(as_it_stands(an_order()), [back(6)], LOSES, owed).fees == ()


def test_tax_on_top_is_lost_with_the_value() -> None:
    """A piece of 10.00 and 2.00 tax on top that lost 30 % lowers the refund by 3.60."""
    sold = an_order(a_line("1", 1, 1_000, tax=200), tax_inclusive=False)
    owed = replace(CUSTOMER_PAYS, grades=graded((1, Grade.C)))

    assert quote_return(as_it_stands(sold), [back(1)], LOSES, owed).refund.minor_units == 840


def test_restocking_is_of_what_the_goods_are_still_worth() -> None:
    """10.00 that lost 60 % are worth 4.00; 10 % of that are kept for restocking."""
    policy = a_policy(fees=ReturnFees(restocking_percent=10, lost_value_percent={Grade.D: 60}))
    owed = replace(CUSTOMER_PAYS, grades=graded((1, Grade.D)))

    quote = quote_return(as_it_stands(an_order(a_line("1", 1, 1_000))), [back(1)], policy, owed)

    assert [(fee.code, fee.amount) for fee in quote.fees] == [("lost_value", 600), ("restocking", 40)]


def with_gift(*, shipping: int = 0) -> OrderAsSold:
    """Two lamps at 10.00 and 5.00, and two candles worth 2.00 each for nothing."""
    lines = (a_line("1", 1, 1_000), a_line("2", 1, 500), a_line("G", 2, 200, discount=400, gift=True))
    return an_order(*lines, shipping=ShippingCharge(shipping, 0, "standard", an_address()))


@pytest.mark.parametrize(
    ("units", "refund", "deducted"),
    [
        ([back(1, "1")], 1_000, {}),
        ([back(1, "1"), back(1, "2")], 1_100, {"1": 267, "2": 133}),
        ([back(1, "1"), back(1, "2"), back(1, "G")], 1_300, {"1": 133, "2": 67}),
        ([back(1, "1"), back(1, "2"), back(2, "G")], 1_500, {}),
        ([back(2, "G")], 0, {}),
    ],
)
def test_a_free_gift_that_is_kept_is_priced(
    units: list[HeldUnits], refund: int, deducted: dict[str, int]
) -> None:
    """When all that it came with goes back and it does not; it lowers the lines by what they come to."""
    for owed in (CUSTOMER_PAYS, MERCHANT_PAYS):
        quote = quote_return(as_it_stands(with_gift()), units, a_policy(), owed)

        assert quote.refund.minor_units == refund
        assert {fee.line_id: fee.amount for fee in quote.fees} == deducted
        assert {fee.code for fee in quote.fees} <= {"kept_gift"}


def test_a_kept_gift_keeps_no_shipping_back() -> None:
    """The order has gone back without it; and the gift that follows brings neither a second time."""
    sold = with_gift(shipping=399)
    goods = [back(1, "1"), back(1, "2")]
    later = as_it_stands(sold, refunded={"1": 1, "2": 1})

    assert quote_return(as_it_stands(sold), goods, a_policy(), CUSTOMER_PAYS).shipping == 399
    assert quote_return(later, [back(2, "G")], a_policy(), CUSTOMER_PAYS).refund.minor_units == 0


def test_a_gift_that_comes_later_in_the_case_gives_its_price_back() -> None:
    """Priced with the goods at 4.00; when it comes, the 4.00 go to the lines they were taken from."""
    order = as_it_stands(with_gift())
    goods = [back(1, "1"), back(1, "2")]
    first = quote_return(order, goods, a_policy(), CUSTOMER_PAYS)
    whole = quote_return(order, [*goods, back(2, "G")], a_policy(), replace(CUSTOMER_PAYS, settled=first))

    owed = beyond(whole, first)

    assert (first.refund.minor_units, owed.refund.minor_units) == (1_100, 400)
    (parts,) = refund_parts(owed, tax_inclusive=True).values()
    assert {part.line_id: part.amount for part in parts} == {"1": 267, "2": 133}


def test_a_gift_worth_more_than_the_goods_leaves_what_was_paid_before() -> None:
    """The first lamp is settled at 10.00; the second completes the order and bears what it can."""
    sold = an_order(a_line("1", 2, 1_000), a_line("G", 1, 9_000, discount=9_000, gift=True))
    order = as_it_stands(sold)
    first = quote_return(order, [back(1)], a_policy(), CUSTOMER_PAYS)

    both = quote_return(order, [back(2)], a_policy(), replace(CUSTOMER_PAYS, settled=first))

    assert (first.refund.minor_units, both.refund.minor_units) == (1_000, 1_000)
    assert beyond(both, first).to == ()


def test_a_paid_present_is_no_free_gift() -> None:
    """Who pays for what is marked as a gift may keep it, and the order is whole only with it."""
    sold = an_order(a_line("1", 1, 1_000), a_line("G", 1, 500, gift=True))

    quote = quote_return(as_it_stands(sold), [back(1)], a_policy(), CUSTOMER_PAYS)

    assert (quote.refund.minor_units, quote.fees) == (1_000, ())


def test_a_policy_may_leave_gifts_to_the_customer() -> None:
    """Then nothing is priced."""
    generous = a_policy(fees=ReturnFees(kept_gifts=False))

    quote = quote_return(as_it_stands(with_gift()), [back(1, "1"), back(1, "2")], generous, CUSTOMER_PAYS)

    assert quote.fees == ()


@given(st.data())
def test_split_tenders_take_back_exactly_what_they_paid(data: st.DataObject) -> None:
    """Whatever their order and the returns' order, every tender ends where it began."""
    sold = data.draw(orders())
    left = dict(data.draw(terms(sold)).refundable)
    methods = tuple(data.draw(st.permutations([payment.method for payment in sold.payments])))
    gone: dict[str, int] = {}
    for units in data.draw(partitions(sold)):
        owed = replace(MERCHANT_PAYS, refundable=dict(left))
        order = as_it_stands(sold, refunded=gone)
        for share in quote_return(order, units, a_policy(tender_order=methods), owed).to:
            left[PaymentId(share.payment_id)] -= share.amount
            assert left[share.payment_id] >= 0
        gone = {**gone, **{held.line_id: gone.get(held.line_id, 0) + count_of(held.ranges) for held in units}}

    assert set(left.values()) == {0}
