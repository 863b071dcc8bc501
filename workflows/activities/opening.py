"""What a case needs to know before it decides: the order, its policy, and what its tenders can take back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from temporalio import activity

from services.domain.errors import DependencyUnavailable, PaymentNotFound
from services.domain.ids import LineId, OrderId, PaymentId, StoreId
from services.domain.order import Customer, Order, OrderLine, PolicyRef
from services.domain.policy import Policy
from services.domain.refund import PaymentBalance
from workflows.activities.errors import translated


@dataclass(frozen=True, slots=True)
class LookUp:
    """Which order, and which of its lines the case is about."""

    store_id: StoreId
    order_id: OrderId
    line_ids: tuple[LineId, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the case stands on: the policy for as long as it runs, the rest until it is looked at again."""

    order: Order
    policy: Policy
    refundable: Mapping[PaymentId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the order, and what its tenders can take back, stand now."""

    order: Order
    refundable: Mapping[PaymentId, int] = field(default_factory=dict)


class Orders(Protocol):
    async def get(self, store_id: str, order_id: str) -> Order: ...


class Policies(Protocol):
    async def policy(self, ref: PolicyRef) -> Policy: ...


class Payments(Protocol):
    async def balance(self, store_id: str, payment_id: str) -> PaymentBalance: ...


@dataclass
class OpeningActivities:
    orders: Orders
    policies: Policies
    payments: Payments

    @activity.defn
    async def look_up(self, wanted: LookUp) -> Ground:
        """Return the order without personal data, its frozen policy, and each tender's refundable amount."""
        with translated():
            order = await self.orders.get(wanted.store_id, wanted.order_id)
            policy = await self.policies.policy(order.policy)
            refundable = await self._refundable(order)
        return Ground(_without_persons(order, set(wanted.line_ids)), policy, refundable)

    @activity.defn
    async def look_again(self, wanted: LookUp) -> Standing:
        """Return what other cases may have changed since."""
        with translated():
            order = await self.orders.get(wanted.store_id, wanted.order_id)
            refundable = await self._refundable(order)
        return Standing(_without_persons(order, set(wanted.line_ids)), refundable)

    async def _refundable(self, order: Order) -> dict[PaymentId, int]:
        """Ask what each of several tenders can take back; one tender takes all, whatever it can."""
        refundable = {payment.payment_id: payment.amount for payment in order.sold.payments}
        if len(refundable) > 1:
            for payment_id in refundable:
                try:
                    balance = await self.payments.balance(order.sold.store_id, payment_id)
                except (DependencyUnavailable, PaymentNotFound):
                    continue
                refundable[payment_id] = balance.refundable.minor_units
        return refundable


def _without_persons(order: Order, line_ids: set[LineId]) -> Order:
    """Leave out what the case does not need: who the customer is, and other lines' words."""
    sold = order.sold
    customer = Customer(sold.customer.customer_id, "", "", "", sold.customer.locale)
    address = replace(
        sold.shipping.address, name="", line1="", line2="", city="", postal_code="", region="", phone=""
    )
    lines = tuple(line if line.line_id in line_ids else _bare(line) for line in sold.lines)
    shipping = replace(sold.shipping, address=address)
    return replace(order, sold=replace(sold, customer=customer, lines=lines, shipping=shipping))


def _bare(line: OrderLine) -> OrderLine:
    return replace(line, sku="", title="", category="")
