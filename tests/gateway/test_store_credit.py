"""Store credit over REST: given, read, spent by orders, and refunded to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.fixtures.gateway import Front, case_body, customer_token, staff_token, store_token

PATH = "/v1/customers/17850/store-credit"
PAID_WITH_CREDIT = {
    "placed_at": "2026-03-02T12:00:00Z",
    "payments": [
        {
            "payment_id": "pay_536365",
            "provider": "store_credit",
            "method": "store_credit",
            "amount": 1530,
            "captured_at": "2026-03-02T12:00:00Z",
        }
    ],
}


async def grant(
    front: Front, amount: int = 1530, key: str = "k1", token: str | None = None, **more: Any
) -> httpx2.Response:
    body = {"amount": {"amount": amount, "currency": "GBP"}, **more}
    headers = {"idempotency-key": key}
    return await front.call("POST", PATH, token or staff_token("supervisor"), json=body, headers=headers)


async def left(front: Front, token: str | None = None) -> int:
    """Return what the customer may spend, in pence."""
    answer = await front.call("GET", PATH, token or store_token())
    assert answer.status_code == 200, answer.text
    return sum(one["balance"]["amount"] for one in answer.json()["balances"])


async def test_credit_is_given_once_per_key(front: Front) -> None:
    """The same key and body is the same credit; another body is a conflict; without a key none is given."""
    answers = [await grant(front), await grant(front), await grant(front, amount=1)]
    keyless = await front.call("POST", PATH, store_token(), json={"amount": {"amount": 1, "currency": "GBP"}})

    assert [answer.status_code for answer in answers] == [201, 200, 409]
    assert answers[0].json() == answers[1].json()
    assert answers[2].json()["code"] == "idempotency_conflict"
    assert keyless.status_code == 400
    assert await left(front) == 1530


async def test_what_makes_no_sense_is_not_given(front: Front) -> None:
    """Nothing, and what has lapsed already."""
    past = "2020-01-01T00:00:00Z"
    answers = [await grant(front, amount=0), await grant(front, key="k2", expires_at=past)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert await left(front) == 0


async def test_credit_is_seen_by_whom_it_concerns(front: Front) -> None:
    """The customer sees its own, not who gave it; another's does not exist, and each store keeps its own."""
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    await grant(front, amount=700, expires_at=until)
    await grant(front, amount=30, key="k2")
    mine = (await front.call("GET", PATH, customer_token())).json()
    staffs = (await front.call("GET", PATH, staff_token("agent"))).json()

    (balance,) = mine["balances"]
    assert balance["balance"] == {"amount": 730, "currency": "GBP"}
    assert [(lot["left"]["amount"], lot["cause"]) for lot in balance["lots"]] == [(700, None), (30, None)]
    assert {lot["cause"] for lot in staffs["balances"][0]["lots"]} == {"supervisor-1"}
    theirs = await front.call("GET", PATH, customer_token("13047"))
    assert (theirs.status_code, theirs.json()["code"]) == (404, "customer_not_found")
    assert await left(front, store_token("other")) == 0


async def test_an_order_is_paid_with_credit(front: Front) -> None:
    """Without enough it is refused; once there is, the same order is taken, and has spent it."""
    refused = await front.put_order(**PAID_WITH_CREDIT)
    await grant(front, amount=1600)
    taken = [await front.put_order(**PAID_WITH_CREDIT) for _ in range(2)]

    assert (refused.status_code, refused.json()["code"]) == (409, "store_credit_exceeded")
    assert [answer.status_code for answer in taken] == [200, 200]
    assert await left(front) == 70
    balance = (await front.call("GET", "/v1/payments/pay_536365", staff_token("finance"))).json()
    assert balance["refundable"] == {"amount": 1530, "currency": "GBP"}


async def test_finance_finds_it_in_the_books(front: Front) -> None:
    """As a liability, and posting by posting with the lot it is about."""
    lot = (await grant(front, amount=1600)).json()["lot_id"]
    await front.put_order(**PAID_WITH_CREDIT)
    finance = staff_token("finance")
    trial = (await front.call("GET", "/v1/ledger/trial-balance", finance)).json()["accounts"]
    lines = (await front.call("GET", "/v1/ledger.csv", finance)).text.splitlines()

    owed = {row["account"]: row["credit"]["amount"] for row in trial}
    assert (owed["store_credit"], owed["captured"]) == (70, 1530)
    about = [line for line in lines if line.endswith(f",{lot}")]
    assert len(about) == 4
    report = (await front.call("GET", "/v1/reconciliation", finance)).json()["invariants"]
    assert [one["name"] for one in report if one["violations"]] == []


async def test_a_return_may_be_refunded_to_credit(front: Front) -> None:
    """Quote and case say where each share goes; unless it is asked for, that is back as it was paid."""
    await front.put_order()
    wanted = {"details": {"refund_to": "store_credit"}}
    quoted = (await front.call("POST", "/v1/cases/quote", store_token(), json=case_body(**wanted))).json()
    plain = (await front.call("POST", "/v1/cases/quote", store_token(), json=case_body())).json()
    opened = await front.open_case(**wanted)

    assert [share["destination"] for share in quoted["quote"]["to"]] == ["store_credit"]
    assert [share["destination"] for share in plain["quote"]["to"]] == ["original"]
    assert quoted["quote"]["refund"] == plain["quote"]["refund"]
    assert "store_credit" in quoted["decision"]["remedies"]
    assert opened.status_code == 201
