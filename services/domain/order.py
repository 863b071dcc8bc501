"""The order as sold: what was bought, at which price, shipped how, and paid with what.

Line ``discount`` and ``tax`` are totals of the line; order discounts are shared by line value. All
amounts are minor units of the order's currency.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.domain.errors import FieldProblem, InvalidArgument, OrderTotalsMismatch
from services.domain.ids import CustomerId, LineId, OrderId, PaymentId, StoreId
from services.domain.money import Money, allocate, share_of_first


class OrderStatus(StrEnum):
    UNPAID = "unpaid"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Exclusion(StrEnum):
    """Why a line is excluded from withdrawal by law (Directive 2011/83/EU art. 16 and its kin)."""

    BESPOKE = "bespoke"
    PERISHABLE = "perishable"
    UNSEALED_HYGIENE = "unsealed_hygiene"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Customer:
    customer_id: CustomerId
    name: str
    phone: str
    email: str
    locale: str


@dataclass(frozen=True, slots=True)
class OrderLine:
    line_id: LineId
    sku: str
    title: str
    quantity: int
    unit_price: int
    discount: int = 0
    tax: int = 0
    tax_rate: str = "0"
    category: str = ""
    final_sale: bool = False
    excluded_from_withdrawal: Exclusion | None = None
    gift: bool = False

    @property
    def value(self) -> int:
        """What the line costs after its own discount, as priced (with tax when inclusive)."""
        return self.quantity * self.unit_price - self.discount

    @property
    def is_free_gift(self) -> bool:
        """Whether it came for nothing with the rest; its ``unit_price`` is what one is worth."""
        return self.gift and self.value == 0


class DiscountKind(StrEnum):
    """What an order's discount was given for; of these only a coupon can itself be given back."""

    COUPON = "coupon"
    POINTS = "points"
    PROMOTION = "promotion"


@dataclass(frozen=True, slots=True)
class OrderDiscount:
    """``amount`` off the whole order; of kind ``points`` it is what the points used were worth."""

    code: str
    amount: int
    kind: DiscountKind = DiscountKind.COUPON


@dataclass(frozen=True, slots=True)
class Points:
    """Points of the shop's, which are no money: counts, whatever one is worth."""

    used: int = 0
    earned: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    line1: str
    city: str
    postal_code: str
    country: str
    line2: str = ""
    region: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class ShippingCharge:
    """What the customer paid for sending; ``price`` includes ``tax`` when the order is inclusive.

    ``standard_price`` is what the cheapest standard delivery would have cost, on the same terms as ``price``;
    None: the customer chose no dearer one.
    """

    price: int
    tax: int
    method: str
    address: Address
    standard_price: int | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    payment_id: PaymentId
    provider: str
    method: str
    amount: int
    captured_at: datetime


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """A version of a policy document, frozen on the order when it was placed."""

    policy_id: str
    version: int


@dataclass(frozen=True, slots=True)
class OrderAsSold:
    """What the storefront says it sold."""

    order_id: OrderId
    store_id: StoreId
    version: int
    market: str
    currency: str
    placed_at: datetime
    status: OrderStatus
    customer: Customer
    lines: tuple[OrderLine, ...]
    shipping: ShippingCharge
    tax_inclusive: bool
    discounts: tuple[OrderDiscount, ...] = ()
    points: Points = field(default_factory=Points)
    payments: tuple[Payment, ...] = ()

    def line(self, line_id: LineId) -> OrderLine | None:
        return next((line for line in self.lines if line.line_id == line_id), None)

    @property
    def lines_total(self) -> int:
        tax = 0 if self.tax_inclusive else sum(line.tax for line in self.lines)
        return sum(line.value for line in self.lines) + tax

    @property
    def shipping_total(self) -> int:
        return self.shipping.price + (0 if self.tax_inclusive else self.shipping.tax)

    @property
    def standard_shipping_total(self) -> int:
        """What of ``shipping_total`` standard delivery would have cost; tax on top by its share."""
        price, standard = self.shipping.price, self.shipping.standard_price
        if standard is None or standard >= price:
            return self.shipping_total
        return standard + (0 if self.tax_inclusive else share_of_first(self.shipping.tax, standard, price))

    @property
    def total(self) -> Money:
        """What the order costs: Σ lines − Σ order discounts + shipping."""
        discounts = sum(discount.amount for discount in self.discounts)
        return Money(self.lines_total - discounts + self.shipping_total, self.currency)

    def discount_shares(self) -> dict[LineId, int]:
        """Share the order's discounts over the lines by their value; the shares add up exactly."""
        discounts = sum(discount.amount for discount in self.discounts)
        return self._shared(discounts, [line.value for line in self.lines])

    def points_used_shares(self) -> dict[LineId, int]:
        """Share the points used over the lines by their value, like the discount that they paid for."""
        worth = [line.value for line in self.lines]
        return self._shared(self.points.used, worth if any(worth) else self._quantities)

    def points_earned_shares(self) -> dict[LineId, int]:
        """Share the points earned over the lines by what was paid for them."""
        discounts = self.discount_shares()
        paid = [line.value - discounts[line.line_id] for line in self.lines]
        return self._shared(self.points.earned, paid if any(paid) else self._quantities)

    @property
    def _quantities(self) -> list[int]:
        return [line.quantity for line in self.lines]

    def _shared(self, units: int, weights: list[int]) -> dict[LineId, int]:
        shares = allocate(units, weights) if any(weights) else [0] * len(weights)
        return {line.line_id: share for line, share in zip(self.lines, shares, strict=True)}


