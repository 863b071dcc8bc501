"""Orders over REST: versions, payments, parcels, and what the carrier says of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx2
import pytest

from services.clients.warehouse import WarehouseClient
from services.domain.logistics import ParcelStatus, TrackingEvent
from tests.builders import NOW
from tests.fixtures.gateway import CARRIER_SECRET, Front, customer_token, order_body, staff_token, store_token

SHIPMENT = {
    "shipment_id": "S1",
    "carrier": "demo-post",
    "tracking_number": "TRACK1",
    "lines": [{"line_id": "1", "quantity": 6}],
    "shipped_at": "2026-03-01T12:00:00Z",
    "promised_by": None,
}


async def test_an_order_comes_back_as_it_was_put(front: Front) -> None:
    """New: 201; the same again: 200; and every line says where its units stand."""
    body = order_body()
    first, again = [await front.call("PUT", "/v1/orders/536365", store_token(), json=body) for _ in range(2)]
    order = (await front.call("GET", "/v1/orders/536365", store_token())).json()

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == order
    assert order["customer"] == body["customer"]
    line = order["lines"][0]
    units = {name: line[name] for name in ("delivered_at", "returned", "refunded", "in_case", "remaining")}
    assert units == {"delivered_at": None, "returned": 0, "refunded": 0, "in_case": 0, "remaining": 6}


async def test_its_payments_are_known_before_it_answers(front: Front) -> None:
    """A refund may follow at once: the payment is captured here and at the provider."""
    await front.put_order()
    balance = (await front.call("GET", "/v1/payments/pay_536365", staff_token("finance"))).json()

    assert balance["captured"] == balance["refundable"] == {"amount": 1530, "currency": "GBP"}
    assert {balance[name]["amount"] for name in ("refunded", "pending", "disputed")} == {0}


async def test_a_version_stands(front: Front) -> None:
    """The same version with another body, and a lower one, are conflicts; a higher one replaces."""
    body = order_body(version=2)

    async def put(**changes: object) -> tuple[int, str]:
        answer = await front.call("PUT", "/v1/orders/536365", store_token(), json={**body, **changes})
        problem = answer.json()
        assert [error["pointer"] for error in problem.get("errors", ())] == ["/version"] * ("code" in problem)
        return answer.status_code, problem.get("code", "")

    assert await put() == (201, "")
    assert await put(market="GB", status="cancelled") == (409, "order_version_conflict")
    assert await put(version=1) == (409, "order_version_conflict")
    assert await put(version=3, status="shipped") == (200, "")


async def test_an_order_has_to_add_up(front: Front) -> None:
    """Totals that do not match, a duplicate line and an unknown provider are refused."""
    line = order_body()["lines"][0]
    payment = order_body()["payments"][0]
    wrong = {
        "totals": ({"payments": [{**payment, "amount": 1529}]}, 422, "order_totals_mismatch"),
        "no payment": ({"payments": []}, 422, "order_totals_mismatch"),
        "twice": ({"lines": [line, line]}, 400, "invalid_argument"),
        "provider": ({"payments": [{**payment, "provider": "bank"}]}, 400, "invalid_argument"),
        "discount": ({"discounts": [{"code": "ALL", "amount": 1531}]}, 422, "order_totals_mismatch"),
    }
    for changes, status, code in wrong.values():
        answer = await front.put_order(**changes)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.json()["errors"][0]["pointer"].startswith("/")
    assert (await front.call("GET", "/v1/orders/536365", store_token())).status_code == 404


@pytest.mark.parametrize("policies_dir", [Path("deploy/policies/demo")])
async def test_what_no_policy_covers_is_not_kept(front: Front) -> None:
    """An order nothing could ever be decided for is refused at once, not when its customer needs us."""
    answer = await front.put_order(market="JP")

    assert (answer.status_code, answer.json()["code"]) == (422, "no_policy_for_market")
    assert (await front.call("GET", "/v1/orders/536365", store_token())).status_code == 404


async def test_orders_are_found_and_paged(front: Front) -> None:
    """By customer, phone, word and date; newest first, a page at a time, each order once."""
    for number in range(5):
        placed_at = (datetime.now(UTC) - timedelta(days=number)).isoformat()
        payment = {**order_body()["payments"][0], "payment_id": f"pay_{number}"}
        answer = await front.put_order(f"{number}", placed_at=placed_at, payments=[payment])
        assert answer.status_code == 201

    async def found(query: str) -> list[str]:
        answer = await front.call("GET", f"/v1/orders?{query}", store_token())
        assert answer.status_code == 200, answer.text
        return [order["order_id"] for order in answer.json()["data"]]

    assert await found("customer_id=17850") == ["0", "1", "2", "3", "4"]
    assert await found("customer_id=1785") == []
    assert await found("phone=%2B440000017850&q=lantern&limit=1") == ["0"]
    assert await found("q=kettle") == []
    since = (datetime.now(UTC) - timedelta(days=1.5)).isoformat().replace("+", "%2B")
    assert await found(f"placed_after={since}") == ["0", "1"]

    paged: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await front.call("GET", f"/v1/orders?limit=2&cursor={cursor}", customer_token())).json()
        paged += [order["order_id"] for order in page["data"]]
        cursor = page["next_cursor"]
    assert paged == ["0", "1", "2", "3", "4"]
    broken = await front.call("GET", "/v1/orders?cursor=rubbish", store_token())
    assert (broken.status_code, broken.json()["code"]) == (400, "invalid_argument")


async def test_a_shipment_is_recorded_once(front: Front) -> None:
    """The same again is harmless; another body is a conflict; more than was sold is refused."""
    await front.put_order()
    path = "/v1/orders/536365/shipments"

    async def ship(**changes: object) -> tuple[int, str]:
        answer = await front.call("POST", path, store_token(), json={**SHIPMENT, **changes})
        return answer.status_code, answer.json().get("code", "")

    assert [await ship(), await ship()] == [(201, "")] * 2
    assert await ship(carrier="other-post") == (409, "idempotency_conflict")
    assert await ship(shipment_id="S2", lines=[{"line_id": "1", "quantity": 1}]) == (
        409, "quantity_exceeds_remaining",
    )  # fmt: skip
    assert (
        await front.call("POST", "/v1/orders/9/shipments", store_token(), json=SHIPMENT)
    ).status_code == 404


async def test_a_delivery_dates_the_windows(front: Front) -> None:
    """The carrier's signed word dates the line, however often it comes and whether or not it is expected."""
    await front.put_order()
    delivered_at = "2026-03-02T12:00:00Z"
    early = await front.carrier_says(event_id="e0", occurred_at=delivered_at)
    await front.call("POST", "/v1/orders/536365/shipments", store_token(), json=SHIPMENT)
    again = await front.carrier_says(event_id="e0", occurred_at=delivered_at)
    unknown = await front.carrier_says(event_id="e1", tracking_number="NOBODYS")
    order = (await front.call("GET", "/v1/orders/536365", store_token())).json()

    assert [a.status_code for a in (early, again, unknown)] == [200, 200, 200]
    assert [a.json()["is_new"] for a in (early, again, unknown)] == [True, False, True]
    assert order["lines"][0]["delivered_at"] == delivered_at


