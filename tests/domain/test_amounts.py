"""What returned units are worth, to the minor unit, and over which tenders it goes back."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.amounts import (
    QuoteTerms,
    count_of,
    drain,
    first_units,
    line_amounts,
    payments_of,
    quote_return,
    refund_parts,
)
from services.domain.decision import FreightPayer
from services.domain.ids import LineId, PaymentId
from services.domain.order import HeldUnits, OrderAsSold, OrderDiscount, Payment, ShippingCharge, UnitRange
from services.domain.policy import Policy, ReturnFees
from services.domain.quote import Fee, TenderShare
from tests.builders import (
    CUSTOMER_PAYS,
    MERCHANT_PAYS,
    NOW,
    a_line,
    a_policy,
    an_address,
    an_order,
    as_it_stands,
)
from tests.domain.strategies import orders, partitions, policies, terms


def units(*counts: int, first: int = 0) -> list[HeldUnits]:
    """Hold so many units of lines 1, 2 and so on."""
    return [
        HeldUnits(LineId(str(number)), (UnitRange(first, count),))
        for number, count in enumerate(counts, start=1)
        if count
    ]


@given(st.data())
def test_any_partition_of_the_units_adds_up_to_each_line(data: st.DataObject) -> None:
    """However a line comes back, goods, tax and discount add up; no unit is worth less than nothing."""
    sold = data.draw(orders())
    returns = data.draw(partitions(sold))
    parts = [line_amounts(sold, held) for units_back in returns for held in units_back]

    discounts = sold.discount_shares()
    for line in sold.lines:
        of_line = [part for part in parts if part.line_id == line.line_id]
        assert sum(part.quantity for part in of_line) == line.quantity
        assert sum(part.goods for part in of_line) == line.value - discounts[line.line_id]
        assert sum(part.tax for part in of_line) == line.tax
        assert sum(part.discount_share for part in of_line) == discounts[line.line_id]
    assert all(min(part.goods, part.tax, part.discount_share) >= 0 for part in parts)


@pytest.mark.rule("S041")
def test_a_coupon_comes_back_with_the_units_it_was_spent_on() -> None:
    """An order discount is shared by line value: a return gives what was paid, not the list price."""
    sold = an_order(
        a_line("1", 2, 3_000), a_line("2", 1, 4_000), discounts=(OrderDiscount("WELCOME", 1_000),)
    )

    one_of_two = line_amounts(sold, units(1)[0])
    assert (one_of_two.goods, one_of_two.discount_share) == (2_700, 300)


def test_a_cheap_unit_is_never_worth_less_than_nothing() -> None:
    """Two minor units over four pieces, half of it discounted: each piece is worth nothing or one."""
    sold = an_order(a_line("1", 4, 1, discount=2), discounts=(OrderDiscount("WELCOME", 1),))

    goods = [line_amounts(sold, units(1, first=first)[0]).goods for first in range(4)]
    assert goods == [0, 1, 0, 0]


def test_an_unknown_line_is_worth_nothing_anybody_could_say() -> None:
    """Units of a line the order does not have are a bug of the caller."""
    with pytest.raises(ValueError, match="no line 9"):
        line_amounts(an_order(), HeldUnits(LineId("9"), (UnitRange(0, 1),)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=5), st.integers(0, 30))
def test_the_first_units_are_the_lowest_of_the_ranges(gaps: list[tuple[int, int]], quantity: int) -> None:
    """As many as asked, the earlier ranges first; asking for more than there are is a bug."""
    ranges, at = [], 0
    for gap, count in gaps:
        ranges.append(UnitRange(at + gap, count))
        at += gap + count
    numbers = [number for part in ranges for number in range(part.first, part.first + part.count)]

    if quantity > len(numbers):
        with pytest.raises(ValueError, match="missing"):
            first_units(ranges, quantity)
        return
    taken = first_units(ranges, quantity)
    assert [n for part in taken for n in range(part.first, part.first + part.count)] == numbers[:quantity]
    assert count_of(taken) == quantity


@given(st.data())
def test_the_caps_add_up_to_what_the_order_cost(data: st.DataObject) -> None:
    """Lines after discounts (with tax on top where it is on top) and shipping are all that was paid."""
    sold = data.draw(orders())
    known = payments_of(sold)

    assert sum(cap.amount for cap in known.caps) == sold.total.minor_units
    assert sum(payment.amount.minor_units for payment in known.payments) == sold.total.minor_units
    assert min(cap.amount for cap in known.caps) >= 0


@given(st.data())
def test_a_quote_is_goods_and_shipping_less_fees(data: st.DataObject) -> None:
    """Refund = Σ goods (+ Σ tax on top) + shipping − Σ fees = Σ tenders; fees never exceed the goods."""
    sold = data.draw(orders())
    returns = data.draw(partitions(sold))
    policy = data.draw(policies())

    quote = quote_return(as_it_stands(sold), returns[0], policy, data.draw(terms(sold)))

    goods = sum(line.amount(tax_inclusive=sold.tax_inclusive) for line in quote.lines)
    fees = sum(fee.amount for fee in quote.fees)
    assert (
        quote.refund.minor_units == goods + quote.shipping - fees == sum(share.amount for share in quote.to)
    )
    assert 0 <= fees <= goods
    assert quote.refund.minor_units >= 0
    assert quote.refund.currency == sold.currency


@given(st.data())
def test_an_order_that_comes_back_in_parts_is_paid_back_wholly_and_once(data: st.DataObject) -> None:
    """Without fees, returns in any number and order give all that was paid; shipping once, with the last."""
    sold = data.draw(orders())
    returns = data.draw(partitions(sold))
    left = {payment.payment_id: payment.amount for payment in sold.payments}
    gone: dict[str, int] = {}
    shipping = []
    for units_back in returns:
        owed = QuoteTerms(FreightPayer.MERCHANT, label_is_ours=True, refundable=dict(left))
        quote = quote_return(as_it_stands(sold, refunded=gone), units_back, a_policy(), owed)
        shipping.append(quote.shipping)
        for share in quote.to:
            left[share.payment_id] -= share.amount
        for held in units_back:
            gone[held.line_id] = gone.get(held.line_id, 0) + count_of(held.ranges)

    assert set(left.values()) == {0}
    assert shipping == [0] * (len(returns) - 1) + [sold.shipping_total]


@pytest.mark.parametrize(
    ("refunded", "back", "is_back"),
    [
        ({}, (2, 1), True),
        ({}, (2, 0), False),
        ({}, (1, 1), False),
        ({"2": 1}, (2, 0), True),
        ({"1": 1}, (1, 1), True),
        ({"1": 2, "2": 1}, (0, 0), False),
    ],
)
def test_shipping_comes_back_with_the_last_of_the_order(
    refunded: dict[str, int], back: tuple[int, int], *, is_back: bool
) -> None:
    """It is given back with the return that completes the order, and not again after it."""
    shipping = ShippingCharge(499, 0, "standard", an_address())
    order = as_it_stands(an_order(a_line("1", 2), a_line("2", 1), shipping=shipping), refunded=refunded)

    assert quote_return(order, units(*back), a_policy(), CUSTOMER_PAYS).shipping == (499 if is_back else 0)


def test_a_policy_may_keep_the_outbound_shipping() -> None:
    """Where the law leaves it to the shop, its policy decides."""
    order = as_it_stands(an_order(shipping=ShippingCharge(499, 0, "standard", an_address())))
    keeps = a_policy(outbound_shipping_back_when_whole_order=False)

    assert quote_return(order, units(6), keeps, CUSTOMER_PAYS).shipping == 0


FEES = ReturnFees(restocking_percent=10, return_freight=500)


@pytest.mark.parametrize(
    ("merchant_pays", "label_is_ours", "quantity", "fees"),
    [
        pytest.param(True, True, 6, {}, marks=[pytest.mark.rule("S064"), pytest.mark.rule("S255")]),
        pytest.param(
            False, True, 6, {"restocking": 153, "return_freight": 500}, marks=pytest.mark.rule("S254")
        ),
        (False, False, 6, {"restocking": 153}),
        (False, True, 1, {"restocking": 25, "return_freight": 230}),
    ],
)
def test_who_is_not_at_fault_pays_no_fee(
    quantity: int, fees: Mapping[str, int], *, merchant_pays: bool, label_is_ours: bool
) -> None:
    """Fees are the customer's alone, the freight only when we print the label, and goods bound both."""
    owed = MERCHANT_PAYS if merchant_pays else CUSTOMER_PAYS
    owed = replace(owed, label_is_ours=label_is_ours)

    quote = quote_return(as_it_stands(an_order()), units(quantity), a_policy(fees=FEES), owed)

    assert {fee.code: fee.amount for fee in quote.fees} == fees
    assert all(f"uk-standard: fees.{fee.code}" in fee.rule for fee in quote.fees)
    assert quote.refund.minor_units == quantity * 255 - sum(fees.values())


