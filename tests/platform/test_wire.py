"""Values and messages have one shape; what does not fit is refused, never guessed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from recourse.common.v1 import common_pb2
from recourse.events.v1 import events_pb2
from recourse.notification.v1 import notification_pb2
from recourse.order.v1 import order_pb2
from recourse.order.v1 import types_pb2 as order_types
from recourse.payment.v1 import documents_pb2, payment_pb2, store_credit_pb2
from recourse.warehouse.v1 import types_pb2 as warehouse_types
from services.domain import facts, invoice, logistics, message, order, refund, store_credit
from services.domain.errors import InvalidArgument
from services.order.orders import ClaimRequest, SettleRequest
from services.payment.documents.issuing import CreditRequest, InvoiceRequest
from services.platform.documents import fingerprint, from_json, to_json
from services.platform.outbox import LeasedFact
from services.platform.wire import ShapeMismatch, from_wire, instant_from_wire, to_wire
from tests.builders import NOW, an_intent, an_order
from tests.shapes import values_of

PAIRS: list[tuple[Any, Any]] = [
    (order.Address, common_pb2.Address),
    (order.OrderAsSold, order_types.OrderAsSold),
    (order.Order, order_types.Order),
    (order.Customer, order_types.Customer),
    (order.PolicyRef, order_types.PolicyRef),
    (order.Shipment, order_types.Shipment),
    (order.HeldUnits, order_types.HeldUnits),
    (order.UnitClaim, order_types.UnitClaim),
    (order.UnitSettlement, order_types.UnitSettlement),
    (ClaimRequest, order_pb2.ClaimUnitsRequest),
    (SettleRequest, order_pb2.SettleUnitsRequest),
    (refund.OrderPayments, payment_pb2.OrderPayments),
    (refund.PaymentBalance, payment_pb2.PaymentBalance),
    (refund.RefundIntent, payment_pb2.RefundIntent),
    (refund.Refund, payment_pb2.Refund),
    (refund.LedgerEntry, payment_pb2.LedgerEntry),
    (refund.InvariantReport, payment_pb2.InvariantReport),
    (store_credit.CreditGrant, store_credit_pb2.CreditGrant),
    (store_credit.CreditBalance, store_credit_pb2.CreditBalance),
    (invoice.Document, documents_pb2.Document),
    (InvoiceRequest, documents_pb2.IssueInvoiceRequest),
    (CreditRequest, documents_pb2.CreditInvoiceRequest),
    (logistics.ExpectedReturn, warehouse_types.ExpectedReturn),
    (logistics.Receipt, warehouse_types.Receipt),
    (logistics.Inspection, warehouse_types.Inspection),
    (logistics.TrackingEvent, warehouse_types.TrackingEvent),
    (logistics.StockLevel, warehouse_types.StockLevel),
    (logistics.InboundReturn, warehouse_types.InboundReturn),
    (facts.Fact, events_pb2.Fact),
    (LeasedFact, events_pb2.LeasedFact),
    (message.Message, notification_pb2.Message),
    (message.MessageRecord, notification_pb2.MessageRecord),
]


@pytest.mark.parametrize(("value_type", "message_type"), PAIRS, ids=lambda one: one.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_value_survives_the_wire(value_type, message_type, data):
    """Every value comes back equal, through the bytes of its message, and through its document."""
    value = data.draw(values_of(value_type))

    sent = message_type.FromString(to_wire(value, message_type).SerializeToString())

    assert from_wire(sent, value_type) == value
    assert from_json(to_json(value), value_type) == value


def test_a_fingerprint_tells_bodies_apart():
    """Equal values of one type have one fingerprint; another type or another member has another."""
    assert fingerprint(an_order()) == fingerprint(an_order())
    assert fingerprint(an_intent(amount=255)) != fingerprint(an_intent(amount=256))
    assert fingerprint(order.UnitRange(1, 2)) != fingerprint(order.UnitRange(2, 1))
    assert fingerprint(order.OrderDiscount("1", 2)) != fingerprint(order.ShipmentLine("1", 2))


@pytest.mark.parametrize("number", [0, 99])
def test_an_unknown_enum_value_is_refused(number):
    """Neither unspecified nor unheard of is taken for something."""
    event = to_wire(
        logistics.TrackingEvent("e", "c", "t", logistics.ParcelStatus.LOST, NOW),
        warehouse_types.TrackingEvent,
    )
    event.status = number

    with pytest.raises(InvalidArgument) as caught:
        from_wire(event, logistics.TrackingEvent)

    assert [(one.pointer, one.code) for one in caught.value.problems] == [("/status", "unknown_value")]


def test_text_with_a_nul_is_refused_wherever_it_is():
    """In a member, in a list, in a map; PostgreSQL could not hold it."""
    receipt = warehouse_types.Receipt(receipt_id="r", scan="s", photos=["a", "b\0"])
    receipt.received_at.FromDatetime(NOW)
    told = notification_pb2.Message(message_id="m", values={"k": "v\0"})
    told.stated_at.FromDatetime(NOW)

    with pytest.raises(InvalidArgument) as in_list:
        from_wire(receipt, logistics.Receipt)
    with pytest.raises(InvalidArgument) as in_map:
        from_wire(told, message.Message)

    assert in_list.value.problems[0].pointer == "/photos/1"
    assert in_map.value.problems[0].pointer == "/values"


def test_a_missing_member_is_named():
    """What is not optional has to be there, however deep it is."""
    sold = to_wire(an_order(), order_types.OrderAsSold)
    sold.ClearField("customer")
    sold.shipping.ClearField("address")

    with pytest.raises(InvalidArgument) as caught:
        from_wire(sold, order.OrderAsSold)

    assert [problem.pointer for problem in caught.value.problems] == ["/shipping/address"]


def test_what_is_optional_may_be_missing():
    """None is absence, not a default."""
    line = to_wire(logistics.ReceivedLine(1), warehouse_types.ReceivedLine)

    assert not line.HasField("sku")
    assert from_wire(line, logistics.ReceivedLine) == logistics.ReceivedLine(1)
    assert from_wire(warehouse_types.ReceivedLine(quantity=1, sku=""), logistics.ReceivedLine).sku == ""


@pytest.mark.parametrize("seconds", [10**12, -(10**12), 253402300800])
def test_an_instant_out_of_range_is_refused(seconds):
    """The years are 1 to 9999."""
    with pytest.raises(InvalidArgument):
        instant_from_wire(Timestamp(seconds=seconds), "/at")


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class TooFew:
    sku: str


@dataclass(frozen=True)
class TooMany:
    line_id: str
    quantity: int
    colour: Colour


@pytest.mark.parametrize("value", [TooFew("S"), TooMany("1", 1, Colour.RED)])
def test_a_value_that_has_drifted_from_its_message_fails_at_once(value):
    """A member that only one side has is a bug, found at first use."""
    with pytest.raises(ShapeMismatch):
        to_wire(value, order_types.ShipmentLine)
    with pytest.raises(ShapeMismatch):
        from_wire(order_types.ShipmentLine(line_id="1", quantity=1), type(value))
