"""Everybody outside: storefront, customer, carrier, dock and staff, over REST and signed webhooks alone."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as mail_policy
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
from joserfc import jwt
from joserfc.jwk import OctKey
from standardwebhooks.webhooks import Webhook

from deploy.local.facts import StackFacts

Json = dict[str, Any]
Seen = TypeVar("Seen")

_REQUEST_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 0.03
_TOKEN_SECONDS: Final = 3600


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


async def until(
    look: Callable[[], Awaitable[Seen]], is_it: Callable[[Seen], bool], seconds: float = _PATIENCE_SECONDS
) -> Seen:
    """Look again and again; returns what was seen as soon as it is what is wanted.

    Raises:
        AssertionError: If it never is, with what was seen last.
    """
    give_up_at = time.monotonic() + seconds
    while not is_it(seen := await look()):
        assert time.monotonic() < give_up_at, f"not after {seconds:.0f} s; last seen: {seen}"
        await asyncio.sleep(_LOOK_SECONDS)
    return seen


@dataclass
class Outside:
    """One way to the stack for everybody; ``token`` or ``role`` says who asks."""

    facts: StackFacts
    http: httpx2.AsyncClient
    _mail: dict[str, EmailMessage] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: StackFacts) -> "Outside":
        return cls(facts, httpx2.AsyncClient(base_url=facts.gateway, timeout=_REQUEST_SECONDS))

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        role: str = "store",
        token: str | None = None,
        key: str | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """Ask once, and return whatever is answered."""
        sent = {"authorization": f"Bearer {token or self.facts.tokens[role]}"}
        if key is not None:
            sent["idempotency-key"] = key
        return await self.http.request(method, path, json=body, headers=sent, **more)

    async def get(self, path: str, role: str = "store", **query: Any) -> Any:
        answer = await self.call("GET", path, role=role, params=query)
        assert answer.is_success, answer.text
        return answer.json()

    async def post(self, path: str, body: object, *, role: str = "store", key: str | None = None) -> Json:
        answer = await self.call("POST", path, body, role=role, key=key)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def customer_token(self, customer_id: str, store: str = "demo") -> str:
        """Return a customer's token, as the storefront's backend signs it."""
        key = OctKey.import_key(self.facts.stores[store]["customer_key"])
        claims = {"sub": customer_id, "store": store, "exp": int(time.time()) + _TOKEN_SECONDS}
        return jwt.encode({"alg": "HS256"}, claims, key, algorithms=["HS256"])

    def store_token(self, store: str) -> str:
        return self.facts.stores[store]["token"]

    async def carrier_says(self, number: str, status: str, at: str, event_id: str = "") -> httpx2.Response:
        """Send a scan of a parcel, signed, from the carrier."""
        event_id = event_id or f"{number}-{status}"
        event = {
            "event_id": event_id,
            "carrier": "demo-post",
            "tracking_number": number,
            "status": status,
            "occurred_at": at,
        }
        body, now = json.dumps(event), datetime.now(UTC)
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.facts.webhook_secrets["carrier"]).sign(event_id, now, body),
            "content-type": "application/json",
        }
        return await self.http.post("/v1/tracking-events", content=body, headers=headers)

    async def moved(self, payment_id: str) -> list[Json]:
        """Return what the provider itself says has moved."""
        url = f"{self.facts.sandbox}/_control/refunds"
        answer = await self.http.get(url, params={"payment_id": payment_id})
        return list(answer.json()["data"])

    async def behave(self, payment_id: str, method: str) -> None:
        """Have the provider behave as with this method from now on."""
        url = f"{self.facts.sandbox}/_control/behaviour"
        answer = await self.http.post(url, json={"payment_id": payment_id, "method": method})
        assert answer.is_success, answer.text

    def mail_to(self, recipient: str) -> list[EmailMessage]:
        """Return the mail that has come for ``recipient``, oldest first."""
        for file in sorted(Path(self.facts.mailbox).glob("*.eml")):
            if file.name not in self._mail:
                parsed = message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=mail_policy)
                self._mail[file.name] = parsed
        return [mail for _, mail in sorted(self._mail.items()) if mail["To"] == recipient]

    async def tasks(self, case_id: str, kind: str, role: str = "supervisor") -> list[Json]:
        """Return the open tasks of that kind that a case asks for, or has left behind."""
        page = await self.get("/v1/tasks", role, state="open", limit=200)
        assert page["next_cursor"] is None
        tasks = [task for task in page["data"] if task["kind"] == kind]
        return [task for task in tasks if case_id in {task["case_id"], task["context"].get("case_id")}]

    async def complete(self, case_id: str, kind: str, outcome: str, role: str) -> Json:
        """Answer the case's one open task of that kind, as soon as it is there."""
        (task,) = await until(lambda: self.tasks(case_id, kind, role), lambda tasks: len(tasks) == 1)
        return await self.post(f"/v1/tasks/{task['task_id']}/complete", {"outcome": outcome}, role=role)

    async def readiness(self) -> tuple[int, list[str]]:
        """Return the gateway's readiness, and what it says is down."""
        answer = await self.http.get("/readyz")
        return answer.status_code, answer.json()["down"]

    async def invariants(self) -> dict[str, int]:
        """Return the violations that the reconciliation report finds, by name."""
        report = await self.get("/v1/reconciliation", "finance")
        return {each["name"]: each["violations"] for each in report["invariants"]}
