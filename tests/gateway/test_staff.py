"""The dock, the inbox and finance."""

import csv
from io import StringIO
from typing import Any

import pytest

from services.domain.ids import CaseId, rma_for
from tests.fixtures.gateway import Front, staff_token


async def a_task(front: Front) -> tuple[str, str]:
    """Return a case under review, and the task it asks an agent for."""
    await front.put_order()
    lines = [{"line_id": "1", "quantity": 1, "reason": "other"}]
    case_id = (await front.open_case(lines=lines)).json()["case_id"]
    tasks = (await front.call("GET", f"/v1/tasks?case_id={case_id}", staff_token("agent"))).json()["data"]
    assert [task["kind"] for task in tasks] == ["review_return"]
    return case_id, tasks[0]["task_id"]


async def test_a_task_is_claimed_by_one_and_completed_once(front: Front) -> None:
    """A colleague's claim stands until it is given back; the answer reaches the case, and only one does."""
    _, task_id = await a_task(front)
    first, second = staff_token("agent", sub="agent-1"), staff_token("agent", sub="agent-2")

    async def act(token: str, what: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        more = {"json": body} if body is not None else {}
        answer = await front.call("POST", f"/v1/tasks/{task_id}/{what}", token, **more)
        return answer.status_code, answer.json().get("code", "")

    approve = {"outcome": "approve", "note": "Looks right."}
    assert await act(first, "claim") == (200, "")
    assert await act(second, "claim") == (409, "task_claimed_by_other")
    assert await act(second, "complete", approve) == (409, "task_claimed_by_other")
    assert await act(first, "release") == (200, "")
    assert await act(first, "complete", {"outcome": "shrug"}) == (400, "invalid_argument")
    assert await act(second, "complete", approve) == (200, "")
    assert await act(first, "complete", {"outcome": "refuse"}) == (409, "task_already_completed")
    completions = [command for name, command in front.cases.given.values() if name == "complete_task"]
    assert [(c.actor.actor_id, c.outcome) for c in completions] == [("agent-2", "approve")]  # type: ignore[attr-defined]


async def test_a_completion_is_repeatable_under_its_key(front: Front) -> None:
    """The same key and answer again is answered again, with the task done and the case as it is."""
    case_id, task_id = await a_task(front)
    answers = [
        await front.call(
            "POST",
            f"/v1/tasks/{task_id}/complete",
            staff_token("agent"),
            json={"outcome": "approve"},
            headers={"idempotency-key": "k1"},
        )
        for _ in range(2)
    ]

    assert [(a.status_code, a.json()["state"], a.json()["case"]["case_id"]) for a in answers] == [
        (200, "completed", case_id)
    ] * 2


@pytest.mark.rule("S045")
async def test_a_queue_is_worked_by_its_roles(front: Front) -> None:
    """An agent's task is for agents and above; the dock and finance are refused, others find no such task."""
    _, task_id = await a_task(front)
    roles = ("agent", "senior", "supervisor", "manager", "warehouse", "finance", "ops")
    path = f"/v1/tasks/{task_id}/release"
    allowed = {
        role for role in roles if (await front.call("POST", path, staff_token(role))).status_code != 403
    }
    elsewhere = await front.call("POST", path, staff_token("manager", stores=("other",)))

    assert allowed == {"agent", "senior", "supervisor", "manager"}
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "task_not_found")


async def test_only_queues_that_there_are_are_listed(front: Front) -> None:
    """A queue that nobody works is a mistake of whoever asks, and pointed at."""
    known = await front.call("GET", "/v1/tasks?queue=supervisor", staff_token("agent"))
    unknown = await front.call("GET", "/v1/tasks?queue=nonsense", staff_token("agent"))
    problem = unknown.json()

    assert (known.status_code, unknown.status_code, problem["code"]) == (200, 400, "invalid_argument")
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [("/query/queue", "unknown_value")]


async def test_an_unexpected_parcel_is_recorded_once(front: Front) -> None:
    """A receipt is kept also when nobody expects the parcel; its repeat is harmless, another body is not."""
    dock = staff_token("warehouse")
    body = {
        "receipt_id": "R1",
        "scan": "NOBODYS",
        "lines": [{"sku": "85123A", "quantity": 1}],
        "note": "Wet.",
    }

    async def receive(**changes: Any) -> tuple[int, str]:
        answer = await front.call("POST", "/v1/warehouse/receipts", dock, json={**body, **changes})
        return answer.status_code, answer.json().get("code", "")

    assert [await receive(), await receive()] == [(201, "")] * 2
    assert await receive(note="Dry.") == (409, "idempotency_conflict")
    assert await receive(receipt_id="R2", lines=[{"quantity": 1}]) == (400, "invalid_argument")
    assert await receive(receipt_id="R2", lines=[{"sku": "A", "line_id": "1", "quantity": 1}]) == (
        400, "invalid_argument",
    )  # fmt: skip
    assert await receive(receipt_id="R3", lines=[]) == (201, "")


