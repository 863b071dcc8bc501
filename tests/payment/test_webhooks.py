"""Webhooks: believed only when signed and fresh, applied once, in whatever order they come."""

import asyncio
import json
import time
from dataclasses import replace

import pytest

from services.domain.case import RefundStatus
from services.domain.errors import (
    DependencyUnavailable,
    InvalidArgument,
    NotFound,
    RefundExceedsCaptured,
    Unauthenticated,
)
from services.domain.money import Money
from services.sandbox.webhooks import signature
from tests.builders import STORE, an_intent
from tests.fixtures.sandbox import WEBHOOK_SECRET

PAYMENT = "pay_536365"
KEPT = "SELECT count(*) FROM provider_events"


@pytest.fixture
def by_hand(postbox):
    """Webhooks are delivered by the test alone."""
    postbox.take = None
    return postbox


async def ledger_sums(payments) -> dict[str, int]:
    entries, _ = await payments.ledger(STORE, "", "", 200)
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.account] = sums.get(entry.account, 0) + entry.amount.minor_units
    return sums


async def test_a_forged_or_stale_webhook_is_not_believed(payments, paid, letter, database):
    """Wrong secret, none, odd characters, older than five minutes, from the future: nothing is kept."""
    await paid()
    sealed, body = letter("evt_x", metadata={"refund_id": an_intent().refund_id})
    forged = [
        letter("evt_x", secret="whsec_guess")[0],
        "",
        "t=,v1=",
        "v1=" + "0" * 64,
        "t=²,v1=ö",
        letter("evt_x", at=int(time.time()) - 301)[0],
        letter("evt_x", at=int(time.time()) + 301)[0],
    ]

    for bad in forged:
        with pytest.raises(Unauthenticated) as refusal:
            await payments.receive_webhook("sandbox", bad, body)
        assert refusal.value.reason == "WEBHOOK_SIGNATURE_INVALID"
    with pytest.raises(Unauthenticated):
        await payments.receive_webhook("sandbox", sealed, body + b" ")
    assert await (await database("payment")).fetchval(KEPT) == 0


async def test_a_secret_may_be_changed_without_a_gap(payments, paid, letter):
    """While it changes, a webhook carries a signature by the old and one by the new secret."""
    await paid()
    at = int(time.time())
    ours, body = letter("evt_x", at=at)
    theirs = signature(body.decode(), "whsec_next", at).partition(",")[2]

    assert await payments.receive_webhook("sandbox", f"{ours.replace(',', f',{theirs},')}", body) is True


async def test_a_webhook_of_nobody_or_of_nonsense_is_refused(payments, letter):
    """An unknown provider is not found; signed nonsense is the provider's fault, not ours."""
    with pytest.raises(NotFound):
        await payments.receive_webhook("pigeon", *letter("evt_x"))
    for body in (
        "not json",
        "[]",
        "{}",
        '{"id": "evt", "created": 1, "data": {"object": []}}',
        '{"id": 1e999}',
    ):
        sealed = signature(body, WEBHOOK_SECRET, int(time.time()))
        with pytest.raises(InvalidArgument):
            await payments.receive_webhook("sandbox", sealed, body.encode())


async def test_a_webhook_of_something_else_is_kept_and_changes_nothing(payments, paid, letter, facts):
    """A customer of the provider's, a refund of a payment that is not ours."""
    await paid()
    stranger = letter("evt_1", payment_intent="pi_unknown")
    customer = letter("evt_2", object="customer")
    for event in (stranger, customer):
        assert await payments.receive_webhook("sandbox", *event) is True

    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(0, "GBP")
    assert await facts("payment") == []


async def test_a_webhook_before_our_own_commit_is_left_to_whoever_asks(payments, paid, sandbox, by_hand):
    """The provider tells of the success while its answer is on the way: the refund settles once."""
    await paid("card_answer_lost")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    (early,) = await by_hand.received(1)
    assert await payments.receive_webhook("sandbox", *early) is True
    assert (await payments.balance(STORE, PAYMENT)).pending == Money(255, "GBP")

    refund = await payments.issue(an_intent())

    assert refund.status is RefundStatus.SUCCEEDED
    assert await payments.receive_webhook("sandbox", *early) is False
    assert len(await sandbox.moved(PAYMENT)) == 1


async def test_a_failure_before_our_own_commit_is_sent_again(payments, paid, letter, sandbox, facts):
    """Told of a failure while the refund is being asked for, we ask for patience; then it changes nothing."""
    await paid("card_down")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    # The payment is the provider's first thing, its refund will be the second.
    ours = {"id": "re_000000000002", "metadata": {"refund_id": an_intent().refund_id}}
    failed = letter("evt_f", status="failed", **ours)
    with pytest.raises(DependencyUnavailable):
        await payments.receive_webhook("sandbox", *failed)
    await sandbox.behave(PAYMENT, "card_refund_declined")
    assert (await payments.issue(an_intent())).provider_refund_id == ours["id"]

    assert await payments.receive_webhook("sandbox", *failed) is False
    assert (await payments.balance(STORE, PAYMENT)).refundable == Money(1530, "GBP")
    assert await facts("payment") == []


