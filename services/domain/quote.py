"""What the customer gets and why, per line; the confirmed quote is what is paid.

All amounts are minor units of ``currency``.
"""

from dataclasses import dataclass

from services.domain.ids import LineId, PaymentId
from services.domain.money import Money


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """``goods`` is after discounts (with tax when inclusive); ``tax`` is the tax within or on top."""

    line_id: LineId
    quantity: int
    goods: int
    tax: int
    discount_share: int


@dataclass(frozen=True, slots=True)
class Fee:
    """A deduction, always with the rule that allows it."""

    code: str
    amount: int
    rule: str


@dataclass(frozen=True, slots=True)
class TenderShare:
    payment_id: PaymentId
    amount: int


@dataclass(frozen=True, slots=True)
class Quote:
    """``refund`` = Σ goods (+ Σ tax when exclusive) + shipping − Σ fees = Σ ``to``."""

    refund: Money
    lines: tuple[QuoteLine, ...]
    shipping: int
    fees: tuple[Fee, ...]
    to: tuple[TenderShare, ...]


def beyond(quote: Quote, earlier: Quote | None) -> Quote:
    """Return what ``quote`` gives beyond what ``earlier`` gave: what a further settlement has to pay.

    Both must be of the same return, ``quote`` for at least the same units; ``earlier.to`` is what each tender
    was paid.
    """
    if earlier is None:
        return quote
    lines = {line.line_id: line for line in earlier.lines}
    fees = {fee.code: fee.amount for fee in earlier.fees}
    return Quote(
        refund=quote.refund - earlier.refund,
        lines=tuple(_line_beyond(line, lines.get(line.line_id)) for line in quote.lines),
        shipping=quote.shipping - earlier.shipping,
        fees=tuple(Fee(f.code, f.amount - fees.get(f.code, 0), f.rule) for f in quote.fees),
        to=_shares_beyond(quote, earlier),
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
    )
