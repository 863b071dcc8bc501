"""Goods on their way and at the dock: partial, late, rejected, unknown; carriers repeat and reorder."""

import time

import pytest

from tests.e2e.conftest import SellTo
from tests.e2e.outside import Outside, days_ago, until

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]


async def test_a_rejected_unit_is_not_paid_and_its_customer_chooses(a_purchase: SellTo):
    """Of three, two are accepted and paid; the third goes back to its owner, as chosen."""
    back = await (await a_purchase().arrive()).give_back(3)
    await back.receive(3)
    await back.inspect(accepted=2, rejected=1)
    case = await back.until("inspection_rejected")
    assert [option["option_id"] for option in case["options"]] == ["send_back", "dispose"]
    assert await back.moved() == [(510, "succeeded")]
    explained = await back.outside.get(f"/v1/cases/{back.case_id}/explain")
    assert (explained["basis"], explained["refund"]["amount"]) == ("settlement", 510)
    assert [(row["quantity"], row["accepted"]) for row in explained["inspected"]] == [(2, True), (1, False)]

    await back.act("choice", {"option_id": "send_back"})

    closed = await back.until("partially_refunded")
    (line,) = closed["lines"]
    assert (line["accepted"], line["rejected"], line["refunded"]) == (2, 1, 2)
    (task,) = await until(
        lambda: back.outside.tasks(back.case_id, "send_back_rejected", "warehouse"),
        lambda found: len(found) == 1,
    )
    assert task["context"]["units"] == "1"
    assert (await back.stock())["on_hand"] == 2


async def test_an_option_that_is_none_is_refused(a_purchase: SellTo):
    """Only what the case offers can be chosen."""
    back = await (await a_purchase().arrive()).give_back(2)
    await back.receive(2)
    await back.inspect(accepted=0, rejected=2)
    await back.until("inspection_rejected")

    path = f"/v1/cases/{back.case_id}/choice"
    answer = await back.outside.call("POST", path, {"option_id": "double_refund"})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")


async def test_a_unit_that_comes_after_the_refund_is_paid_too(a_purchase: SellTo):
    """Two of three are settled at once; the third comes after the case was closed, and reopens it."""
    back = await (await a_purchase().arrive()).give_back(3)
    await back.come_back()
    await until(back.moved, lambda moved: moved == [(510, "succeeded")])
    assert (await back.advance(days=14, minutes=1))["outcome"] == "partially_refunded"

    await back.receive(1)
    await back.until("inspecting")
    await back.inspect(accepted=1)
    case = await back.until("refunded")

    assert case["lines"][0]["refunded"] == 3
    assert await back.moved() == [(510, "succeeded"), (255, "succeeded")]
    assert (await back.stock())["on_hand"] == 3


async def test_a_repeated_receipt_and_inspection_change_nothing(a_purchase: SellTo):
    """The dock's scanner sends twice what it sent once: the goods are counted once."""
    back = await (await a_purchase().arrive()).give_back(2)
    receipt = {"receipt_id": f"{back.rma}-a", "scan": back.rma, "lines": [{"line_id": "1", "quantity": 2}]}
    row = {"line_id": "1", "quantity": 2, "grade": "A", "accepted": True, "disposition": "restock"}
    inspection = {"inspection_id": f"{back.rma}-a", "rma": back.rma, "lines": [row]}

    for _ in range(3):
        await back.outside.post("/v1/warehouse/receipts", receipt, role="warehouse")
    for _ in range(3):
        await back.outside.post("/v1/warehouse/inspections", inspection, role="warehouse")
    case = await back.until("refunded")

    assert (case["lines"][0]["received"], case["lines"][0]["accepted"]) == (2, 2)
    assert (await back.stock())["on_hand"] == 2
    assert await back.moved() == [(510, "succeeded")]


async def test_scans_may_repeat_come_in_any_order_and_before_their_parcel(a_purchase: SellTo):
    """Delivered is told before the shop has told of the parcel, twice, and before the scans on the way."""
    purchase = await a_purchase().place()
    outside, at = purchase.outside, days_ago(2)

    early = await outside.carrier_says(purchase.parcel, "delivered", at)
    repeat = await outside.carrier_says(purchase.parcel, "delivered", at)
    await purchase.ship()
    await outside.carrier_says(purchase.parcel, "in_transit", days_ago(3))
    await outside.carrier_says(purchase.parcel, "delivered", at, "another id, same scan")

    assert (early.json(), repeat.json()) == ({"is_new": True}, {"is_new": False})
    (line,) = (await outside.get(f"/v1/orders/{purchase.order_id}"))["lines"]
    assert line["delivered_at"][:19] == at[:19]
    assert (await purchase.give_back(2)).opened["decision"]["verdict"] == "allow"


