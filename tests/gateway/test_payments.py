"""Payments for finance over REST."""

import pytest

from tests.fixtures.gateway import Front, staff_token
from tests.fixtures.sandbox import Outside, Postbox


@pytest.mark.parametrize("due_by", ["2026-04-01T00:00:00Z", None])
async def test_a_payment_shows_its_disputes(
    front: Front, sandbox: Outside, postbox: Postbox, due_by: str | None
) -> None:
    """Where each stands, what it is about, and until when the bank takes an answer."""
    await front.put_order()
    finance = staff_token("finance")
    before = (await front.call("GET", "/v1/payments/pay_536365", finance)).json()
    await sandbox.dispute("pay_536365", 400, due_by=due_by)
    await postbox.received(1)
    after = (await front.call("GET", "/v1/payments/pay_536365", finance)).json()

    assert before["disputes"] == []
    (dispute,) = after["disputes"]
    assert dispute == {
        "dispute_id": dispute["dispute_id"],
        "status": "needs_response",
        "amount": {"amount": 400, "currency": "GBP"},
        "reason": "fraudulent",
        "due_by": due_by,
    }
    assert after["disputed"] == dispute["amount"]
    assert (await front.call("GET", "/v1/payments/pay_9", finance)).status_code == 404
