"""Orders: as the storefront says it sold them, and as they stand."""

from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from services.domain.ids import CustomerId, LineId, OrderId, PaymentId, StoreId
from services.domain.order import (
    Address,
    Customer,
    DiscountKind,
    Exclusion,
    Order,
    OrderAsSold,
    OrderDiscount,
    OrderLine,
    OrderStatus,
    Payment,
    Points,
    Shipment,
    ShipmentLine,
    ShippingCharge,
)
from services.gateway.schemas.examples import ORDER_EXAMPLE
from services.gateway.schemas.fields import (
    Amount,
    Code,
    Country,
    Currency,
    Email,
    Flag,
    Id,
    Incoming,
    Instant,
    Line,
    Locale,
    Name,
    Outgoing,
    PageQuery,
    Sku,
    Units,
)

Body = TypeVar("Body", bound=BaseModel)
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000_000_000)]


class AddressBody(Incoming):
    name: Line = ""
    line1: Line = ""
    line2: Line = ""
    city: Line = ""
    region: Line = ""
    postal_code: Annotated[Line, Field(max_length=40)] = ""
    country: Country
    phone: Annotated[Line, Field(max_length=40)] = ""


class CustomerBody(Incoming):
    customer_id: Id
    name: Line = ""
    phone: Annotated[Line, Field(max_length=40, examples=["+440000017850"])] = ""
    email: Email = ""
    locale: Locale = "en"


class LineBody(Incoming):
    """``discount`` and ``tax`` are totals of the line.

    A ``gift`` that is discounted to nothing came free; kept when the rest comes back, it is priced.
    """

    line_id: Id
    sku: Sku
    title: Annotated[Line, Field(max_length=500)] = ""
    quantity: Units
    unit_price: Amount
    discount: Amount = 0
    tax: Amount = 0
    tax_rate: Annotated[str, Field(max_length=20, pattern=r"^[0-9]{1,3}([.][0-9]{1,6})?$")] = "0"
    category: Annotated[Line, Field(max_length=100)] = ""
    final_sale: Flag = False
    excluded_from_withdrawal: Exclusion | None = None
    gift: Flag = False


class DiscountBody(Incoming):
    """A discount on the whole order, shared by line value; of kind ``points`` what the points used paid.

    A coupon goes back with the last of the order, points by their share.
    """

    code: Annotated[Line, Field(max_length=100)]
    amount: Amount
    kind: DiscountKind = DiscountKind.COUPON


class PointsBody(Incoming):
    """Counts of points; what those used paid is one of the order's discounts."""

    used: Count = 0
    earned: Count = 0


class ShippingBody(Incoming):
    """``standard_price`` is what standard delivery would have cost, where the customer chose a dearer one."""

    price: Amount = 0
    tax: Amount = 0
    method: Annotated[Line, Field(max_length=100)] = "standard"
    address: AddressBody
    standard_price: Amount | None = None


class PaymentBody(Incoming):
    payment_id: Id
    provider: Code
    method: Code
    amount: Amount
    captured_at: Instant


class OrderBody(Incoming):
    """Lines, less the order's discounts, plus shipping, add up to the payments.

    A line's total is quantity × unit_price − discount (+ tax when ``tax_inclusive`` is false).
    """

    model_config = ConfigDict(json_schema_extra={"examples": [ORDER_EXAMPLE]})

    version: Annotated[StrictInt, Field(ge=1, le=1_000_000_000_000)]
    market: Country
    currency: Currency
    placed_at: Instant
    status: OrderStatus
    customer: CustomerBody
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=1000)]
    discounts: Annotated[tuple[DiscountBody, ...], Field(max_length=100)] = ()
    points: PointsBody = PointsBody()
    tax_inclusive: Flag
    shipping: ShippingBody
    payments: Annotated[tuple[PaymentBody, ...], Field(max_length=20)] = ()

    def to_order(self, store_id: StoreId, order_id: str) -> OrderAsSold:
        """Return the order in domain values."""
        shipping = self.shipping
        return OrderAsSold(
            order_id=OrderId(order_id),
            store_id=store_id,
            version=self.version,
            market=self.market,
            currency=self.currency,
            placed_at=self.placed_at,
            status=self.status,
            customer=Customer(
                CustomerId(self.customer.customer_id),
                self.customer.name,
                self.customer.phone,
                self.customer.email,
                self.customer.locale,
            ),
            lines=tuple(_line(line) for line in self.lines),
            shipping=ShippingCharge(
                shipping.price,
                shipping.tax,
                shipping.method,
                Address(**shipping.address.model_dump()),
                shipping.standard_price,
            ),
            tax_inclusive=self.tax_inclusive,
            discounts=tuple(OrderDiscount(d.code, d.amount, d.kind) for d in self.discounts),
            points=Points(self.points.used, self.points.earned),
            payments=tuple(
                Payment(PaymentId(p.payment_id), p.provider, p.method, p.amount, p.captured_at)
                for p in self.payments
            ),
        )