async def test_the_dock_hears_nothing_of_a_parcel_to_a_customer(
    front: Front, warehouse_channel: grpc.aio.Channel
) -> None:
    """Whatever the customer says of its number later, no scan of it is there to bring a return back."""
    warehouse = WarehouseClient(warehouse_channel)
    await front.put_order()
    await front.call("POST", "/v1/orders/536365/shipments", store_token(), json=SHIPMENT)
    first = await front.carrier_says(event_id="e1")
    again = await front.carrier_says(event_id="e1")
    await front.carrier_says(event_id="e2", tracking_number="BACK1")

    def scan(event_id: str, number: str) -> TrackingEvent:
        return TrackingEvent(event_id, "demo-post", number, ParcelStatus.DELIVERED, NOW)

    assert [first.json(), again.json()] == [{"is_new": True}, {"is_new": False}]
    assert await warehouse.track("demo", scan("e1", "TRACK1")) == (True, False)
    assert await warehouse.track("demo", scan("e2", "BACK1")) == (False, False)


async def test_what_brought_the_goods_brings_them_not_back(front: Front) -> None:
    """The number of any parcel that the store sent is refused; one that another store sent says nothing."""
    case_id = await front.a_case()
    for order_id, store in (("536366", "demo"), ("536367", "other")):
        paid = [{**order_body()["payments"][0], "payment_id": f"pay_{order_id}"}]
        assert (await front.put_order(order_id, store, payments=paid)).status_code == 201
        body = {**SHIPMENT, "shipment_id": order_id, "tracking_number": f"OUT{order_id}"}
        path = f"/v1/orders/{order_id}/shipments"
        assert (await front.call("POST", path, store_token(store), json=body)).status_code == 201

    async def register(number: str) -> httpx2.Response:
        body = {"carrier": "demo-post", "tracking_number": number}
        return await front.call("POST", f"/v1/cases/{case_id}/parcel", customer_token(), json=body)

    refused = await register("OUT536366")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_argument")
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("/tracking_number", "outbound_parcel")
    ]
    assert len(front.cases.given) == 0
    assert (await register("OUT536367")).status_code == 200


async def test_only_the_carrier_is_believed(front: Front) -> None:
    """A wrong secret, an old or future signature and none at all are 401; a signed absurdity is 400."""
    old, future = datetime.now(UTC) - timedelta(minutes=10), datetime.now(UTC) + timedelta(minutes=10)
    forged = [
        await front.carrier_says(secret=CARRIER_SECRET[:-8] + "AAAAAAA="),
        await front.carrier_says(at=old),
        await front.carrier_says(at=future),
        await front.call("POST", "/v1/tracking-events", json={}),
        await front.call("POST", "/v1/tracking-events", json={}, headers={
            "webhook-id": "x", "webhook-timestamp": "x", "webhook-signature": "v1,x v2 v1,v1"}),
    ]  # fmt: skip
    absurd = await front.carrier_says(status="teleported", occurred_at="yesterday", weight=3)

    assert [(a.status_code, a.json()["code"]) for a in forged] == [(401, "webhook_signature_invalid")] * 5
    assert absurd.status_code == 400
    assert {(e["pointer"], e["code"]) for e in absurd.json()["errors"]} == {
        ("/status", "unknown_value"), ("/occurred_at", "malformed"), ("/weight", "unknown_member"),
    }  # fmt: skip
