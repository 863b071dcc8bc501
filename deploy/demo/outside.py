"""The other parties: carrier, dock, finance, the test clock, and the processor's own word on what moved."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from standardwebhooks.webhooks import Webhook

from deploy.demo.api import Api, Json
from deploy.demo.documents import Case

_PAGE: Final = "200"


@dataclass(frozen=True, slots=True)
class Carrier:
    """Tells of its scans by webhook, signed as Standard Webhooks."""

    api: Api
    secret: str

    async def scan(self, carrier: str, tracking_number: str, status: str, at: datetime) -> None:
        """Tell of a scan; a repeat is known by its id."""
        event_id = f"scan-{tracking_number}-{status}"
        payload = json.dumps(
            {
                "event_id": event_id,
                "carrier": carrier,
                "tracking_number": tracking_number,
                "status": status,
                "occurred_at": at.isoformat(),
            }
        )
        signed_at = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(signed_at.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(event_id, signed_at, payload),
        }
        await self.api.send("POST", "/v1/tracking-events", content=payload.encode(), headers=headers)


@dataclass(frozen=True, slots=True)
class Dock:
    """The warehouse's door, with a scanner and a judge."""

    api: Api

    async def parcel_of(self, rma: str) -> tuple[str, str] | None:
        """Return carrier and number on a return's label, if it has been given one."""
        found = await self.api.get("/v1/warehouse/inbound", scan=rma)
        return (found["carrier"], found["tracking_number"]) if found["tracking_number"] else None

    async def receive(self, scan: str, units: dict[str, int]) -> None:
        """Open a parcel and count what is in it, by line."""
        lines = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in units.items()]
        receipt_id = f"receipt-{scan}"
        body: Json = {"receipt_id": receipt_id, "scan": scan, "lines": lines}
        await self.api.post("/v1/warehouse/receipts", body, key=receipt_id)

    async def judge(self, rma: str, units: dict[str, int], *, accepted: bool) -> None:
        """Say whether what came may be taken back."""
        verdict: Json = {
            "grade": "A" if accepted else "D",
            "accepted": accepted,
            "disposition": "restock" if accepted else "return_to_customer",
            "reason": "" if accepted else "worn and broken",
        }
        lines = [{"line_id": line_id, "quantity": quantity, **verdict} for line_id, quantity in units.items()]
        inspection_id = f"inspection-{rma}"
        body: Json = {"inspection_id": inspection_id, "rma": rma, "lines": lines}
        await self.api.post("/v1/warehouse/inspections", body, key=inspection_id)


@dataclass(frozen=True, slots=True)
class Posting:
    """A line of the double-entry ledger: positive is debit, negative credit."""

    account: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Invariant:
    name: str
    checked: int
    violations: int


@dataclass(frozen=True, slots=True)
class Account:
    """What stands on an account of the store in one currency, on its side; the other is zero."""

    account: str
    kind: str
    currency: str
    debit: int
    credit: int


@dataclass(frozen=True, slots=True)
class Issued:
    """An invoice, or a note about one; ``amount`` includes tax."""

    kind: str
    number: str
    order_id: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Finance:
    """The books."""

    api: Api

    async def ledger(self, payment_id: str) -> list[Posting]:
        postings: list[Posting] = []
        cursor = ""
        while True:
            page = await self.api.get(f"/v1/payments/{payment_id}/ledger", limit=_PAGE, cursor=cursor)
            postings += [
                Posting(row["account"], row["amount"]["amount"], row["amount"]["currency"])
                for row in page["data"]
            ]
            cursor = page["next_cursor"] or ""
            if not cursor:
                return postings

    async def reconcile(self) -> list[Invariant]:
        """Have every invariant of money checked, now."""
        found = (await self.api.get("/v1/reconciliation"))["invariants"]
        return [Invariant(row["name"], row["checked"], row["violations"]) for row in found]

    async def trial_balance(self) -> list[Account]:
        """Return what stands on every account of the store now."""
        return [
            Account(
                account=row["account"],
                kind=row["kind"],
                currency=row["debit"]["currency"],
                debit=row["debit"]["amount"],
                credit=row["credit"]["amount"],
            )
            for row in (await self.api.get("/v1/ledger/trial-balance"))["accounts"]
        ]

    async def documents(self, order_id: str) -> list[Issued]:
        """Return an order's invoices and notes, oldest first."""
        return [
            Issued(
                kind=row["kind"],
                number=row["number"],
                order_id=row["order_id"],
                currency=row["amount"]["currency"],
                amount=row["amount"]["amount"],
            )
            for row in (await self.api.get("/v1/invoices", order_id=order_id))["data"]
        ]


@dataclass(frozen=True, slots=True)
class Clock:
    """The test clock: a case's own time, moved forward."""

    api: Api

    async def advance_past(self, case: Case) -> Case:
        """Let the deadline pass that the case shows."""
        if case.waiting_on is None:
            raise ValueError(f"{case.case_id} waits for nothing")
        seconds = int((case.waiting_on.until - datetime.now(UTC)).total_seconds()) + 60
        body: Json = {"case_id": case.case_id, "seconds": max(seconds, 1)}
        key = f"advance-{case.case_id}-{case.phase}"
        return Case.model_validate((await self.api.post("/v1/test-clock/advance", body, key=key))["case"])


@dataclass(frozen=True, slots=True)
class Processor:
    """The card processor: the only one that knows which money really moved."""

    api: Api

    async def moved(self, payment_id: str) -> int:
        """Return what has gone back of a payment, in minor units."""
        rows = (await self.api.get("/_control/refunds", payment_id=payment_id))["data"]
        return sum(row["amount"] for row in rows if row["status"] == "succeeded")