def test_nothing_returned_is_worth_nothing() -> None:
    """Without units there are no lines, no fees and no tenders."""
    nothing = [HeldUnits(LineId("1"), ())]

    quote = quote_return(as_it_stands(an_order()), nothing, a_policy(fees=FEES), CUSTOMER_PAYS)

    assert (quote.refund.minor_units, quote.lines, quote.fees, quote.to) == (0, (), (), ())


TENDERS = [PaymentId("a"), PaymentId("b"), PaymentId("c")]


@given(st.lists(st.integers(0, 100), min_size=3, max_size=3), st.integers(0, 300), st.permutations(TENDERS))
def test_tenders_are_drained_one_after_the_other(room: list[int], total: int, order: list[PaymentId]) -> None:
    """A tender is used up before the next is touched; what fits into none is refused."""
    refundable = dict(zip(TENDERS, room, strict=True))
    if total > sum(room):
        with pytest.raises(ValueError, match="fit into no tender"):
            drain(total, refundable, order)
        return
    shares = drain(total, refundable, order)

    assert sum(share.amount for share in shares) == total
    assert all(0 < share.amount <= refundable[share.payment_id] for share in shares)
    used = [tender for tender in order if refundable[tender]][: len(shares)]
    assert [share.payment_id for share in shares] == used
    assert all(share.amount == refundable[share.payment_id] for share in shares[:-1])