def check_order(order: OrderAsSold) -> None:
    """Refuse an order whose parts are impossible or do not add up.

    Raises:
        InvalidArgument: If a part is impossible, with a problem per field.
        OrderTotalsMismatch: If lines, discounts, shipping and payments do not add up.
    """
    problems = [*_line_problems(order), *_identity_problems(order)]
    if problems:
        raise InvalidArgument("the order is malformed", problems=tuple(problems))
    discounts = sum(discount.amount for discount in order.discounts)
    if discounts > sum(line.value for line in order.lines):
        raise OrderTotalsMismatch(
            "the order's discounts exceed its lines",
            problems=(FieldProblem("/discounts", "exceeds_lines", f"{discounts}"),),
        )
    if order.status in {OrderStatus.UNPAID, OrderStatus.CANCELLED} and not order.payments:
        return
    paid = sum(payment.amount for payment in order.payments)
    if paid != order.total.minor_units:
        raise OrderTotalsMismatch(
            f"payments add up to {paid}, the order to {order.total.minor_units}",
            problems=(FieldProblem("/payments", "totals_mismatch", f"{paid}"),),
        )


def _line_problems(order: OrderAsSold) -> list[FieldProblem]:
    problems = []
    for index, line in enumerate(order.lines):
        at = f"/lines/{index}"
        if line.discount > line.quantity * line.unit_price:
            problems.append(FieldProblem(f"{at}/discount", "exceeds_line", f"{line.discount}"))
        elif order.tax_inclusive and line.tax > line.value:
            problems.append(FieldProblem(f"{at}/tax", "exceeds_line", f"{line.tax}"))
    return problems


def _identity_problems(order: OrderAsSold) -> list[FieldProblem]:
    problems = []
    seen_lines = [line.line_id for line in order.lines]
    seen_payments = [payment.payment_id for payment in order.payments]
    for index, line_id in enumerate(seen_lines):
        if line_id in seen_lines[:index]:
            problems.append(FieldProblem(f"/lines/{index}/line_id", "duplicate", line_id))
    for index, payment_id in enumerate(seen_payments):
        if payment_id in seen_payments[:index]:
            problems.append(FieldProblem(f"/payments/{index}/payment_id", "duplicate", payment_id))
    return problems


@dataclass(frozen=True, slots=True)
class UnitRange:
    """``count`` units of a line, numbered from ``first``; a line's units are numbered from 0.

    A unit's number fixes what it is worth, so that partial refunds add up whatever order they come in.
    """

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class HeldUnits:
    """The very units of a line that a claim holds, lowest first."""

    line_id: LineId
    ranges: tuple[UnitRange, ...]


@dataclass(frozen=True, slots=True)
class LineUnits:
    """Where a line's units stand; ``free`` ones are neither settled nor held by a live case."""

    line_id: LineId
    returned: int = 0
    refunded: int = 0
    in_case: int = 0
    delivered_at: datetime | None = None
    free: tuple[UnitRange, ...] = ()


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    line_id: LineId
    quantity: int


@dataclass(frozen=True, slots=True)
class Shipment:
    """A parcel that went out to the customer."""

    shipment_id: str
    carrier: str
    tracking_number: str
    lines: tuple[ShipmentLine, ...]
    shipped_at: datetime
    promised_by: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The order as it stands: as sold, under its frozen policy, with what happened to its units."""

    sold: OrderAsSold
    policy: PolicyRef
    units: tuple[LineUnits, ...]
    shipments: tuple[Shipment, ...] = ()

    def units_of(self, line_id: LineId) -> LineUnits:
        found = next((units for units in self.units if units.line_id == line_id), None)
        return found or LineUnits(line_id)

    def remaining(self, line_id: LineId) -> int:
        """Units of the line that are neither settled nor held by a live case."""
        return sum(part.count for part in self.units_of(line_id).free)


@dataclass(frozen=True, slots=True)
class UnitClaim:
    """Units of a line that a live case holds, so that no other case can."""

    line_id: LineId
    quantity: int


@dataclass(frozen=True, slots=True)
class UnitSettlement:
    """What became of claimed units: came back and/or were refunded; the rest is released."""

    line_id: LineId
    returned: int
    refunded: int


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Empty members do not filter."""

    store_id: StoreId
    customer_id: str = ""
    phone: str = ""
    text: str = ""
    placed_after: datetime | None = None
    placed_before: datetime | None = None
