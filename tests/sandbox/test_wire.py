"""The sandbox speaks the card processor's wire: its own SDK is a client, its own samples are the shape."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.fixtures.sandbox import API_KEY, WEBHOOK_SECRET

SAMPLES = json.loads((Path(__file__).parents[1] / "data" / "stripe_fixtures.json").read_text())["resources"]


@pytest.fixture
def sdk(sandbox) -> stripe.StripeClient:
    """The processor's own client, pointed at the sandbox."""
    return stripe.StripeClient(API_KEY, base_addresses={"api": sandbox.url}, max_network_retries=0)


@pytest.fixture
def call() -> Callable[..., Any]:
    """The SDK waits; the sandbox shares the test's loop."""
    return asyncio.to_thread


@pytest.fixture
async def intent(sdk, call) -> stripe.PaymentIntent:
    """A payment of 1530 that was captured."""
    metadata = {"payment_id": "pay_1", "store_id": "demo", "method": "card"}
    params = {"amount": 1530, "currency": "gbp", "confirm": True, "metadata": metadata}
    return await call(sdk.v1.payment_intents.create, params, {"idempotency_key": "register-1"})


def misfits(ours: dict[str, Any], sample: dict[str, Any]) -> list[str]:
    """Return members that the sample has and we have not, or of another type (null fits any)."""
    missing = [name for name in sample if name not in ours]
    pairs = {name: (ours[name], sample[name]) for name in sample if name not in missing}
    return missing + [
        name
        for name, (mine, theirs) in pairs.items()
        if mine is not None and theirs is not None and type(mine) is not type(theirs)
    ]


async def test_a_refund_by_the_processors_own_sdk(sdk, call, intent):
    """Created, found again, listed, all of it through the real client."""
    params = {"payment_intent": intent.id, "amount": 255, "metadata": {"refund_id": "r-1"}}
    refund = await call(sdk.v1.refunds.create, params, {"idempotency_key": "r-1"})
    again = await call(sdk.v1.refunds.create, params, {"idempotency_key": "r-1"})
    other = await call(sdk.v1.refunds.create, params, {"idempotency_key": "r-2"})

    assert (refund.status, refund.amount, refund.currency) == ("succeeded", 255, "gbp")
    assert again.id == refund.id != other.id
    assert (await call(sdk.v1.refunds.retrieve, refund.id)).metadata["refund_id"] == "r-1"
    listed = await call(lambda: list(sdk.v1.refunds.list({"limit": 1}).auto_paging_iter()))
    assert [one.id for one in listed] == [other.id, refund.id]


async def test_what_the_processor_refuses_is_refused_as_its_sdk_expects(sdk, call, intent, sandbox):
    """Too much, a key with another body, an unknown object, a wrong key of the API."""
    asked = {"payment_intent": intent.id, "amount": 1531}
    with pytest.raises(stripe.InvalidRequestError) as too_large:
        await call(sdk.v1.refunds.create, asked)
    with pytest.raises(stripe.IdempotencyError):
        await call(
            sdk.v1.payment_intents.create, {"amount": 1, "currency": "gbp"}, {"idempotency_key": "register-1"}
        )
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await call(sdk.v1.refunds.retrieve, "re_unknown")
    stranger = stripe.StripeClient("sk_other", base_addresses={"api": sandbox.url})
    with pytest.raises(stripe.AuthenticationError):
        await call(stranger.v1.refunds.list)

    assert (too_large.value.code, too_large.value.http_status) == ("amount_too_large", 400)
    assert (missing.value.code, missing.value.http_status) == ("resource_missing", 404)


async def test_objects_have_the_members_and_types_of_the_samples(sdk, call, intent, sandbox, postbox):
    """Whatever a client reads of a payment, a refund, a dispute or an event is there."""
    refund = await call(sdk.v1.refunds.create, {"payment_intent": intent.id, "amount": 255})
    opened = await sandbox.http.post(
        "/_control/disputes", json={"payment_id": "pay_1", "amount": 100, "reason": "fraudulent", "due_by": 1}
    )
    dispute = await call(sdk.v1.disputes.retrieve, opened.json()["id"])
    letters = await postbox.received(2)
    events = [json.loads(body) for _, body in letters]

    assert misfits(intent.to_dict(), SAMPLES["payment_intent"]) == []
    assert misfits(refund.to_dict(), SAMPLES["refund"]) == []
    assert misfits(dispute.to_dict(), SAMPLES["dispute"]) == []
    (moved,) = dispute.balance_transactions
    assert misfits(moved.to_dict(), SAMPLES["balance_transaction"]) == []
    assert [misfits(event, SAMPLES["event"]) for event in events] == [[], []]


async def test_a_webhook_is_what_the_sdk_takes_for_one(sdk, call, intent, postbox):
    """Signed as the processor signs: its own library believes it, and nobody else's."""
    await call(sdk.v1.refunds.create, {"payment_intent": intent.id, "amount": 255})
    ((sealed, body),) = await postbox.received(1)

    event = sdk.construct_event(body, sealed, WEBHOOK_SECRET)

    assert event.type == "refund.created"
    with pytest.raises(stripe.SignatureVerificationError):
        sdk.construct_event(body, sealed, "whsec_guess")
