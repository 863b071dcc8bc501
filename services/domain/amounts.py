"""What units of an order are worth, and how money goes back over the tenders.

A unit's number fixes its share of every component of its line (price, tax, discount), so any sequence of
partial refunds adds up to what was paid, to the minor unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.domain.decision import FreightPayer
from services.domain.deductions import GradedUnits, handling, kept_gifts, lost_value, shared
from services.domain.ids import LineId, PaymentId
from services.domain.logistics import Grade
from services.domain.money import Money, allocate, share_of_first
from services.domain.order import DiscountKind, HeldUnits, Order, OrderAsSold, Payment, UnitRange
from services.domain.policy import Policy
from services.domain.quote import Fee, Quote, QuoteLine, TenderShare
from services.domain.refund import CapturedPayment, LineCap, OrderPayments, RefundPart
from services.domain.store_credit import STORE_CREDIT_PROVIDER


def split_units(
    ranges: Sequence[UnitRange], quantity: int
) -> tuple[tuple[UnitRange, ...], tuple[UnitRange, ...]]:
    """Return the first ``quantity`` units of ``ranges`` (fewer if there are fewer), and the rest."""
    taken: list[UnitRange] = []
    rest: list[UnitRange] = []
    left = quantity
    for part in ranges:
        first = min(part.count, left)
        left -= first
        if first:
            taken.append(UnitRange(part.first, first))
        if first < part.count:
            rest.append(UnitRange(part.first + first, part.count - first))
    return tuple(taken), tuple(rest)


def first_units(ranges: Sequence[UnitRange], quantity: int) -> tuple[UnitRange, ...]:
    """Return the ``quantity`` lowest-numbered units of ``ranges``.

    Raises:
        ValueError: If there are fewer.
    """
    taken, _ = split_units(ranges, quantity)
    if count_of(taken) < quantity:
        raise ValueError(f"{quantity - count_of(taken)} units are missing")
    return taken


def count_of(ranges: Sequence[UnitRange]) -> int:
    return sum(part.count for part in ranges)


@dataclass(frozen=True, slots=True)
class Shares:
    """What each line of an order carries of what was for the whole of it."""

    discounts: Mapping[LineId, int]
    points_used: Mapping[LineId, int]
    points_earned: Mapping[LineId, int]

    @classmethod
    def of(cls, sold: OrderAsSold) -> "Shares":
        return cls(sold.discount_shares(), sold.points_used_shares(), sold.points_earned_shares())


def line_amounts(order: OrderAsSold, held: HeldUnits, shares: Shares | None = None) -> QuoteLine:
    """Return what the held units of a line come to, component by component; ``shares`` are the order's.

    Goods are shared after the discount, so that no unit of a cheap line is worth less than nothing.
    """
    line = order.line(held.line_id)
    if line is None:
        raise ValueError(f"the order has no line {held.line_id}")
    shares = shares or Shares.of(order)
    discounts = shares.discounts[line.line_id]
    return QuoteLine(
        line_id=line.line_id,
        quantity=count_of(held.ranges),
        goods=_share(line.value - discounts, held.ranges, line.quantity),
        tax=_share(line.tax, held.ranges, line.quantity),
        discount_share=_share(discounts, held.ranges, line.quantity),
        points_back=_share(shares.points_used[line.line_id], held.ranges, line.quantity),
        points_clawed_back=_share(shares.points_earned[line.line_id], held.ranges, line.quantity),
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
        customer_id=order.customer.customer_id,
    )


def _share(total: int, ranges: Sequence[UnitRange], of: int) -> int:
    return sum(
        share_of_first(total, part.first + part.count, of) - share_of_first(total, part.first, of)
        for part in ranges
    )


@dataclass(frozen=True, slots=True)
class QuoteTerms:
    """What a quote depends on beside the units.

    Who is at fault; what each tender can take back; how the units of each line were judged, in their order;
    and what the case has settled before, which is never taken back.
    """

    freight_paid_by: FreightPayer
    label_is_ours: bool
    refundable: Mapping[PaymentId, int]
    grades: Mapping[LineId, tuple[GradedUnits, ...]] = field(default_factory=dict)
    settled: Quote | None = None


def quote_return(order: Order, units: Sequence[HeldUnits], policy: Policy, terms: QuoteTerms) -> Quote:
    """Return what giving back the money for ``units`` comes to: per line, shipping, fees, tenders.

    Shipping, and what cannot be divided, comes back when with these units the whole order has come back;
    fees never exceed the goods.

    Raises:
        ValueError: If the tenders cannot take the amount back.
    """
    sold = order.sold
    shares = Shares.of(sold)
    some = [held for held in units if held.ranges]
    lines = tuple(_in_kind(line_amounts(sold, held, shares), policy) for held in some)
    is_whole = _is_whole_order(order, some)
    fees = _fees(order, some, lines, policy, terms) if lines else ()
    goods = sum(line.amount(tax_inclusive=sold.tax_inclusive) for line in lines)
    shipping = _shipping(sold, policy, terms) if is_whole else 0
    total = goods + shipping - sum(fee.amount for fee in fees)
    return Quote(
        refund=Money(total, sold.currency),
        lines=lines,
        shipping=shipping,
        fees=fees,
        to=drain(total, terms.refundable, _drain_order(sold, policy)),
        coupons_back=_coupons(sold, policy) if is_whole else (),
    )


def _in_kind(line: QuoteLine, policy: Policy) -> QuoteLine:
    """Return the line with the points that the policy gives and takes back."""
    return replace(
        line,
        points_back=line.points_back if policy.in_kind.points_used_back else 0,
        points_clawed_back=line.points_clawed_back if policy.in_kind.points_earned_clawed_back else 0,
    )


def _is_whole_order(order: Order, units: Sequence[HeldUnits]) -> bool:
    """Tell whether these units complete the order; what came free with the rest completes nothing."""
    returning = {held.line_id: count_of(held.ranges) for held in units}
    lines = [line for line in order.sold.lines if not line.is_free_gift] or order.sold.lines
    return any(returning.get(line.line_id) for line in lines) and all(
        order.units_of(line.line_id).refunded + returning.get(line.line_id, 0) >= line.quantity
        for line in lines
    )


def _shipping(sold: OrderAsSold, policy: Policy, terms: QuoteTerms) -> int:
    """Return what of the outbound shipping comes back; beyond standard delivery the policy decides."""
    if not policy.outbound_shipping_back_when_whole_order:
        return 0
    is_full = policy.express_shipping_back or terms.freight_paid_by is FreightPayer.MERCHANT
    return sold.shipping_total if is_full else sold.standard_shipping_total


def _coupons(sold: OrderAsSold, policy: Policy) -> tuple[str, ...]:
    if not policy.in_kind.coupons_back_when_whole_order:
        return ()
    return tuple(discount.code for discount in sold.discounts if discount.kind is DiscountKind.COUPON)


def _fees(
    order: Order,
    units: Sequence[HeldUnits],
    lines: Sequence[QuoteLine],
    policy: Policy,
    terms: QuoteTerms,
) -> tuple[Fee, ...]:
    is_theirs = terms.freight_paid_by is FreightPayer.CUSTOMER
    inclusive = order.sold.tax_inclusive
    fees = lost_value(_worth_by_grade(order.sold, units, terms), policy) if is_theirs else []
    net = {line.line_id: line.amount(tax_inclusive=inclusive) for line in lines}
    for fee in fees:
        net[fee.line_id or LineId("")] -= fee.amount
    if _is_whole_order(order, units):
        paid = terms.settled.net_of_lines(tax_inclusive=inclusive) if terms.settled else {}
        room = {line_id: amount - paid.get(line_id, 0) for line_id, amount in net.items()}
        fees += shared("kept_gift", *kept_gifts(order, units, policy), room)
    left = sum(line.amount(tax_inclusive=inclusive) for line in lines) - sum(fee.amount for fee in fees)
    handled = handling(left, policy, label_is_ours=terms.label_is_ours) if is_theirs else []
    return (*fees, *handled)


def _worth_by_grade(
    sold: OrderAsSold, units: Sequence[HeldUnits], terms: QuoteTerms
) -> dict[LineId, dict[Grade, int]]:
    """Return what the units of each grade come to, line by line; the first judged are the first held."""
    worth: dict[LineId, dict[Grade, int]] = {}
    discounts = sold.discount_shares() if terms.grades else {}
    for held in units:
        line = sold.line(held.line_id)
        rest = held.ranges
        for graded in terms.grades.get(held.line_id, ()):
            some, rest = split_units(rest, graded.count)
            if line is None or graded.grade is None:
                continue
            amount = _share(line.value - discounts[line.line_id], some, line.quantity)
            amount += 0 if sold.tax_inclusive else _share(line.tax, some, line.quantity)
            by_grade = worth.setdefault(line.line_id, {})
            by_grade[graded.grade] = by_grade.get(graded.grade, 0) + amount
    return worth


def _drain_order(sold: OrderAsSold, policy: Policy) -> tuple[PaymentId, ...]:
    """Return the tenders as the policy ranks them; of one rank, what was paid in store credit comes first."""
    ranks = {method: rank for rank, method in enumerate(policy.tender_order)}

    def place(payment: Payment) -> tuple[int, bool]:
        return ranks.get(payment.method, len(ranks)), payment.provider != STORE_CREDIT_PROVIDER

    return tuple(payment.payment_id for payment in sorted(sold.payments, key=place))


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
    """Say of each tender's share what it pays for; fees of no line lower the lines by what they come to.

    Over the tenders, each line's parts add up to exactly what the quote gives for it.
    """
    net = quote.net_of_lines(tax_inclusive=tax_inclusive)
    fees = sum(fee.amount for fee in quote.fees if fee.line_id is None)
    less = allocate(fees, list(net.values())) if fees else [0] * len(net)
    due: list[tuple[LineId | None, int]] = [
        (line_id, amount - fee) for (line_id, amount), fee in zip(net.items(), less, strict=True)
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
