"""The payment service over the sandbox, and an order that was paid."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest

from services.clients.payment import PaymentClient
from services.domain.amounts import payments_of
from services.domain.ids import PaymentId, StoreId
from services.domain.order import Payment
from services.domain.refund import InvariantReport
from services.payment.reconciliation import INVARIANT_NAMES
from services.sandbox.webhooks import signature
from tests.builders import NOW, STORE, an_order
from tests.fixtures.sandbox import WEBHOOK_SECRET
from tests.fixtures.services import OpenDatabase

Paid = Callable[..., Awaitable[None]]
Letter = tuple[str, bytes]
# 2026-03-02, when the tests play.
CREATED = int(NOW.timestamp())
TRIAL = """
SELECT account, sum(minor_units)::bigint FROM ledger_entries GROUP BY account HAVING sum(minor_units) <> 0
"""


@pytest.fixture
def payments(payment_channel: grpc.aio.Channel) -> PaymentClient:
    return PaymentClient(payment_channel)


@pytest.fixture
def paid(payments: PaymentClient) -> Paid:
    """Register an order of six lanterns (1530), paid with one tender that behaves like this."""

    async def register(method: str = "card", store_id: StoreId = STORE, **changes: Any) -> None:
        tender = Payment(PaymentId("pay_536365"), "sandbox", method, 1530, NOW)
        order = payments_of(replace(an_order(payments=(tender,)), store_id=store_id))
        await payments.register(replace(order, **changes))

    return register


@pytest.fixture
def letter() -> Callable[..., Letter]:
    """A webhook of a refund as the provider would send it: signed now, unless a test says otherwise."""

    def write(event_id: str, secret: str = WEBHOOK_SECRET, at: int | None = None, **members: Any) -> Letter:
        refund = {
            "id": "re_1",
            "object": "refund",
            "amount": 255,
            "currency": "gbp",
            "metadata": {},
            "payment_intent": "pi_000000000001",
            "status": "succeeded",
            **members,
        }
        event = {"id": event_id, "object": "event", "created": CREATED, "data": {"object": refund}}
        return seal(json.dumps({**event, "type": "refund.updated"}), secret, at)

    return write


@pytest.fixture
def dispute_letter() -> Callable[..., Letter]:
    """A webhook of a dispute of the first payment, told so many seconds after the tests begin to play."""

    def write(event_id: str, status: str, seconds: int = 0, taken: int = 0, **members: Any) -> Letter:
        moved = [{"amount": -taken, "fee": 1500}] if taken else []
        dispute = {
            "id": "dp_1",
            "object": "dispute",
            "amount": 400,
            "balance_transactions": moved,
            "created": CREATED,
            "currency": "gbp",
            "evidence_details": {"due_by": CREATED + 86_400},
            "payment_intent": "pi_000000000001",
            "reason": "fraudulent",
            "status": status,
            **members,
        }
        event = {"id": event_id, "object": "event", "created": CREATED + seconds, "data": {"object": dispute}}
        return seal(json.dumps({**event, "type": "charge.dispute.updated"}))

    return write


def seal(body: str, secret: str = WEBHOOK_SECRET, at: int | None = None) -> Letter:
    """Sign a webhook, now or at a time."""
    return signature(body, secret, int(time.time()) if at is None else at), body.encode()


@pytest.fixture
def broken(payments: PaymentClient) -> Callable[[], Awaitable[dict[str, tuple[str, ...]]]]:
    """Reconcile, and tell which invariants are broken by what; nothing is looked at in vain."""

    async def report() -> dict[str, tuple[str, ...]]:
        reports: list[InvariantReport] = await payments.reconcile(STORE)
        assert sorted(one.name for one in reports) == sorted(INVARIANT_NAMES)
        return {one.name: one.examples for one in reports if one.violations}

    return report


@pytest.fixture
def trial(database: OpenDatabase) -> Callable[[], Awaitable[dict[str, int]]]:
    """The balance of every account that has one."""

    async def balances() -> dict[str, int]:
        return dict(map(tuple, await (await database("payment")).fetch(TRIAL)))

    return balances
