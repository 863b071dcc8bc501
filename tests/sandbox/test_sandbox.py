"""The sandbox's own truth: what moves, how it behaves, what it tells, and what it remembers."""

import asyncio
import json

import httpx2
import pytest

from services.domain.errors import DependencyUnavailable
from services.sandbox.app import Sandbox
from services.sandbox.state import State
from tests.fixtures.sandbox import API_KEY, WEBHOOK_SECRET
from tests.fixtures.services import free_port


@pytest.fixture
def pay(sandbox):
    """Make a payment known, as the payment service does."""

    async def register(payment_id: str = "pay_1", method: str = "card", store: str = "demo") -> str:
        data = {
            "amount": "1000",
            "currency": "gbp",
            "metadata[payment_id]": payment_id,
            "metadata[store_id]": store,
            "metadata[method]": method,
        }
        headers = {"idempotency-key": f"register-{store}-{payment_id}"}
        answer = await sandbox.http.post("/v1/payment_intents", data=data, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    return register


@pytest.fixture
def refund(sandbox):
    """Ask for a refund under a key."""

    async def ask(intent: str, key: str, amount: int = 100) -> httpx2.Response:
        data = {"payment_intent": intent, "amount": str(amount)}
        return await sandbox.http.post("/v1/refunds", data=data, headers={"idempotency-key": key})

    return ask


async def test_no_more_is_refunded_than_was_paid(pay, refund, sandbox):
    """Of twelve refunds of 100 at once, ten move; pending ones count, failed ones do not."""
    intent = await pay()
    answers = await asyncio.gather(*(refund(intent, f"k{number}") for number in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [400] * 2

    pending = await pay("pay_2", "card_refund_pending")
    declined = await pay("pay_3", "card_refund_declined")
    assert [(await refund(pending, f"p{n}", 600)).status_code for n in range(2)] == [200, 400]
    assert [(await refund(declined, f"d{n}", 600)).status_code for n in range(2)] == [200, 200]
    assert [one["status"] for one in await sandbox.moved("pay_3")] == ["failed", "failed"]


async def test_a_key_moves_once_also_when_its_answer_was_a_no(pay, refund, sandbox):
    """The first answer under a key stays its answer; with other parameters the key is refused."""
    intent = await pay()
    first = await asyncio.gather(*(refund(intent, "k1") for _ in range(5)))
    too_much = [(await refund(intent, "k2", 5000)).json() for _ in range(2)]
    other = await refund(intent, "k1", 200)

    assert len({answer.json()["id"] for answer in first}) == 1
    assert too_much[0] == too_much[1]
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    (moved,) = await sandbox.moved("pay_1")
    assert (moved["idempotency_key"], moved["amount"], moved["status"]) == ("k1", 100, "succeeded")


async def test_a_lost_answer_moves_and_is_lost_once(pay, refund, sandbox):
    """The connection breaks off after the money has moved; the same key again is answered."""
    intent = await pay(method="card_answer_lost")
    with pytest.raises(httpx2.HTTPError):
        await refund(intent, "k1")

    assert (await refund(intent, "k1")).json()["status"] == "succeeded"
    assert len(await sandbox.moved("pay_1")) == 1


async def test_a_provider_that_is_down_says_so_until_it_is_told_otherwise(pay, refund, sandbox):
    """Nothing moves meanwhile, nothing can be looked up, nothing is remembered under the key."""
    intent = await pay(method="card")
    known = (await refund(intent, "k1")).json()["id"]
    await sandbox.behave("pay_1", "card_down")
    listing = await sandbox.http.get("/v1/refunds", params={"payment_intent": intent})

    assert (await refund(intent, "k2")).status_code == 503
    assert (await sandbox.http.get(f"/v1/refunds/{known}")).status_code == 503
    assert listing.status_code == 503
    await sandbox.behave("pay_1", "card")
    assert (await refund(intent, "k2")).status_code == 200


async def test_stores_with_one_payment_id_share_nothing(pay, refund, sandbox):
    """Each has its own money and behaviour; the control shows and changes both."""
    ours, theirs = await pay(), await pay(method="card_refund_declined", store="other")

    assert (await refund(ours, "k1", 1000)).json()["status"] == "succeeded"
    assert (await refund(theirs, "k2", 1000)).json()["status"] == "failed"
    await sandbox.behave("pay_1", "wallet")
    assert (await refund(theirs, "k3", 1000)).json()["status"] == "succeeded"
    assert len(await sandbox.moved("pay_1")) == 3


async def test_a_dispute_stops_refunds_and_takes_the_money_if_lost(pay, refund, sandbox, postbox):
    """While it is open nothing goes back; won, all may; lost, what was disputed is gone. Each is told."""
    won, lost = await pay("pay_1"), await pay("pay_2")
    ids = {}
    for name in ("pay_1", "pay_2"):
        wanted = {"payment_id": name, "amount": 400, "reason": "fraudulent", "due_by": "2026-04-01T00:00:00Z"}
        answer = await sandbox.http.post("/_control/disputes", json=wanted)
        ids[name] = answer.json()["id"]
    assert (await refund(won, "k1")).json()["error"]["code"] == "charge_disputed"

    for name, status in (("pay_1", "won"), ("pay_2", "lost"), ("pay_2", "won")):
        await sandbox.http.post(f"/_control/disputes/{ids[name]}/close", json={"status": status})

    assert (await refund(won, "k2", 1000)).status_code == 200
    assert (await refund(lost, "k3", 601)).status_code == 400
    assert (await refund(lost, "k4", 600)).status_code == 200
    events = [json.loads(body) for _, body in await postbox.received(6)]
    told = [(event["type"], event["data"]["object"]["status"]) for event in events[:4]]
    assert told == [
        ("charge.dispute.created", "needs_response"),
        ("charge.dispute.created", "needs_response"),
        ("charge.dispute.closed", "won"),
        ("charge.dispute.closed", "lost"),
    ]
    assert events[0]["data"]["object"]["evidence_details"]["due_by"] == 1775001600


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/_control/behaviour", {"payment_id": "pay_1", "method": "card_teleport"}, 400),
        ("/_control/behaviour", {"payment_id": "unknown", "method": "card"}, 404),
        ("/_control/behaviour", [], 400),
        ("/_control/disputes", {"payment_id": "unknown", "amount": 1}, 404),
        ("/_control/disputes", {"payment_id": "pay_1", "amount": 1001}, 400),
        ("/_control/disputes", {"payment_id": "pay_1", "amount": "1"}, 400),
        ("/_control/disputes", {"payment_id": "pay_1", "amount": 1, "due_by": "soon"}, 400),
        ("/_control/disputes/dp_unknown/close", {"status": "won"}, 404),
        ("/_control/disputes/dp_unknown/close", {"status": "drawn"}, 400),
    ],
)
async def test_a_control_that_makes_no_sense_is_refused(pay, sandbox, path, body, status):
    """Clear errors here as well."""
    await pay()

    assert (await sandbox.http.post(path, json=body)).status_code == status


@pytest.mark.parametrize(
    "data",
    [
        {"amount": "0", "currency": "gbp"},
        {"amount": "-1", "currency": "gbp"},
        {"amount": "²", "currency": "gbp"},
        {"amount": "9" * 30, "currency": "gbp"},
        {"amount": "1", "currency": "gbp", "metadata[method]": "card_teleport"},
    ],
)
async def test_a_payment_that_makes_no_sense_is_refused(sandbox, data):
    """Amounts are positive whole numbers; methods are those of the list."""
    assert (await sandbox.http.post("/v1/payment_intents", data=data)).status_code == 400
    assert (await sandbox.http.get("/v1/refunds", params={"limit": "many"})).status_code == 400


async def test_a_webhook_is_repeated_until_somebody_takes_it(pay, refund, postbox):
    """Refused twice, taken the third time, and then no more."""
    refusals = iter([True, True])

    async def take(_signature: str, _body: bytes) -> None:
        if next(refusals, False):
            raise DependencyUnavailable("not now")

    postbox.take = take
    await refund(await pay(), "k1")
    letters = await postbox.received(3)
    await asyncio.sleep(0.3)

    assert len({json.loads(body)["id"] for _, body in letters}) == 1
    assert len(postbox.letters) == 3


async def test_all_webhooks_may_be_sent_again(pay, refund, sandbox, postbox):
    """Every one that was due, once more; what is not yet due stays where it is."""
    intent = await pay()
    for number in range(5):
        await refund(intent, f"k{number}")
    await postbox.received(5)

    assert (await sandbox.http.post("/_control/webhooks/replay")).json() == {"queued": 5}
    again = [json.loads(body)["id"] for _, body in (await postbox.received(10))[5:]]
    assert len(set(again)) == 5


async def test_everything_survives_a_restart(serve_http, postbox, tmp_path):
    """Money, keys, behaviours and webhooks not yet due are in the file, not in the process."""

    async def start() -> tuple[State, httpx2.AsyncClient]:
        state = State(tmp_path / "own.db")
        served = Sandbox(state, API_KEY, WEBHOOK_SECRET, postbox.url, late_failure_seconds=0.5)
        url = await serve_http(served.app(), free_port())
        return state, httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {API_KEY}"})

    state, before = await start()
    made = {
        "amount": "1000",
        "currency": "gbp",
        "metadata[payment_id]": "pay_1",
        "metadata[method]": "card_refund_fails_late",
    }
    intent = (await before.post("/v1/payment_intents", data=made)).json()["id"]
    wanted, key = {"payment_intent": intent, "amount": "100"}, {"idempotency-key": "k1"}
    first = (await before.post("/v1/refunds", data=wanted, headers=key)).json()
    state.close()
    state, after = await start()

    assert (await after.post("/v1/refunds", data=wanted, headers=key)).json() == first
    assert [one["id"] for one in (await after.get("/v1/refunds")).json()["data"]] == [first["id"]]
    await postbox.received(2)
    (moved,) = (await after.get("/_control/refunds", params={"payment_id": "pay_1"})).json()["data"]
    assert moved["status"] == "failed"
    for client in (before, after):
        await client.aclose()
