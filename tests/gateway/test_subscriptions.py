"""Stores are told what happens: once per news, signed, until it arrives or is given up."""

import asyncio

import httpx2
from standardwebhooks.webhooks import Webhook

from services.domain.case import CaseRefund, CaseStatus, RefundStatus
from services.domain.ids import PaymentId, RefundId, StoreId, derived_id
from services.domain.money import Money
from services.gateway.subscriptions import News, ToldCase, news_of
from services.platform.database import Pool
from tests.builders import NOW
from tests.casework.papers import a_snapshot
from tests.fixtures.gateway import Front, staff_token, store_token
from tests.fixtures.services import free_port
from tests.fixtures.telling import Receiver, Telling, subscribe


def a_refund(status: RefundStatus) -> CaseRefund:
    refund_id = RefundId(derived_id("refund"))
    return CaseRefund(refund_id, PaymentId("p"), Money(510, "GBP"), status, "inspection_accepted", NOW)


async def test_a_store_is_told_what_is_new_once(telling: Telling, receiver: Receiver) -> None:
    """Opened, refunded, closed: each news once, however often the register is looked through."""
    secret = await subscribe(telling, receiver.url)
    await telling.tell(a_snapshot(sequence=1))
    closed = a_snapshot(
        sequence=2,
        status=CaseStatus.CLOSED,
        phase="refunded",
        outcome="refunded",
        refunds=(a_refund(RefundStatus.SUCCEEDED),),
    )
    await telling.tell(closed, closed)
    await telling.tell()

    # What is due together is sent together, in no order.
    assert receiver.news[0] == "case.opened"
    assert sorted(receiver.news[1:]) == ["case.closed", "case.updated", "refund.succeeded"]
    for headers, body in receiver.came:
        assert Webhook(secret).verify(body, headers)


async def test_a_store_hears_only_of_its_own_and_of_what_it_asked_for(
    telling: Telling, receiver: Receiver
) -> None:
    """Another store's case, and events that were not chosen, are not sent."""
    await subscribe(telling, receiver.url, News.CASE_CLOSED)
    await telling.tell(a_snapshot(sequence=1), a_snapshot(number=2, store_id="other"))

    assert receiver.news == []


async def test_what_does_not_arrive_is_tried_again_and_can_be_replayed(
    telling: Telling, receiver: Receiver, pool: Pool
) -> None:
    """A receiver that fails gets it later under the same id; given up, it is dead, and replayable."""
    await subscribe(telling, receiver.url, News.CASE_OPENED)
    receiver.status = 500
    await telling.tell(a_snapshot())
    (pending,) = await telling.store.deliveries(StoreId("demo"), None, 10)
    assert (pending.state, pending.attempts, pending.last_answer) == ("pending", 1, "500")
    await pool.execute("UPDATE webhook_deliveries SET attempts = 15, due_at = now()")
    await telling.sender.send()
    (dead,) = await telling.store.deliveries(StoreId("demo"), None, 10)
    assert dead.state == "dead"

    receiver.status = 204
    assert await telling.store.replay(StoreId("demo"), dead.delivery_id)
    assert not await telling.store.replay(StoreId("other"), dead.delivery_id)
    await telling.sender.send()
    assert {headers["webhook-id"] for headers, _ in receiver.came} == {dead.delivery_id}
    (delivered,) = await telling.store.deliveries(StoreId("demo"), None, 10)
    assert delivered.state == "delivered"


async def test_several_gateways_tell_each_news_once(telling: Telling, receiver: Receiver) -> None:
    """Ten publishers and senders at once: nothing is queued or sent twice."""
    await subscribe(telling, receiver.url, News.CASE_OPENED)
    for number in range(5):
        await telling.casework.publish(a_snapshot(number=number))
    await asyncio.gather(*(telling.publisher.publish() for _ in range(10)))
    await asyncio.gather(*(telling.sender.send() for _ in range(10)))

    assert len(receiver.came) == 5


async def test_a_store_keeps_its_endpoints_over_rest(front: Front) -> None:
    """The secret is told once; another store, an agent and a plain address get nowhere."""
    url = "https://shop.example/hooks"
    made = await front.call("POST", "/v1/webhook-endpoints", store_token(), json={"url": url})
    again = await front.call(
        "POST", "/v1/webhook-endpoints", store_token(), json={"url": url, "events": ["case.closed"]}
    )
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["secret"].startswith("whsec_")
    assert (again.json()["secret"], again.json()["events"]) == (None, ["case.closed"])

    listed = await front.call("GET", "/v1/webhook-endpoints", store_token("other"))
    assert listed.json()["data"] == []
    refused = await front.call("POST", "/v1/webhook-endpoints", staff_token("agent"), json={"url": url})
    assert refused.status_code == 403
    plain = await front.call(
        "POST", "/v1/webhook-endpoints", store_token(), json={"url": "http://shop.example"}
    )
    assert (plain.status_code, plain.json()["errors"][0]["pointer"]) == (400, "/url")
    path = f"/v1/webhook-endpoints/{made.json()['endpoint_id']}"
    assert (await front.call("DELETE", path, store_token("other"))).status_code == 404
    assert (await front.call("DELETE", path, store_token())).status_code == 204
    lost = "/v1/webhook-deliveries/6f1c1d8e-0000-4000-8000-000000000000/replay"
    assert (await front.call("POST", lost, store_token())).status_code == 404


def test_news_is_what_differs_from_what_was_told() -> None:
    """An older or equal snapshot is no news; a refund is news when its status is."""
    first = a_snapshot(sequence=2, refunds=(a_refund(RefundStatus.PENDING),))
    told = ToldCase.of(first)
    failed = a_snapshot(sequence=3, refunds=(a_refund(RefundStatus.FAILED),))

    assert news_of(None, first) == (News.CASE_OPENED,)
    assert news_of(told, first) == ()
    assert news_of(told, a_snapshot(sequence=1)) == ()
    assert news_of(told, failed) == (News.CASE_UPDATED, News.REFUND_FAILED)


async def test_a_receiver_that_is_away_is_named(telling: Telling) -> None:
    """What kept the receiver from answering stands at the delivery."""
    await subscribe(telling, f"http://127.0.0.1:{free_port()}/hook", News.CASE_OPENED)
    await telling.tell(a_snapshot())

    (pending,) = await telling.store.deliveries(StoreId("demo"), None, 10)
    assert pending.last_answer == httpx2.ConnectError.__name__