async def test_a_forged_scan_is_refused(outside: Outside):
    """A signature that is not the carrier's is 401 and changes nothing."""
    headers = {
        "content-type": "application/json",
        "webhook-id": "x",
        "webhook-timestamp": f"{time.time():.0f}",
        "webhook-signature": "v1,AAAA",
    }
    answer = await outside.http.post("/v1/tracking-events", content="{}", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_invalid")


async def test_the_customers_own_parcel_moves_the_return(a_purchase: SellTo):
    """Registered, scanned, delivered: each is the case's next phase, and who is waited for follows."""
    back = await (await a_purchase().arrive()).give_back(2)
    number = f"BACK{back.purchase.number}"
    await back.act("parcel", {"carrier": "demo-post", "tracking_number": number})
    await back.until("in_transit")

    scan = await back.outside.carrier_says(number, "delivered", days_ago(0))

    assert scan.json() == {"is_new": True}
    case = await back.until("awaiting_receipt")
    assert case["waiting_on"]["party"] == "warehouse"
    assert case["waiting_on"]["then"] == "deem_received"


async def test_what_nobody_records_counts_as_received(a_purchase: SellTo):
    """Ten days after the carrier delivered it, a return is paid without a receipt."""
    back = await (await a_purchase().arrive()).give_back(2)
    number = f"BACK{back.purchase.number}"
    await back.act("parcel", {"carrier": "demo-post", "tracking_number": number})
    await back.outside.carrier_says(number, "delivered", days_ago(0))
    await back.until("awaiting_receipt")

    case = await back.advance(days=10, minutes=1)

    assert case["outcome"] == "refunded"
    assert case["refunds"][0]["cause"] == "timer:deemed_received"
    assert await back.moved() == [(510, "succeeded")]


async def test_the_parcel_that_brought_the_goods_is_no_return(a_purchase: SellTo):
    """Its number is refused, and its scans move nothing: who sends nothing back is paid nothing."""
    purchase = await a_purchase().arrive()
    back = await purchase.give_back(2)
    path = f"/v1/cases/{back.case_id}/parcel"
    body = {"carrier": "demo-post", "tracking_number": purchase.parcel}
    token = back.outside.customer_token(purchase.customer_id)

    answer = await back.outside.call("POST", path, body, token=token)
    await back.outside.carrier_says(purchase.parcel, "delivered", days_ago(0), "told once more")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/tracking_number"]
    case = await back.advance(days=14, minutes=1)
    assert (case["outcome"], case["refunds"]) == ("expired", [])
    assert await back.moved() == []


async def test_a_delivery_to_the_customer_is_no_return_whatever_was_registered(a_purchase: SellTo):
    """A number told of before the shop sent its parcel, and one whose delivery was heard of before that."""
    for is_heard_first in (False, True):
        back = await (await a_purchase().arrive()).give_back(2)
        other, outside = await a_purchase().place(), back.outside
        if is_heard_first:
            await outside.carrier_says(other.parcel, "delivered", days_ago(1))
        body = {"carrier": "demo-post", "tracking_number": other.parcel}
        await back.act("parcel", body)
        await other.ship()
        if not is_heard_first:
            await outside.carrier_says(other.parcel, "delivered", days_ago(0))

        case = await back.advance(days=40)

        assert (case["outcome"], case["refunds"]) == ("expired", [])
        assert await back.moved() == []


async def test_a_parcel_that_nobody_knows_becomes_a_task(outside: Outside):
    """What cannot be matched is recorded, and somebody at the dock is asked; no case is made up."""
    receipt = {"receipt_id": "stray-1", "scan": "NOBODY-KNOWS-1", "lines": [{"sku": "X1", "quantity": 1}]}
    taken = await outside.post("/v1/warehouse/receipts", receipt, role="warehouse")
    assert (taken["rma"], taken["case_id"]) == (None, None)

    async def about_it() -> list[object]:
        page = await outside.get("/v1/tasks", "warehouse", queue="warehouse")
        return [task for task in page["data"] if task["context"].get("receipt_id") == "stray-1"]

    (task,) = await until(about_it, lambda found: len(found) == 1)
    assert task["case_id"] is None  # type: ignore[index]


async def test_an_extra_article_in_the_parcel_becomes_a_task(a_purchase: SellTo):
    """What was announced is settled; what was not is put before an agent."""
    back = await (await a_purchase().arrive()).give_back(2)
    lines = [{"line_id": "1", "quantity": 2}, {"sku": "ANOTHER", "quantity": 1}]
    receipt = {"receipt_id": f"{back.rma}-x", "scan": back.rma, "lines": lines}
    await back.outside.post("/v1/warehouse/receipts", receipt, role="warehouse")
    await back.inspect(accepted=2)
    await back.until("refunded")

    tasks = await until(
        lambda: back.outside.tasks(back.case_id, "extra_goods", "agent"), lambda found: len(found) == 1
    )

    assert tasks[0]["context"]["receipt_id"] == f"{back.rma}-x"
    assert await back.moved() == [(510, "succeeded")]
