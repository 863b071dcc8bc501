"""How an order becomes an invoice, and a refund a credit note: every minor unit is accounted for once.

Of each line a document has net and tax. What a credit takes of a line is split so that neither part is
ever credited beyond the invoice, whatever was credited and taken back before; a line credited in full is
credited exactly, in net and in tax.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from services.domain.errors import (
    CreditExceedsInvoice,
    FieldProblem,
    InvalidArgument,
    TaxIdInvalid,
    TaxMismatch,
)
from services.domain.ids import LineId
from services.domain.invoice import Buyer, BuyerKind, DocumentKind, DocumentLine, Draft
from services.domain.money import allocate, share_of_first
from services.domain.order import OrderAsSold, OrderLine
from services.domain.refund import RefundPart
from services.domain.tax_id import is_tax_id

SHIPPING_TITLE: Final = "Shipping"
_MOST_PERCENT: Final = 100


def check_buyer(buyer: Buyer, country: str) -> None:
    """Refuse a buyer that an invoice cannot be made out to; ``country`` is where it is taxed.

    Raises:
        InvalidArgument: If the title is missing.
        TaxIdInvalid: If an organization has no tax id, or its check character is wrong.
    """
    if not buyer.title.strip():
        problem = FieldProblem("/buyer/title", "required", "whom the invoice is made out to")
        raise InvalidArgument("an invoice needs a title", problems=(problem,))
    if buyer.kind is BuyerKind.ORGANIZATION and not buyer.tax_id:
        problem = FieldProblem("/buyer/tax_id", "required", "an organization has one")
        raise TaxIdInvalid("an organization needs a tax id", problems=(problem,))
    if buyer.tax_id and not is_tax_id(buyer.tax_id, country):
        problem = FieldProblem("/buyer/tax_id", "invalid", f"not a tax id of {country}")
        raise TaxIdInvalid("the tax id is not well formed", problems=(problem,))


def invoice_lines(order: OrderAsSold) -> tuple[DocumentLine, ...]:
    """Return the order as lines of an invoice: after discounts, shipping last, adding up to its total.

    Raises:
        TaxMismatch: If a tax stated is not what its rate comes to.
    """
    shares = order.discount_shares()
    lines = [_sold(line, shares[line.line_id], is_inclusive=order.tax_inclusive) for line in order.lines]
    if order.shipping_total:
        lines.append(_shipping(order, {line.rate for line in lines}))
    return tuple(lines)


def _sold(line: OrderLine, share: int, *, is_inclusive: bool) -> DocumentLine:
    rate = percent(line.tax_rate)
    priced = line.value - share
    tax = line.tax
    is_stated_after = line.tax <= priced and _fits(line.tax, priced - line.tax, rate, line.quantity)
    if is_inclusive and share and not is_stated_after:
        # Stated of the price before the order's discounts: the tax within what was paid is less.
        tax = share_of_first(line.tax, priced, line.value) if line.value else 0
    net = priced - tax if is_inclusive else priced
    told = DocumentLine(line.title.strip() or line.sku, line.quantity, rate, net, tax, line.line_id)
    if not _fits(tax, net, rate, line.quantity):
        raise TaxMismatch(f"the tax of line {line.line_id} is not {rate} % of its net amount")
    return told


def _shipping(order: OrderAsSold, rates: Iterable[str]) -> DocumentLine:
    """Shipping states its tax alone: its rate is the one of the order's that comes to it."""
    gross, tax = order.shipping_total, order.shipping.tax
    for rate in sorted({*rates, "0"}, key=float, reverse=True):
        if _fits(tax, gross - tax, rate, 1):
            return DocumentLine(SHIPPING_TITLE, 1, rate, gross - tax, tax)
    raise TaxMismatch("the tax of shipping is at none of the order's rates")


