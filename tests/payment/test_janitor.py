"""The janitor repairs what is certain, moves no money, and asks about the rest."""

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable
from services.domain.money import Money
from tests.builders import STORE, an_intent

PAYMENT = "pay_536365"
AGED = """
ALTER TABLE ledger_entries DISABLE TRIGGER USER;
UPDATE ledger_entries SET posted_at = now() - interval '61 minutes'
"""


@pytest.fixture(autouse=True)
def _no_webhooks(payments, postbox) -> None:
    """No webhook arrives at the service, once that is up."""
    assert payments
    postbox.take = None


@pytest.fixture
def mend(payments):
    """Let the janitor look at the last three days."""

    async def look():
        return await payments.mend(datetime.now(UTC) - timedelta(days=3))

    return look


async def test_a_refund_whose_answer_was_lost_is_settled(payments, paid, database, mend, facts, broken):
    """Nobody asks any more; its provider knows that it moved. Its case is told, once."""
    await paid("card_answer_lost")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    assert (await mend()).repaired == ()
    await (await database("payment")).execute(AGED)

    assert (await mend()).repaired == (an_intent().refund_id,)
    assert (await mend()).repaired == ()
    (fact,) = await facts("payment")
    assert (fact.case_id, fact.refund.status) == (an_intent().case_id, RefundStatus.SUCCEEDED)
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(255, "GBP")
    assert await broken() == {}


async def test_a_refund_that_never_arrived_is_asked_about_not_sent(payments, paid, sandbox, database, mend):
    """Whether it is still wanted is a person's to say."""
    await paid("card_down")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    await sandbox.behave(PAYMENT, "card")
    await (await database("payment")).execute(AGED)

    mending = await mend()

    assert [(doubt.refund_id, doubt.why) for doubt in mending.doubts] == [
        (an_intent().refund_id, "refund_never_arrived")
    ]
    assert await sandbox.moved(PAYMENT) == []
    assert (await payments.balance(STORE, PAYMENT)).pending == Money(255, "GBP")


async def test_a_pending_refund_is_settled_when_its_provider_has(payments, paid, database, mend, facts):
    """Its case has given up asking."""
    await paid("card_refund_pending")
    await payments.issue(an_intent())
    await (await database("payment")).execute(AGED)

    looks = [await mend() for _ in range(3)]

    assert [look.repaired for look in looks].count((an_intent().refund_id,)) == 1
    assert [fact.refund.status for fact in await facts("payment")] == [RefundStatus.SUCCEEDED]


async def test_a_refund_made_in_the_dashboard_is_booked(payments, paid, sandbox, mend, facts, broken):
    """Its webhook never came."""
    await paid()
    made = await sandbox.refund_by_hand(PAYMENT, 300)

    assert (await mend()).repaired == (made["id"],)
    assert (await mend()).repaired == ()
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(300, "GBP")
    assert [fact.refund.refund_id for fact in await facts("payment")] == [None]
    assert await broken() == {}


async def test_a_refund_the_bank_returned_is_booked(payments, paid, postbox, mend, facts, broken):
    """It had succeeded here, and its provider's list says that it failed."""
    await paid("card_refund_fails_late")
    await payments.issue(an_intent())
    await postbox.received(2)

    assert len((await mend()).repaired) == 1
    assert [fact.refund.status for fact in await facts("payment")] == [RefundStatus.FAILED]
    assert await broken() == {}


async def test_a_dispute_we_never_heard_of_is_booked(paid, sandbox, mend, facts, broken):
    """Opened, then ruled, and neither webhook came."""
    await paid()
    dispute = await sandbox.dispute(PAYMENT, 400)
    first = await mend()
    await sandbox.move_dispute(dispute, "lost")
    second = await mend()

    assert (first.repaired, second.repaired, (await mend()).repaired) == ((dispute,), (dispute,), ())
    told = [fact.dispute.status.value for fact in await facts("payment")]
    assert told == ["needs_response", "lost"]
    assert await broken() == {}


async def test_what_lies_before_the_window_is_not_looked_at(payments, paid, sandbox):
    """Each look is bounded."""
    await paid()
    await sandbox.refund_by_hand(PAYMENT, 300)
    await sandbox.dispute(PAYMENT, 400)

    assert (await payments.mend(datetime.now(UTC) + timedelta(minutes=1))).checked == 0
