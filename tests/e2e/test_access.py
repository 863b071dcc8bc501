"""Whose data it is, and what a repeated or racing request comes to."""

import asyncio

import pytest

from tests.e2e.conftest import SellTo
from tests.e2e.outside import Outside, until

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]


async def test_another_stores_data_does_not_exist(a_purchase: SellTo):
    """Two stores may use the same order id; neither sees the other's order, case, timeline or stream."""
    ours = await a_purchase().arrive()
    theirs = await a_purchase(store="other", number=ours.number).arrive()
    back = await theirs.give_back(2)
    outside = ours.outside

    paths = [f"/v1/cases/{back.case_id}{rest}" for rest in ("", "/timeline", "/stream", "/explain")]
    seen = [await outside.call("GET", path) for path in paths]
    acted = await outside.call("POST", f"/v1/cases/{back.case_id}/withdraw", {"reason": "not mine"})
    listed = await outside.get("/v1/cases", order_id=theirs.order_id)

    assert [answer.status_code for answer in seen] == [404] * 4
    assert (acted.status_code, acted.json()["code"]) == (404, "case_not_found")
    assert listed["data"] == []
    assert (await back.now())["status"] == "open"
    assert (await ours.give_back(2)).opened["store_id"] == "demo"


async def test_a_customer_sees_its_own_cases_alone(a_purchase: SellTo):
    """The token of another customer of the same store finds nothing; the customer's own opens and reads."""
    mine, others = await a_purchase().arrive(), await a_purchase().arrive()
    outside = mine.outside
    me, stranger = (outside.customer_token(purchase.customer_id) for purchase in (mine, others))
    opened = await outside.call("POST", "/v1/cases", mine.request(), token=me, key="mine")
    case_id = opened.json()["case_id"]

    answers = [
        await outside.call("GET", path, token=token)
        for token in (me, stranger)
        for path in (f"/v1/cases/{case_id}", f"/v1/orders/{mine.order_id}")
    ]
    await until(
        lambda: outside.get("/v1/cases", customer_id=mine.customer_id), lambda page: len(page["data"]) == 1
    )
    listed = [
        (await outside.call("GET", "/v1/cases", token=token)).json()["data"] for token in (me, stranger)
    ]

    assert opened.status_code == 201
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404]
    assert [[case["case_id"] for case in cases] for cases in listed] == [[case_id], []]
    refused = await outside.call("POST", "/v1/cases", mine.request(1), token=stranger, key="not-mine")
    assert refused.status_code == 404


async def test_a_role_does_its_own_work_alone(a_purchase: SellTo):
    """The dock does not decide, an agent does not receive goods, nobody without a token does anything."""
    back = await (await a_purchase().arrive()).give_back(2)
    receipt = {"receipt_id": "r", "scan": back.rma, "lines": []}

    as_agent = await back.outside.call("POST", "/v1/warehouse/receipts", receipt, role="agent")
    as_dock = await back.outside.call("GET", f"/v1/payments/{back.purchase.payment_id()}", role="warehouse")
    as_nobody = await back.outside.http.get(f"/v1/cases/{back.case_id}")

    assert (as_agent.status_code, as_dock.status_code, as_nobody.status_code) == (403, 403, 401)


async def test_of_racing_requests_with_one_key_one_opens_a_case(a_purchase: SellTo):
    """Ten at once: one 201, nine 200, one case; the order's units are held once."""
    purchase = await a_purchase().arrive()

    answers = await asyncio.gather(*(purchase.ask_back(2, key="the-same") for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    (line,) = (await purchase.outside.get(f"/v1/orders/{purchase.order_id}"))["lines"]
    assert line["in_case"] == 2


async def test_of_racing_requests_for_the_same_units_one_gets_them(a_purchase: SellTo):
    """Five ask for all six lanterns: one case, and four are told that the units are taken."""
    purchase = await a_purchase().arrive()

    answers = await asyncio.gather(*(purchase.ask_back(6, key=f"race-{n}") for n in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert codes == {"quantity_exceeds_remaining"}
    await until(
        lambda: purchase.outside.get("/v1/cases", order_id=purchase.order_id),
        lambda page: len(page["data"]) == 1,
    )


async def test_a_key_with_another_body_is_a_conflict(a_purchase: SellTo):
    """The key belongs to the first request; what it opened stays as it is."""
    purchase = await a_purchase().arrive()
    first = await purchase.ask_back(2, key="one-key")

    other = await purchase.ask_back(3, key="one-key")

    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    again = await purchase.ask_back(2, key="one-key")
    assert (again.status_code, again.json()["case_id"]) == (200, first.json()["case_id"])


async def test_a_repeated_order_is_the_same_order_and_an_older_one_a_conflict(a_purchase: SellTo):
    """201, then 200; another body under the same version, or a lower one, is refused."""
    purchase = a_purchase()
    body, path = purchase.body(version=2), f"/v1/orders/{purchase.order_id}"
    changed = {**body, "status": "delivered"}

    answers = [
        await purchase.outside.call("PUT", path, sent)
        for sent in (body, body, changed, {**body, "version": 1}, {**changed, "version": 3})
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 409, 409, 200]
    assert {answer.json()["code"] for answer in answers[2:4]} == {"order_version_conflict"}


async def test_what_cannot_be_opened_at_all_is_refused_before_anything_is(
    outside: Outside, a_purchase: SellTo
):
    """An unknown line is 422, too many units 409, an unknown order 404, nonsense 400; no case is left."""
    purchase = await a_purchase().arrive()
    line = {"line_id": "77", "quantity": 1, "reason": "changed_mind"}
    bodies = {
        422: purchase.request(lines=[line]),
        409: purchase.request(7),
        404: purchase.request(order_id="nowhere"),
        400: purchase.request(lines=[]),
    }

    answers = {
        status: await outside.call("POST", "/v1/cases", body, key=f"{purchase.order_id}-{status}")
        for status, body in bodies.items()
    }

    assert {status: answer.status_code for status, answer in answers.items()} == {s: s for s in bodies}
    media = {answer.headers["content-type"] for answer in answers.values()}
    assert media == {"application/problem+json"}
    assert (await outside.get("/v1/cases", order_id=purchase.order_id))["data"] == []
