"""Valid things by default; a test changes only what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.domain.amounts import QuoteTerms
from services.domain.case import Reason, RequestedLine
from services.domain.decision import FreightPayer
from services.domain.ids import CaseId, CustomerId, LineId, OrderId, PaymentId, Rma, StoreId, refund_id_for
from services.domain.logistics import (
    Disposition,
    ExpectedLine,
    ExpectedReturn,
    Grade,
    InspectedLine,
    Inspection,
    ParcelStatus,
    Receipt,
    ReceivedLine,
    TrackingEvent,
)
from services.domain.money import Money
from services.domain.order import (
    Address,
    Customer,
    LineUnits,
    Order,
    OrderAsSold,
    OrderLine,
    OrderStatus,
    Payment,
    PolicyRef,
    Shipment,
    ShipmentLine,
    ShippingCharge,
    UnitRange,
)
from services.domain.policy import Policy, ReturnTimers, Windows
from services.domain.refund import RefundIntent, RefundPart

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STORE = StoreId("demo")
POLICY = PolicyRef("uk-standard", 1)

# Terms of a quote for ``an_order``: by whose fault, a label of ours, and a card that takes all back.
CUSTOMER_PAYS = QuoteTerms(
    FreightPayer.CUSTOMER, label_is_ours=True, refundable={PaymentId("pay_536365"): 10**9}
)
MERCHANT_PAYS = replace(CUSTOMER_PAYS, freight_paid_by=FreightPayer.MERCHANT)


def an_address() -> Address:
    return Address("17850", "1 Example Street", "London", "N1 1AA", "GB")


def a_line(line_id: str = "1", quantity: int = 6, unit_price: int = 255, **changes: object) -> OrderLine:
    line = {"sku": f"SKU-{line_id}", "title": "A LANTERN", "tax_rate": "20", **changes}
    return OrderLine(line_id=LineId(line_id), quantity=quantity, unit_price=unit_price, **line)  # type: ignore[arg-type]


def an_order(*lines: OrderLine, order_id: str = "536365", **changes: object) -> OrderAsSold:
    """An order of six lanterns, paid with one card, inclusive of tax; payments follow the total."""
    order = OrderAsSold(
        order_id=OrderId(order_id),
        store_id=STORE,
        version=1,
        market="GB",
        currency="GBP",
        placed_at=NOW - timedelta(days=5),
        status=OrderStatus.DELIVERED,
        customer=Customer(CustomerId("17850"), "17850", "+440000017850", "17850@example.com", "en-GB"),
        lines=lines or (a_line(tax=255),),
        shipping=ShippingCharge(0, 0, "standard", an_address()),
        tax_inclusive=True,
    )
    order = replace(order, **changes)  # type: ignore[arg-type]
    if not order.payments:
        payment = Payment(
            PaymentId(f"pay_{order_id}"), "sandbox", "card", order.total.minor_units, order.placed_at
        )
        order = replace(order, payments=(payment,))
    return order


def a_shipment(order: OrderAsSold, shipment_id: str = "S1", tracking_number: str = "TRACK1") -> Shipment:
    parts = tuple(ShipmentLine(line.line_id, line.quantity) for line in order.lines)
    return Shipment(shipment_id, "demo-post", tracking_number, parts, order.placed_at + timedelta(days=1))


def an_intent(step: str = "settle-1", amount: int = 255, **changes: object) -> RefundIntent:
    """A refund of one lantern to the card it was paid with; ``step`` makes its id."""
    case_id = CaseId("RT-7K3M-9QX1")
    payment_id = PaymentId(str(changes.get("payment_id", "pay_536365")))
    intent = RefundIntent(
        refund_id=refund_id_for(case_id, step, payment_id),
        payment_id=payment_id,
        store_id=STORE,
        case_id=case_id,
        order_id=OrderId("536365"),
        amount=Money(amount, "GBP"),
        parts=(RefundPart(amount, LineId("1")),),
        cause="inspection_accepted",
        requested_at=NOW,
    )
    return replace(intent, **changes)  # type: ignore[arg-type]


def an_expected_return(quantity: int = 2, **changes: object) -> ExpectedReturn:
    """Two lanterns expected back with a prepaid label."""
    expected = ExpectedReturn(
        rma=Rma("R7K3M9QX1"),
        case_id=CaseId("RT-7K3M-9QX1"),
        store_id=STORE,
        order_id=OrderId("536365"),
        lines=(ExpectedLine(LineId("1"), "SKU-1", quantity),),
        expected_at=NOW,
        prepaid_label=True,
    )
    return replace(expected, **changes)  # type: ignore[arg-type]


def as_it_stands(
    sold: OrderAsSold,
    *,
    delivered_at: datetime | None = NOW - timedelta(days=3),
    refunded: dict[str, int] | None = None,
    **changes: object,
) -> Order:
    """The order with every line delivered, and the lowest-numbered ``refunded`` units of each gone."""
    gone = refunded or {}
    units = tuple(
        LineUnits(
            line.line_id,
            returned=gone.get(line.line_id, 0),
            refunded=gone.get(line.line_id, 0),
            delivered_at=delivered_at,
            free=(UnitRange(gone.get(line.line_id, 0), line.quantity - gone.get(line.line_id, 0)),),
        )
        for line in sold.lines
    )
    return replace(Order(sold, POLICY, units, (a_shipment(sold),)), **changes)  # type: ignore[arg-type]


def asked(line_id: str = "1", quantity: int = 1, reason: Reason = Reason.CHANGED_MIND) -> RequestedLine:
    return RequestedLine(LineId(line_id), quantity, reason)


def a_receipt(*lines: ReceivedLine, receipt_id: str = "rcpt-1") -> Receipt:
    """A parcel opened at the dock; without ``lines`` the box was empty."""
    return Receipt(receipt_id, "R7K3M9QX1", NOW, lines)


def an_inspection(*lines: InspectedLine, inspection_id: str = "insp-1") -> Inspection:
    return Inspection(inspection_id, Rma("R7K3M9QX1"), NOW, lines)


def judged(line_id: str = "1", quantity: int = 1, *, accepted: bool = True) -> InspectedLine:
    """Units fit for sale, or broken ones."""
    if accepted:
        return InspectedLine(LineId(line_id), quantity, Grade.A, accepted, Disposition.RESTOCK)
    return InspectedLine(LineId(line_id), quantity, Grade.D, accepted, Disposition.RETURN_TO_CUSTOMER)


def a_scan(status: ParcelStatus, at: datetime = NOW, event_id: str = "scan-1") -> TrackingEvent:
    return TrackingEvent(event_id, "demo-post", "TRACK9", status, at)


def a_policy(**changes: object) -> Policy:
    """The law of the UK and nothing more: 14 days without a reason, 30 to reject a fault."""
    policy = Policy(
        policy_id=POLICY.policy_id,
        version=POLICY.version,
        market="UK",
        source="CCR 2013 reg. 30",
        windows=Windows(no_fault_days=14, defect_days=30),
    )
    return replace(policy, **changes)  # type: ignore[arg-type]


def a_policy_with_timers(**timers: object) -> Policy:
    """The same with other timers."""
    return a_policy(timers=replace(ReturnTimers(), **timers))  # type: ignore[arg-type]
