"""An order of one test, and a return of it, with the hands of whoever acts on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import httpx2

from tests.e2e.outside import Json, Outside, days_ago, until

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Tender:
    """A payment of so many minor units; ``method`` is how the provider behaves."""

    method: str
    amount: int
    provider: str = "sandbox"


@dataclass
class Purchase:
    """Six lanterns at 2.55, paid with one card, unless said otherwise; numbers are its own.

    So is its ``customer``, unless it is the one of another purchase.
    """

    outside: Outside
    tenders: Sequence[Tender] = (Tender("card", 1530),)
    currency: str = "GBP"
    unit_price: int = 255
    quantity: int = 6
    country: str = "GB"
    locale: str = "en-GB"
    placed_days_ago: float = 5
    store: str = "demo"
    customer: str = ""
    line: Json = field(default_factory=dict)
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def order_id(self) -> str:
        return f"E{self.number:05}"

    @property
    def customer_id(self) -> str:
        return self.customer or f"{20000 + self.number}"

    @property
    def email(self) -> str:
        return f"{self.customer_id}@example.com"

    @property
    def sku(self) -> str:
        return f"SKU{self.number:05}"

    @property
    def parcel(self) -> str:
        return f"OUT{self.number:05}"

    def payment_id(self, number: int = 1) -> str:
        return f"pay_{self.order_id}_{number}"

    def body(self, version: int = 1, **changes: Any) -> Json:
        """Return the order as the storefront tells of it."""
        line = {
            "line_id": "1",
            "sku": self.sku,
            "title": "A LANTERN",
            "quantity": self.quantity,
            "unit_price": self.unit_price,
            **self.line,
        }
        payments = [
            {
                "payment_id": self.payment_id(number),
                "provider": tender.provider,
                "method": tender.method,
                "amount": tender.amount,
                "captured_at": days_ago(self.placed_days_ago),
            }
            for number, tender in enumerate(self.tenders, 1)
        ]
        customer = {
            "customer_id": self.customer_id,
            "name": self.customer_id,
            "phone": f"+4400000{self.customer_id}",
            "email": self.email,
            "locale": self.locale,
        }
        address = {"name": self.customer_id, "line1": "1 Example Street", "country": self.country}
        return {
            "version": version,
            "market": self.country,
            "currency": self.currency,
            "placed_at": days_ago(self.placed_days_ago),
            "status": "shipped",
            "customer": customer,
            "lines": [line],
            "tax_inclusive": True,
            "shipping": {"address": address},
            "payments": payments,
            **changes,
        }

    async def place(self) -> "Purchase":
        token = self.outside.store_token(self.store)
        path = f"/v1/orders/{self.order_id}"
        answer = await self.outside.call("PUT", path, self.body(), token=token)
        assert answer.is_success, answer.text
        return self

    async def ship(self) -> "Purchase":
        shipment = {
            "shipment_id": f"S-{self.order_id}",
            "carrier": "demo-post",
            "tracking_number": self.parcel,
            "lines": [{"line_id": "1", "quantity": self.quantity}],
            "shipped_at": days_ago(self.placed_days_ago - 1),
        }
        token = self.outside.store_token(self.store)
        path = f"/v1/orders/{self.order_id}/shipments"
        answer = await self.outside.call("POST", path, shipment, token=token)
        assert answer.is_success, answer.text
        return self

    async def arrive(self) -> "Purchase":
        """Place, ship and deliver the order: it came three days after it was placed."""
        await self.place()
        await self.ship()
        at = days_ago(self.placed_days_ago - 3)
        answer = await self.outside.carrier_says(self.parcel, "delivered", at)
        assert answer.is_success, answer.text
        return self

    def request(self, quantity: int = 2, reason: str = "changed_mind", **changes: Any) -> Json:
        return {
            "kind": "return",
            "order_id": self.order_id,
            "channel": "web",
            "note": "",
            "lines": [{"line_id": "1", "quantity": quantity, "reason": reason}],
            "details": {"refund_to": "original"},
            **changes,
        }

    async def ask_back(
        self,
        quantity: int = 2,
        reason: str = "changed_mind",
        key: str | None = None,
        refund_to: str = "original",
    ) -> httpx2.Response:
        """Ask for a return of so many lanterns, and return the answer."""
        token = self.outside.store_token(self.store)
        key = f"{self.order_id}-{key or 'the-first'}"
        body = self.request(quantity, reason, details={"refund_to": refund_to})
        return await self.outside.call("POST", "/v1/cases", body, token=token, key=key)

    async def give_back(
        self, quantity: int = 2, reason: str = "changed_mind", refund_to: str = "original"
    ) -> "Return":
        """Open a return of so many lanterns."""
        answer = await self.ask_back(quantity, reason, refund_to=refund_to)
        assert answer.is_success, answer.text
        return Return(self, answer.json())


@dataclass
class Return:
    """A return case; ``opened`` is how it was answered."""

    purchase: Purchase
    opened: Json
    _parcels: int = 0
    _looks: int = 0

    @property
    def outside(self) -> Outside:
        return self.purchase.outside

    @property
    def case_id(self) -> str:
        return str(self.opened["case_id"])

    @property
    def rma(self) -> str:
        return "R" + self.case_id.partition("-")[2].replace("-", "")

    async def now(self) -> Json:
        token = self.outside.store_token(self.purchase.store)
        answer = await self.outside.call("GET", f"/v1/cases/{self.case_id}", token=token)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def until(self, phase: str) -> Json:
        """Return the case as soon as it is in ``phase``."""
        return await until(self.now, lambda case: case["phase"] == phase)

    async def until_case(self, is_it: Callable[[Json], bool]) -> Json:
        return await until(self.now, is_it)

    async def act(self, action: str, body: Json, role: str = "store") -> Json:
        return await self.outside.post(f"/v1/cases/{self.case_id}/{action}", body, role=role)

    async def receive(self, quantity: int = 2) -> Json:
        """Open a parcel at the dock with so many lanterns."""
        self._parcels += 1
        receipt = {
            "receipt_id": f"{self.rma}-{self._parcels}",
            "scan": self.rma,
            "lines": [{"line_id": "1", "quantity": quantity}] if quantity else [],
        }
        return await self.outside.post("/v1/warehouse/receipts", receipt, role="warehouse")

    async def inspect(self, accepted: int = 2, rejected: int = 0) -> Json:
        """Judge so many of the lanterns that came."""
        self._looks += 1
        good = {
            "line_id": "1",
            "quantity": accepted,
            "grade": "A",
            "accepted": True,
            "disposition": "restock",
        }
        bad = {
            "line_id": "1",
            "quantity": rejected,
            "grade": "D",
            "accepted": False,
            "disposition": "return_to_customer",
            "reason": "broken",
        }
        inspection = {
            "inspection_id": f"{self.rma}-{self._looks}",
            "rma": self.rma,
            "lines": [line for line in (good, bad) if line["quantity"]],
        }
        return await self.outside.post("/v1/warehouse/inspections", inspection, role="warehouse")

    async def come_back(self, quantity: int = 2) -> "Return":
        """Have so many lanterns come back and be accepted."""
        await self.receive(quantity)
        await self.inspect(accepted=quantity)
        return self

    async def advance(self, **by: float) -> Json:
        """Move the case's clock; returns the case once everything due by then has happened."""
        seconds = int(timedelta(**by).total_seconds())
        body = {"case_id": self.case_id, "seconds": seconds}
        return dict((await self.outside.post("/v1/test-clock/advance", body, role="ops"))["case"])

    async def stock(self) -> Json:
        return dict(await self.outside.get("/v1/warehouse/stock", "warehouse", sku=self.purchase.sku))

    async def moved(self, tender: int = 1) -> list[tuple[int, str]]:
        """Return what the provider really moved, and how that stands."""
        found = await self.outside.moved(self.purchase.payment_id(tender))
        return [(refund["amount"], refund["status"]) for refund in found]

    async def mail(self, subject: str) -> list[Any]:
        """Return the mail about this case whose subject holds ``subject``."""
        mail = self.outside.mail_to(self.purchase.email)
        return [each for each in mail if subject in each["Subject"]]