async def test_the_dock_finds_nothing_under_an_unknown_code(front: Front) -> None:
    """An RMA or number nobody expects is 404, and what was never received cannot be inspected."""
    dock = staff_token("warehouse")
    case_id = await front.a_case()
    rma = rma_for(CaseId(case_id))
    found = await front.call("GET", f"/v1/warehouse/inbound?scan={rma}", dock)
    line = {"line_id": "1", "quantity": 1, "grade": "A", "accepted": True, "disposition": "restock"}
    body = {"inspection_id": "I1", "rma": rma, "lines": [line]}
    inspected = await front.call("POST", "/v1/warehouse/inspections", dock, json=body)

    assert (found.status_code, found.json()["code"]) == (404, "return_not_found")
    assert (inspected.status_code, inspected.json()["code"]) == (404, "return_not_found")


async def test_stock_is_counted_absolutely(front: Front) -> None:
    """A SKU never seen has none; a count sets it, twice the same."""
    dock = staff_token("ops")
    empty = {"sku": "BANK CHARGES", "on_hand": 0, "reserved": 0, "available": 0, "quarantined": 0}
    path = "/v1/warehouse/stock/BANK%20CHARGES"

    assert (await front.call("GET", "/v1/warehouse/stock?sku=BANK%20CHARGES", dock)).json() == empty
    for _ in range(2):
        counted = await front.call("PUT", path, dock, json={"on_hand": 7})
        assert counted.json() == {**empty, "on_hand": 7, "available": 7}
    assert (await front.call("PUT", path, dock, json={"on_hand": -1})).status_code == 400


async def test_finance_closes_the_books(front: Front) -> None:
    """The trial balance has equal sides, and is empty before anything was posted; the export agrees."""
    await front.put_order()
    finance = staff_token("finance")
    now = (await front.call("GET", "/v1/ledger/trial-balance", finance)).json()
    past = await front.call("GET", "/v1/ledger/trial-balance?as_of=2001-01-01T00:00:00Z", finance)
    export = await front.call("GET", "/v1/ledger.csv?from=2001-01-01T00:00:00Z", finance)
    lines = list(csv.DictReader(StringIO(export.text)))

    assert [
        (one["account"], one["kind"], one["debit"]["amount"], one["credit"]["amount"])
        for one in now["accounts"]
    ] == [("captured", "liability", 0, 1530), ("provider", "asset", 1530, 0)]
    assert past.json()["accounts"] == []
    assert export.headers["content-type"].startswith("text/csv")
    assert [(line["account"], line["minor_units"], line["payment_id"]) for line in lines] == [
        ("provider", "1530", "pay_536365"),
        ("captured", "-1530", "pay_536365"),
    ]
    assert (await front.call("GET", "/v1/ledger.csv?since=2001", finance)).status_code == 400
    assert (await front.call("GET", "/v1/ledger.csv", staff_token("agent"))).status_code == 403


async def test_finance_sees_that_it_adds_up(front: Front) -> None:
    """A capture is posted twice, once on each side; every invariant is checked and none is broken."""
    await front.put_order()
    finance = staff_token("finance")
    ledger = (await front.call("GET", "/v1/payments/pay_536365/ledger", finance)).json()["data"]
    report = (await front.call("GET", "/v1/reconciliation", finance)).json()["invariants"]
    unknown = await front.call("GET", "/v1/payments/pay_9/ledger", finance)
    foreign = await front.call("GET", "/v1/payments/pay_536365", staff_token("finance", stores=("other",)))

    assert sum(entry["amount"]["amount"] for entry in ledger) == 0
    assert len(ledger) == 2
    assert report
    assert {check["violations"] for check in report} == {0}
    assert [unknown.status_code, foreign.status_code] == [404, 404]


async def test_a_providers_webhook_is_checked(front: Front) -> None:
    """A forged one is 401, one of a provider we do not have is 404, and nobody needs a token for either."""
    forged = await front.call("POST", "/v1/webhooks/payments/sandbox", json={"id": "evt_1"})
    headers = {"stripe-signature": "t=1,v1=00"}
    old = await front.call("POST", "/v1/webhooks/payments/sandbox", json={"id": "evt_1"}, headers=headers)
    unknown = await front.call("POST", "/v1/webhooks/payments/nobody", json={"id": "evt_1"})
    empty = await front.call("POST", "/v1/webhooks/payments/sandbox")

    assert [(a.status_code, a.json()["code"]) for a in (forged, old, unknown, empty)] == [
        (401, "webhook_signature_invalid"),
        (401, "webhook_signature_invalid"),
        (404, "unknown_webhook_provider"),
        (400, "invalid_argument"),
    ]
