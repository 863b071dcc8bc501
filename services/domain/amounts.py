"""What units of an order are worth, and how money goes back over the tenders.

A unit's number fixes its share of every component of its line (price, tax, discount), so any sequence of
partial refunds adds up to what was paid, to the minor unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.domain.decision import FreightPayer
from services.domain.ids import LineId, PaymentId
from services.domain.money import Money, allocate, share_of_first
from services.domain.order import HeldUnits, Order, OrderAsSold, UnitRange
from services.domain.policy import Policy
from services.domain.quote import Fee, Quote, QuoteLine, TenderShare
from services.domain.refund import CapturedPayment, LineCap, OrderPayments, RefundPart


def first_units(ranges: Sequence[UnitRange], quantity: int) -> tuple[UnitRange, ...]:
    """Return the ``quantity`` lowest-numbered units of ``ranges``.

    Raises:
        ValueError: If there are fewer.
    """
    taken: list[UnitRange] = []
    left = quantity
    for part in ranges:
        if left <= 0:
            break
        taken.append(UnitRange(part.first, min(part.count, left)))
        left -= taken[-1].count
    if left > 0:
        raise ValueError(f"{left} units are missing")
    return tuple(taken)


def count_of(ranges: Sequence[UnitRange]) -> int:
    return sum(part.count for part in ranges)


def line_amounts(order: OrderAsSold, held: HeldUnits) -> QuoteLine:
    """Return what the held units of a line come to, component by component.

    Goods are shared after the discount, so that no unit of a cheap line is worth less than nothing.
    """
    line = order.line(held.line_id)
    if line is None:
        raise ValueError(f"the order has no line {held.line_id}")
    discounts = order.discount_shares()[line.line_id]
    return QuoteLine(
        line_id=line.line_id,
        quantity=count_of(held.ranges),
        goods=_share(line.value - discounts, held.ranges, line.quantity),
        tax=_share(line.tax, held.ranges, line.quantity),
        discount_share=_share(discounts, held.ranges, line.quantity),
    )


def payments_of(order: OrderAsSold) -> OrderPayments:
    """Return the order's payments, and what each line and shipping cost the customer: the most they get back.

    The caps add up to the order's total.
    """
    shares = order.discount_shares()
    lines = (
        LineCap(
            line.value - shares[line.line_id] + (0 if order.tax_inclusive else line.tax),
            line.line_id,
        )
        for line in order.lines
    )
    return OrderPayments(
        store_id=order.store_id,
        order_id=order.order_id,
        currency=order.currency,
        version=order.version,
        caps=(*lines, LineCap(order.shipping_total)),
        payments=tuple(
            CapturedPayment(
                payment.payment_id,
                payment.provider,
                payment.method,
                Money(payment.amount, order.currency),
                payment.captured_at,
            )
            for payment in order.payments
        ),
    )


def _share(total: int, ranges: Sequence[UnitRange], of: int) -> int:
    return sum(
        share_of_first(total, part.first + part.count, of) - share_of_first(total, part.first, of)
        for part in ranges
    )


@dataclass(frozen=True, slots=True)
class QuoteTerms:
    """What a quote depends on beside the units: who is at fault, and what each tender can take back."""

    freight_paid_by: FreightPayer
    label_is_ours: bool
    refundable: Mapping[PaymentId, int]


def quote_return(order: Order, units: Sequence[HeldUnits], policy: Policy, terms: QuoteTerms) -> Quote:
    """Return what giving back the money for ``units`` comes to: per line, shipping, fees, tenders.

    Shipping comes back when with these units the whole order has come back; fees never exceed the goods.

    Raises:
        ValueError: If the tenders cannot take the amount back.
    """
    sold = order.sold
    lines = tuple(line_amounts(sold, held) for held in units if held.ranges)
    goods = sum(amount_of(line, tax_inclusive=sold.tax_inclusive) for line in lines)
    shipping = sold.shipping_total if lines and _whole_order(order, units, policy) else 0
    fees = _fees(goods, policy, terms) if lines else ()
    total = goods + shipping - sum(fee.amount for fee in fees)
    return Quote(
        refund=Money(total, sold.currency),
        lines=lines,
        shipping=shipping,
        fees=fees,
        to=drain(total, terms.refundable, _drain_order(sold, policy)),
    )


def amount_of(line: QuoteLine, *, tax_inclusive: bool) -> int:
    """Return what the customer gets for a line: goods, and the tax on top when it is not within."""
    return line.goods + (0 if tax_inclusive else line.tax)


def _whole_order(order: Order, units: Sequence[HeldUnits], policy: Policy) -> bool:
    if not policy.outbound_shipping_back_when_whole_order:
        return False
    returning = {held.line_id: count_of(held.ranges) for held in units}
    return all(
        order.units_of(line.line_id).refunded + returning.get(line.line_id, 0) >= line.quantity
        for line in order.sold.lines
    )


def _fees(goods: int, policy: Policy, terms: QuoteTerms) -> tuple[Fee, ...]:
    if terms.freight_paid_by is FreightPayer.MERCHANT:
        return ()
    fees: list[Fee] = []
    left = goods
    restocking = min(left, goods * policy.fees.restocking_percent // 100)
    if restocking:
        fees.append(Fee("restocking", restocking, f"{policy.policy_id}: fees.restocking_percent"))
        left -= restocking
    freight = min(left, policy.fees.return_freight) if terms.label_is_ours else 0
    if freight:
        fees.append(Fee("return_freight", freight, f"{policy.policy_id}: fees.return_freight"))
    return tuple(fees)


def _drain_order(sold: OrderAsSold, policy: Policy) -> tuple[PaymentId, ...]:
    ranks = {method: rank for rank, method in enumerate(policy.tender_order)}
    ordered = sorted(sold.payments, key=lambda payment: ranks.get(payment.method, len(ranks)))
    return tuple(payment.payment_id for payment in ordered)


def drain(
    total: int, refundable: Mapping[PaymentId, int], order: Sequence[PaymentId]
) -> tuple[TenderShare, ...]:
    """Split ``total`` over the tenders, each up to what it can take back, in the given order.

    Raises:
        ValueError: If together they cannot take it back.
    """
    shares: list[TenderShare] = []
    left = total
    for payment_id in order:
        part = min(left, refundable.get(payment_id, 0))
        if part > 0:
            shares.append(TenderShare(payment_id, part))
            left -= part
    if left:
        raise ValueError(f"{left} of {total} fit into no tender")
    return tuple(shares)


def refund_parts(quote: Quote, *, tax_inclusive: bool) -> dict[PaymentId, tuple[RefundPart, ...]]:
    """Say of each tender's share what it pays for; fees lower the lines by their value.

    Over the tenders, each line's parts add up to exactly what the quote gives for it.
    """
    gross = [amount_of(line, tax_inclusive=tax_inclusive) for line in quote.lines]
    fees = sum(fee.amount for fee in quote.fees)
    less = allocate(fees, gross) if fees else [0] * len(gross)
    due: list[tuple[LineId | None, int]] = [
        (line.line_id, amount - fee) for line, amount, fee in zip(quote.lines, gross, less, strict=True)
    ]
    due.append((None, quote.shipping))
    parts: dict[PaymentId, tuple[RefundPart, ...]] = {}
    for share in quote.to:
        left = share.amount
        taken: list[RefundPart] = []
        rest: list[tuple[LineId | None, int]] = []
        for line_id, amount in due:
            part = min(left, amount)
            left -= part
            if part:
                taken.append(RefundPart(part, line_id))
            rest.append((line_id, amount - part))
        due = rest
        parts[share.payment_id] = tuple(taken)
    return parts