def split_tender() -> OrderAsSold:
    """Six lanterns paid with 5.00 on a card and the rest from store credit."""
    card = Payment(PaymentId("pay_card"), "sandbox", "card", 500, NOW)
    credit = Payment(PaymentId("pay_credit"), "sandbox", "store_credit", 1030, NOW)
    return an_order(payments=(card, credit))


@pytest.mark.parametrize(
    ("tender_order", "to"),
    [
        (("store_credit", "card"), (TenderShare(PaymentId("pay_credit"), 765),)),
        (("card",), (TenderShare(PaymentId("pay_card"), 500), TenderShare(PaymentId("pay_credit"), 265))),
        ((), (TenderShare(PaymentId("pay_card"), 500), TenderShare(PaymentId("pay_credit"), 265))),
    ],
)
def test_the_policy_says_which_tender_is_paid_back_first(
    tender_order: tuple[str, ...], to: tuple[TenderShare, ...]
) -> None:
    """By the method's rank in the policy; unranked ones last, as they were paid."""
    sold = split_tender()
    policy = a_policy(tender_order=tender_order)
    owed = replace(
        CUSTOMER_PAYS, refundable={payment.payment_id: payment.amount for payment in sold.payments}
    )

    assert quote_return(as_it_stands(sold), units(3), policy, owed).to == to


@pytest.mark.parametrize(
    ("tender_order", "first"), [((), "pay_credit"), (("wallet",), "pay_credit"), (("card",), "pay_card")]
)
def test_what_was_paid_in_credit_goes_back_first(tender_order: tuple[str, ...], first: str) -> None:
    """Unless the policy ranks another tender before it."""
    card, credit = split_tender().payments
    sold = an_order(payments=(card, replace(credit, provider="store_credit")))
    owed = replace(CUSTOMER_PAYS, refundable={one.payment_id: one.amount for one in sold.payments})

    to = quote_return(as_it_stands(sold), units(1), a_policy(tender_order=tender_order), owed).to
    assert to == (TenderShare(PaymentId(first), 255),)


@given(st.data())
def test_parts_add_up_per_tender_and_per_line(data: st.DataObject) -> None:
    """A tender's parts are its share; over the tenders, lines and shipping get what the quote gives."""
    sold = data.draw(orders())
    quote = quote_return(
        as_it_stands(sold), data.draw(partitions(sold))[0], data.draw(policies()), data.draw(terms(sold))
    )
    parts = refund_parts(quote, tax_inclusive=sold.tax_inclusive)
    over_all = [part for tender in parts.values() for part in tender]

    assert {tender: sum(part.amount for part in own) for tender, own in parts.items()} == {
        share.payment_id: share.amount for share in quote.to
    }
    assert all(part.amount > 0 for part in over_all)
    assert sum(part.amount for part in over_all if part.line_id is None) == quote.shipping
    fees = 0
    for line in quote.lines:
        gross = line.amount(tax_inclusive=sold.tax_inclusive)
        net = sum(part.amount for part in over_all if part.line_id == line.line_id)
        assert 0 <= net <= gross
        fees += gross - net
    assert fees == sum(fee.amount for fee in quote.fees)


def test_a_fee_lowers_the_lines_by_their_value() -> None:
    """A freight of 100 over lines of 300 and 100 costs them 75 and 25."""
    sold = an_order(a_line("1", 1, 300), a_line("2", 1, 100))
    policy: Policy = a_policy(fees=ReturnFees(return_freight=100))

    quote = quote_return(as_it_stands(sold), units(1, 1), policy, CUSTOMER_PAYS)

    assert quote.fees == (Fee("return_freight", 100, "uk-standard: fees.return_freight"),)
    (parts,) = refund_parts(quote, tax_inclusive=True).values()
    assert [(part.line_id, part.amount) for part in parts] == [("1", 225), ("2", 75)]
