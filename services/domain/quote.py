"""What the customer gets and why, per line; the confirmed quote is what is paid.

All amounts are minor units of ``currency``. Points and coupons are not money: they go back in their own
units, and the storefront, which keeps them, is told how many.
"""

from dataclasses import dataclass, replace

from services.domain.ids import LineId, PaymentId
from services.domain.money import Money


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """``goods`` is after discounts (with tax when inclusive); ``tax`` is the tax within or on top.

    ``points_back`` are points used for the units, ``points_clawed_back`` such as were earned with them.
    """

    line_id: LineId
    quantity: int
    goods: int
    tax: int
    discount_share: int
    points_back: int = 0
    points_clawed_back: int = 0

    def amount(self, *, tax_inclusive: bool) -> int:
        """Return what the customer gets for the line: goods, and the tax on top when it is not within."""
        return self.goods + (0 if tax_inclusive else self.tax)


@dataclass(frozen=True, slots=True)
class Fee:
    """A deduction, always with the rule that allows it.

    It lowers the line it names, or all lines by what they come to.
    """

    code: str
    amount: int
    rule: str
    line_id: LineId | None = None


@dataclass(frozen=True, slots=True)
class TenderShare:
    payment_id: PaymentId
    amount: int


@dataclass(frozen=True, slots=True)
class Quote:
    """``refund`` = Σ goods (+ Σ tax when exclusive) + shipping − Σ fees = Σ ``to``.

    ``coupons_back`` are the codes of the coupons that the customer gets again.
    """

    refund: Money
    lines: tuple[QuoteLine, ...]
    shipping: int
    fees: tuple[Fee, ...]
    to: tuple[TenderShare, ...]
    coupons_back: tuple[str, ...] = ()

    @property
    def points_back(self) -> int:
        return sum(line.points_back for line in self.lines)

    @property
    def points_clawed_back(self) -> int:
        return sum(line.points_clawed_back for line in self.lines)

    def net_of_lines(self, *, tax_inclusive: bool) -> dict[LineId, int]:
        """Return what each line comes to after the deductions that name it."""
        net = {line.line_id: line.amount(tax_inclusive=tax_inclusive) for line in self.lines}
        for fee in self.fees:
            if fee.line_id is not None:
                net[fee.line_id] -= fee.amount
        return net


def beyond(quote: Quote, earlier: Quote | None) -> Quote:
    """Return what ``quote`` gives beyond what ``earlier`` gave: what a further settlement has to pay.

    Both must be of the same return, ``quote`` for at least the same units; ``earlier.to`` is what each tender
    was paid.
    """
    if earlier is None:
        return quote
    lines = {line.line_id: line for line in earlier.lines}
    return Quote(
        refund=quote.refund - earlier.refund,
        lines=tuple(_line_beyond(line, lines.get(line.line_id)) for line in quote.lines),
        shipping=quote.shipping - earlier.shipping,
        fees=_fees_beyond(quote, earlier),
        to=_shares_beyond(quote, earlier),
        coupons_back=quote.coupons_back[len(earlier.coupons_back) :],
    )


def _fees_beyond(quote: Quote, earlier: Quote) -> tuple[Fee, ...]:
    """Return each fee less what was deducted before; less than nothing for one that is not due any more."""
    now = {(fee.code, fee.line_id): fee for fee in quote.fees}
    before = {(fee.code, fee.line_id): fee for fee in earlier.fees}
    nothing = {key: replace(fee, amount=0) for key, fee in before.items()}
    return tuple(
        replace(fee, amount=fee.amount - before[key].amount) if key in before else fee
        for key, fee in {**nothing, **now}.items()
    )


def _shares_beyond(quote: Quote, earlier: Quote) -> tuple[TenderShare, ...]:
    """Return the shares still to be paid, which add up to the rest of the refund.

    A tender may by now have a smaller share than it was paid, because another has become able to take more;
    what it has too much, the last others get less.
    """
    known = {share.payment_id: share.amount for share in earlier.to}
    more = {s.payment_id: max(0, s.amount - known.get(s.payment_id, 0)) for s in quote.to}
    left = (quote.refund - earlier.refund).minor_units
    shares = []
    for payment_id, amount in more.items():
        part = min(left, amount)
        left -= part
        if part > 0:
            shares.append(TenderShare(payment_id, part))
    return tuple(shares)


def _line_beyond(line: QuoteLine, earlier: QuoteLine | None) -> QuoteLine:
    if earlier is None:
        return line
    return QuoteLine(
        line.line_id,
        line.quantity - earlier.quantity,
        line.goods - earlier.goods,
        line.tax - earlier.tax,
        line.discount_share - earlier.discount_share,
        line.points_back - earlier.points_back,
        line.points_clawed_back - earlier.points_clawed_back,
    )
