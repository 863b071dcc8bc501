"""The storefront: what a shop that uses the service has to do, and nothing else.

    shop = Shop(Api("https://recourse.example.com", "rk_…"))
    await shop.sell(order)                                 # once the order is paid
    await shop.ship(order, parcel)                         # when the parcel leaves
    case = await shop.open_return(order.order_id, lines, key="checkout-7f3a")   # when the customer asks
    case = await shop.follow(case.case_id, lambda case: case.status == "closed")

Everything may be repeated: ids and keys are the shop's own, so a retry after a crash changes nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from deploy.demo.api import Api, Json
from deploy.demo.documents import Case, Order, ReturnLine

# How often a case is asked after, and for how long.
_FIRST_LOOK: Final = 0.1
_LONGEST_LOOK: Final = 1.0
FOLLOW_SECONDS: Final = 60.0


class NotThere(Exception):
    """A case did not get where it was expected in time; the message says where it stands."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel with a carrier's number, sent either way."""

    carrier: str
    tracking_number: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Shop:
    """The storefront's side of the API, with a store's key."""

    api: Api

    async def sell(self, order: Order) -> None:
        """Tell of an order as it was sold; when this returns, its payments can be refunded."""
        await self.api.put(f"/v1/orders/{order.order_id}", _order_body(order))

    async def ship(self, order: Order, parcel: Parcel) -> None:
        """Tell of the parcel with all of an order; the carrier's scans will date its windows."""
        body: Json = {
            "shipment_id": f"ship-{order.order_id}",
            "carrier": parcel.carrier,
            "tracking_number": parcel.tracking_number,
            "lines": [{"line_id": line.line_id, "quantity": line.quantity} for line in order.lines],
            "shipped_at": parcel.sent_at.isoformat(),
        }
        await self.api.post(f"/v1/orders/{order.order_id}/shipments", body, key=f"ship-{order.order_id}")

    async def open_return(self, order_id: str, lines: Sequence[ReturnLine], *, key: str) -> Case:
        """Ask to send units back, once per ``key``.

        What the policy denies is no error: the case stands, and its decision says why.
        """
        body: Json = {
            "kind": "return",
            "order_id": order_id,
            "channel": "web",
            "lines": [line.model_dump() for line in lines],
            "details": {"refund_to": "original"},
        }
        return Case.model_validate(await self.api.post("/v1/cases", body, key=key))

    async def tell_parcel(self, case_id: str, parcel: Parcel) -> Case:
        """Say by which parcel the goods come back."""
        body: Json = {"carrier": parcel.carrier, "tracking_number": parcel.tracking_number}
        return Case.model_validate(
            await self.api.post(f"/v1/cases/{case_id}/parcel", body, key=f"parcel-{case_id}")
        )

    async def choose(self, case_id: str, option_id: str) -> Case:
        """Take one of the ways on that the case offers."""
        body: Json = {"option_id": option_id}
        return Case.model_validate(
            await self.api.post(f"/v1/cases/{case_id}/choice", body, key=f"choice-{case_id}")
        )

    async def case(self, case_id: str) -> Case:
        return Case.model_validate(await self.api.get(f"/v1/cases/{case_id}"))

    async def follow(
        self, case_id: str, is_there: Callable[[Case], bool], *, within: float = FOLLOW_SECONDS
    ) -> Case:
        """Return the case as soon as ``is_there`` says so of it.

        Raises:
            NotThere: If that takes longer than ``within`` seconds.
        """
        pause = _FIRST_LOOK
        case = await self.case(case_id)
        give_up_at = asyncio.get_running_loop().time() + within
        while not is_there(case):
            if asyncio.get_running_loop().time() > give_up_at:
                waits_for = f"{case.waiting_on.party} to {case.waiting_on.action}" if case.waiting_on else "-"
                raise NotThere(f"{case_id} is {case.phase} after {within:.0f} s, waiting for {waits_for}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK)
            case = await self.case(case_id)
        return case


def _order_body(order: Order) -> Json:
    """Return the order as the API wants it: delivered or not is the carrier's to say, so it is ``paid``."""
    customer = order.customer_id
    return {
        "version": 1,
        "market": order.market,
        "currency": order.currency,
        "placed_at": order.placed_at.isoformat(),
        "status": "paid",
        "customer": {
            "customer_id": customer,
            "name": customer,
            "email": f"{customer}@example.com",
            "locale": "en-GB",
        },
        "lines": [line.model_dump() for line in order.lines],
        "discounts": [discount.model_dump() for discount in order.discounts],
        "points": order.points.model_dump(),
        "tax_inclusive": order.tax_inclusive,
        "shipping": {
            **order.shipping.model_dump(),
            "address": {"name": customer, "line1": "1 Example Street", "country": order.country},
        },
        "payments": [
            {
                **payment.model_dump(),
                "provider": "sandbox",
                "captured_at": order.placed_at.isoformat(),
            }
            for payment in order.payments
        ],
    }