def percent(rate: str) -> str:
    """Return a rate as it is written in documents: no needless digits.

    Raises:
        TaxMismatch: If it is beyond a hundred.
    """
    value = Decimal(rate)
    if value > _MOST_PERCENT:
        raise TaxMismatch(f"a rate of {rate} % is beyond a hundred")
    return f"{value.normalize():f}"


def _fits(tax: int, net: int, rate: str, quantity: int) -> bool:
    """Tell whether a tax is what its rate comes to, but for rounding each unit on its own."""
    exact = net * Decimal(rate) / 100
    return abs(tax - exact.quantize(Decimal(1), ROUND_HALF_UP)) <= (quantity if Decimal(rate) else 0)


@dataclass(frozen=True, slots=True)
class Left:
    """What of an invoice's line has not been credited."""

    line: DocumentLine
    net: int
    tax: int

    @property
    def gross(self) -> int:
        return self.net + self.tax

    def take(self, gross: int) -> DocumentLine:
        """Return a credit of ``gross``: its tax in proportion, to the minor unit over all of them.

        Raises:
            CreditExceedsInvoice: If there is not so much left.
        """
        if gross > self.gross:
            raise CreditExceedsInvoice(f"{gross} of {self.line.title!r} are asked for, {self.gross} are left")
        gone = self.line.gross - self.gross
        wanted = share_of_first(self.line.tax, gone + gross, self.line.gross) - (self.line.tax - self.tax)
        # Notes taken back may leave any rounding behind: neither part may be overdrawn.
        tax = min(max(wanted, gross - self.net, 0), gross, self.tax)
        return replace(self.line, quantity=1, net=gross - tax, tax=tax)


def left_of(invoice: Draft, later: Sequence[Draft]) -> tuple[Left, ...]:
    """Return what is left of each line, after the credit and debit notes ``later``."""
    return tuple(
        Left(
            line,
            line.net - sum(_sign(draft) * told.net for draft, told in _of_line(later, line.line_id)),
            line.tax - sum(_sign(draft) * told.tax for draft, told in _of_line(later, line.line_id)),
        )
        for line in invoice.lines
    )


def _sign(draft: Draft) -> int:
    return 1 if draft.kind is DocumentKind.CREDIT_NOTE else -1


def _of_line(drafts: Sequence[Draft], line_id: LineId | None) -> list[tuple[Draft, DocumentLine]]:
    return [(draft, line) for draft in drafts for line in draft.lines if line.line_id == line_id]


def credit_lines(left: Sequence[Left], parts: Sequence[RefundPart]) -> tuple[DocumentLine, ...]:
    """Return the lines of a credit note for what a refund was for, and nothing else.

    Raises:
        CreditExceedsInvoice: If a part is of no line of the invoice, or of more than is left of it.
    """
    by_line = {one.line.line_id: one for one in left}
    amounts: dict[LineId | None, int] = {}
    for part in parts:
        if part.line_id not in by_line:
            raise CreditExceedsInvoice(f"the invoice has no line {part.line_id or 'for shipping'}")
        amounts[part.line_id] = amounts.get(part.line_id, 0) + part.amount
    return tuple(by_line[line_id].take(amount) for line_id, amount in amounts.items() if amount)


def spread(left: Sequence[Left], amount: int) -> tuple[RefundPart, ...]:
    """Say what an amount is for that names no lines: all that are left, by what is left of them.

    Raises:
        CreditExceedsInvoice: If there is not so much left.
    """
    weights = [one.gross for one in left]
    if amount > sum(weights):
        raise CreditExceedsInvoice(f"{amount} are asked for, {sum(weights)} are left of the invoice")
    shares = allocate(amount, weights) if amount else [0] * len(weights)
    return tuple(RefundPart(share, one.line.line_id) for share, one in zip(shares, left, strict=True))


def whole(left: Sequence[Left]) -> tuple[RefundPart, ...]:
    """Return all that is left, as the parts of one credit."""
    return tuple(RefundPart(one.gross, one.line.line_id) for one in left)