async def test_a_pending_refund_succeeds_by_webhook_and_its_case_is_told(payments, paid, letter, facts):
    """Once, however often the provider says so; an older word that comes later changes nothing."""
    await paid("card_refund_pending")
    intent = an_intent()
    issued = await payments.issue(intent)
    ours = {"id": issued.provider_refund_id, "metadata": {"refund_id": intent.refund_id}}
    told = letter("evt_s", status="succeeded", **ours)
    await asyncio.gather(*(payments.receive_webhook("sandbox", *told) for _ in range(5)))
    await payments.receive_webhook("sandbox", *letter("evt_old", status="pending", **ours))

    (fact,) = await facts("payment")
    assert (fact.case_id, fact.refund.refund_id) == (intent.case_id, intent.refund_id)
    assert fact.refund.status is RefundStatus.SUCCEEDED
    assert (await payments.issue(intent)).status is RefundStatus.SUCCEEDED
    assert await ledger_sums(payments) == {"provider": 1275, "captured": -1275, "refund_payable": 0}


async def test_a_late_failure_corrects_the_books_and_tells_the_case(payments, paid, days_pass, facts):
    """Days after it succeeded the bank sends the money back: failed, told once, and the ledger says so."""
    await paid("card_refund_fails_late")
    intent = an_intent()
    assert (await payments.issue(intent)).status is RefundStatus.SUCCEEDED
    assert await ledger_sums(payments) == {"provider": 1275, "captured": -1275, "refund_payable": 0}

    await days_pass(2)

    (fact,) = await facts("payment")
    assert (fact.case_id, fact.refund.status) == (intent.case_id, RefundStatus.FAILED)
    assert fact.refund.failure == "lost_or_stolen_card"
    assert (await payments.check(STORE, intent.refund_id, intent.requested_at)).status is RefundStatus.FAILED
    assert await ledger_sums(payments) == {"provider": 1530, "captured": -1530, "refund_payable": 0}


async def test_a_success_that_comes_after_its_failure_changes_nothing(payments, paid, by_hand, days_pass):
    """The provider's two words arrive in the wrong order."""
    await paid("card_refund_fails_late")
    await payments.issue(an_intent())
    await by_hand.received(1)
    created, failed = await days_pass(2)
    for event in (failed, created, failed):
        await payments.receive_webhook("sandbox", *event)

    assert (await payments.issue(an_intent())).status is RefundStatus.FAILED
    assert await ledger_sums(payments) == {"provider": 1530, "captured": -1530, "refund_payable": 0}


async def test_all_webhooks_again_in_any_order_change_nothing(payments, paid, sandbox, days_pass, facts):
    """Ten refunds of all sorts, everything sent again and shuffled: same balance, same books, same facts."""
    await paid("card")
    for number, method in enumerate(("card", "card_refund_fails_late", "card_refund_declined") * 3):
        await sandbox.behave(PAYMENT, method)
        await payments.issue(an_intent(f"settle-{number}", amount=100))
    await days_pass(12)
    before = (
        await payments.balance(STORE, PAYMENT),
        await ledger_sums(payments),
        await facts("payment"),
    )

    await sandbox.http.post("/_control/webhooks/replay")
    letters = await days_pass(24)

    told = {(event["id"], event["type"]) for event in (json.loads(body) for _, body in letters)}
    assert len(told) == 12
    assert before[0].refunded == Money(300, "GBP")
    assert before == (
        await payments.balance(STORE, PAYMENT),
        await ledger_sums(payments),
        await facts("payment"),
    )


async def test_a_refund_made_by_hand_counts(payments, paid, sandbox, postbox, facts, broken):
    """Money given back in the dashboard is booked, told without a case, and caps what we may give."""
    await paid()
    made = await sandbox.refund_by_hand(PAYMENT, 1400)
    await postbox.received(1)

    with pytest.raises(RefundExceedsCaptured):
        await payments.issue(an_intent(amount=131))
    assert (await payments.issue(an_intent(amount=130))).status is RefundStatus.SUCCEEDED
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(1530, "GBP")
    (fact,) = await facts("payment")
    assert (fact.case_id, fact.refund.refund_id, fact.refund.amount.minor_units) == (None, None, 1400)
    assert made["status"] == "succeeded"
    assert await broken() == {}


@pytest.mark.parametrize("noted", ["not-an-id", "our own"])
async def test_a_refund_made_by_hand_is_not_taken_for_ours(payments, paid, sandbox, postbox, noted):
    """Whatever id somebody noted on it: it is a movement of its own, and ours stays as it is."""
    await paid()
    intent = an_intent()
    ours = await payments.issue(intent)
    await sandbox.refund_by_hand(PAYMENT, 300, refund_id=intent.refund_id if noted == "our own" else noted)
    await postbox.received(2)

    again = await payments.issue(intent)
    assert again.provider_refund_id == ours.provider_refund_id
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(555, "GBP")


async def test_a_refund_of_ours_is_known_by_the_providers_id_too(payments, paid, letter):
    """Its notes were wiped in the dashboard: it is still no second movement."""
    await paid()
    ours = await payments.issue(an_intent())
    await payments.receive_webhook("sandbox", *letter("evt_1", id=ours.provider_refund_id, metadata={}))

    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(255, "GBP")


async def test_webhooks_of_two_stores_with_one_payment_id_go_to_their_own(payments, paid, sandbox, postbox):
    """The provider's id of the payment decides, not the store's."""
    await paid()
    await paid(store_id="other")
    await sandbox.refund_by_hand(PAYMENT, 300)
    await postbox.received(1)

    refunded = [(await payments.balance(store, PAYMENT)).refunded.minor_units for store in (STORE, "other")]
    assert refunded == [300, 0]
    other = replace(an_intent("o", amount=1530), store_id="other")
    assert (await payments.issue(other)).status is RefundStatus.SUCCEEDED
