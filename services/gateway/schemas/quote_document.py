"""What comes back, line by line, in money and in kind."""

from services.domain.case import RefundTo
from services.domain.quote import Quote
from services.gateway.schemas.fields import MoneyDocument, Outgoing


class QuoteLineDocument(Outgoing):
    """``points_back`` were used for the units, ``points_clawed_back`` earned with them: counts of points."""

    line_id: str
    quantity: int
    goods: int
    tax: int
    discount_share: int
    points_back: int
    points_clawed_back: int


class FeeDocument(Outgoing):
    """A deduction; it lowers the line it names, or all lines by what they come to."""

    code: str
    amount: int
    rule: str
    line_id: str | None


class TenderDocument(Outgoing):
    """What counts against a payment; it goes back there, or becomes store credit."""

    payment_id: str
    amount: int
    destination: RefundTo


class QuoteDocument(Outgoing):
    """``refund`` = Σ goods (+ Σ tax when exclusive) + shipping − Σ fees: what is paid if all is accepted.

    Points (counts, not money) and coupons (codes) are the storefront's to give and take back; they are the
    case's totals, so that doing what they say twice is doing it once.
    """

    refund: MoneyDocument
    lines: list[QuoteLineDocument]
    shipping: int
    fees: list[FeeDocument]
    to: list[TenderDocument]
    points_back: int
    points_clawed_back: int
    coupons_back: list[str]

    @classmethod
    def of(cls, quote: Quote, refund_to: RefundTo) -> "QuoteDocument":
        return cls(
            refund=MoneyDocument.of(quote.refund),
            lines=[QuoteLineDocument.model_validate(line, from_attributes=True) for line in quote.lines],
            shipping=quote.shipping,
            fees=[FeeDocument.model_validate(fee, from_attributes=True) for fee in quote.fees],
            to=[
                TenderDocument(payment_id=share.payment_id, amount=share.amount, destination=refund_to)
                for share in quote.to
            ],
            points_back=quote.points_back,
            points_clawed_back=quote.points_clawed_back,
            coupons_back=list(quote.coupons_back),
        )