def _line(line: LineBody) -> OrderLine:
    return OrderLine(**{**line.model_dump(), "line_id": LineId(line.line_id)})


class ShipmentLineBody(Incoming):
    line_id: Id
    quantity: Units


class ShipmentBody(Incoming):
    shipment_id: Id
    carrier: Name
    tracking_number: Name
    lines: Annotated[list[ShipmentLineBody], Field(min_length=1, max_length=1000)]
    shipped_at: Instant
    promised_by: Instant | None = None

    def to_shipment(self) -> Shipment:
        return Shipment(
            self.shipment_id,
            self.carrier,
            self.tracking_number,
            tuple(ShipmentLine(LineId(line.line_id), line.quantity) for line in self.lines),
            self.shipped_at,
            self.promised_by,
        )


class OrderQuery(PageQuery):
    """Which orders; ``q`` is looked for in order id, SKU and title."""

    customer_id: Annotated[Line, Field(max_length=100)] = ""
    phone: Annotated[Line, Field(max_length=40)] = ""
    q: Line = ""
    placed_after: Instant | None = None
    placed_before: Instant | None = None


class ShipmentLineDocument(Outgoing):
    line_id: str
    quantity: int


class ShipmentDocument(Outgoing):
    shipment_id: str
    carrier: str
    tracking_number: str
    lines: list[ShipmentLineDocument]
    shipped_at: datetime
    promised_by: datetime | None
    delivered_at: datetime | None

    @classmethod
    def of(cls, shipment: Shipment) -> "ShipmentDocument":
        lines = [ShipmentLineDocument(line_id=p.line_id, quantity=p.quantity) for p in shipment.lines]
        return cls(
            shipment_id=shipment.shipment_id,
            carrier=shipment.carrier,
            tracking_number=shipment.tracking_number,
            lines=lines,
            shipped_at=shipment.shipped_at,
            promised_by=shipment.promised_by,
            delivered_at=shipment.delivered_at,
        )


class LineDocument(LineBody):
    """A line as sold, and where its units stand; ``remaining`` ones may still be asked for."""

    delivered_at: datetime | None
    returned: int
    refunded: int
    in_case: int
    remaining: int


class PolicyDocument(Outgoing):
    """A version of a policy."""

    id: str = Field(examples=["uk-standard"])
    version: int = Field(examples=[3])


class OrderDocument(Outgoing):
    order_id: str
    store_id: str
    version: int
    market: str
    currency: str
    placed_at: datetime
    status: OrderStatus
    customer: CustomerBody
    lines: list[LineDocument]
    discounts: list[DiscountBody]
    points: PointsBody
    tax_inclusive: bool
    shipping: ShippingBody
    payments: list[PaymentBody]
    policy: PolicyDocument
    shipments: list[ShipmentDocument]

    @classmethod
    def of(cls, order: Order) -> "OrderDocument":
        sold = order.sold
        return cls(
            order_id=sold.order_id,
            store_id=sold.store_id,
            version=sold.version,
            market=sold.market,
            currency=sold.currency,
            placed_at=sold.placed_at,
            status=sold.status,
            customer=_shown(CustomerBody, sold.customer),
            lines=[_line_document(order, line) for line in sold.lines],
            discounts=[_shown(DiscountBody, discount) for discount in sold.discounts],
            points=_shown(PointsBody, sold.points),
            tax_inclusive=sold.tax_inclusive,
            shipping=_shown(ShippingBody, sold.shipping, address=_shown(AddressBody, sold.shipping.address)),
            payments=[_shown(PaymentBody, payment) for payment in sold.payments],
            policy=PolicyDocument(id=order.policy.policy_id, version=order.policy.version),
            shipments=[ShipmentDocument.of(shipment) for shipment in order.shipments],
        )


def _line_document(order: Order, line: OrderLine) -> LineDocument:
    units = order.units_of(line.line_id)
    return _shown(
        LineDocument,
        line,
        delivered_at=units.delivered_at,
        returned=units.returned,
        refunded=units.refunded,
        in_case=units.in_case,
        remaining=order.remaining(line.line_id),
    )


def _shown(model: type[Body], value: object, **more: object) -> Body:
    """Show what is kept as it is, whatever has been asked of new orders since."""
    kept = {name: getattr(value, name) for name in model.model_fields if name not in more}
    return model.model_construct(None, **kept, **more)
