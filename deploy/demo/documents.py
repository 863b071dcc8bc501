"""The documents of the API that the demo writes and reads, as far as it needs them.

Orders are written whole; of a case only what is used is read, and members we do not know are left alone, for
the service may add some.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(Document):
    """``amount`` is a whole number of the currency's minor units (ISO 4217): pence, yen, fils."""

    amount: int
    currency: str


class Line(Document):
    """``discount`` and ``tax`` are the line's totals."""

    line_id: str
    sku: str
    title: str
    quantity: int
    unit_price: int
    discount: int = 0
    tax: int = 0
    tax_rate: str = "0"
    final_sale: bool = False
    gift: bool = False


class Discount(Document):
    """``kind`` is ``coupon``, ``points`` (what the points used paid) or ``promotion``."""

    code: str
    amount: int
    kind: str = "coupon"


class Points(Document):
    used: int = 0
    earned: int = 0


class Shipping(Document):
    """``standard_price`` is what standard delivery would have cost whoever chose a dearer one."""

    price: int = 0
    tax: int = 0
    method: str = "standard"
    standard_price: int | None = None


class Payment(Document):
    payment_id: str
    method: str
    amount: int


class Order(Document):
    """An order as sold; lines − discounts + shipping = payments."""

    order_id: str
    market: str
    currency: str
    placed_at: datetime
    customer_id: str
    country: str
    lines: tuple[Line, ...]
    payments: tuple[Payment, ...]
    discounts: tuple[Discount, ...] = ()
    points: Points = Points()
    shipping: Shipping = Shipping()
    tax_inclusive: bool = True

    @property
    def total(self) -> int:
        """What the order costs, in minor units."""
        lines = sum(
            line.quantity * line.unit_price - line.discount + (0 if self.tax_inclusive else line.tax)
            for line in self.lines
        )
        shipping = self.shipping.price + (0 if self.tax_inclusive else self.shipping.tax)
        return lines - sum(discount.amount for discount in self.discounts) + shipping


class ReturnLine(Document):
    line_id: str
    quantity: int
    reason: str = "changed_mind"


class QuoteLine(Document):
    line_id: str
    quantity: int
    goods: int
    tax: int


class TenderShare(Document):
    payment_id: str
    amount: int


class Fee(Document):
    code: str
    amount: int


class Quote(Document):
    """What comes back: money, and beside it points and coupons, which the storefront keeps."""

    refund: Money
    lines: tuple[QuoteLine, ...]
    shipping: int
    to: tuple[TenderShare, ...]
    fees: tuple[Fee, ...] = ()
    points_back: int = 0
    points_clawed_back: int = 0
    coupons_back: tuple[str, ...] = ()


class Waiting(Document):
    party: str
    action: str
    until: datetime
    then: str


class Decision(Document):
    verdict: str


class Authorisation(Document):
    rma: str
    label_url: str | None


class Refund(Document):
    payment_id: str
    amount: Money
    status: str


class Case(Document):
    """A case as it stands: who it waits for, until when, and what happens then."""

    case_id: str
    status: str
    phase: str
    outcome: str | None
    decision: Decision | None
    quote: Quote | None
    settled: Quote | None = None
    waiting_on: Waiting | None
    authorisation: Authorisation | None = Field(None, alias="return")
    refunds: tuple[Refund, ...]

    def paid_back(self) -> dict[str, int]:
        """Return what went back to each payment, in minor units."""
        paid: dict[str, int] = {}
        for refund in self.refunds:
            if refund.status == "succeeded":
                paid[refund.payment_id] = paid.get(refund.payment_id, 0) + refund.amount.amount
        return paid
