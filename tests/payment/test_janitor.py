"""The janitor repairs what is certain, moves no money, and asks about the rest."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.amounts import payments_of
from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable
from services.domain.ids import PaymentId
from services.domain.money import Money
from services.domain.order import Payment
from services.platform.grpc_errors import ServiceFault
from tests.builders import NOW, STORE, an_intent, an_order
from tests.fixtures.sandbox import Outside

PAYMENT = "pay_536365"
MANY = 620
# An id of the form that ours have, and of no refund of ours.
STRANGE = "3f0c8a52-5d0b-4b7e-9d3a-0a1b2c3d4e5f"
AGED = """
ALTER TABLE ledger_entries DISABLE TRIGGER USER;
UPDATE ledger_entries SET posted_at = now() - interval '61 minutes'
"""
# Whoever books this refund breaks down.
DEADLY = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$;
CREATE TRIGGER deadly BEFORE INSERT ON refunds FOR EACH ROW WHEN (NEW.provider_refund_id = '{}')
    EXECUTE FUNCTION die()
"""


@pytest.fixture(autouse=True)
def _no_webhooks(payments, postbox) -> None:
    """No webhook arrives at the service, once that is up."""
    assert payments
    postbox.take = None


@pytest.fixture
def mend(payments):
    """Let the janitor look at the last three days."""

    async def look(asked_at=None):
        return await payments.mend(datetime.now(UTC) - timedelta(days=3), asked_at)

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


@pytest.mark.parametrize("noted", ["shop-4711", STRANGE, "our own"])
async def test_whatever_id_is_noted_on_a_refund_made_outside_it_is_booked(
    payments, paid, sandbox, mend, broken, noted
):
    """By another integration, or by hand: only an id that we are still asking for makes it ours."""
    await paid()
    await payments.issue(an_intent())
    made = await sandbox.refund_by_hand(
        PAYMENT, 300, refund_id=an_intent().refund_id if noted == "our own" else noted
    )

    assert (await mend()).repaired == (made["id"],)
    assert (await mend()).repaired == ()
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(555, "GBP")
    assert set(await broken()) <= {"one_movement_per_intent"}


async def test_what_is_of_no_payment_of_ours_is_nothing_repaired(paid, sandbox, database, mend, facts):
    """Somebody else uses the account too; however often it is listed, nothing changes here."""
    await paid()
    await sandbox.refund_by_hand(PAYMENT, 300)
    await (await database("payment")).execute("UPDATE payments SET provider_ref = 'pi_else'")

    looks = [await mend() for _ in range(2)]

    assert [(look.checked, look.repaired) for look in looks] == [(1, ())] * 2
    assert await facts("payment") == []


async def test_what_makes_no_sense_holds_up_nothing_else_of_its_list(payments, paid, sandbox, mend, broken):
    """A refund and a dispute without a status, newer than one of each: those are booked, finance is asked."""
    await paid()
    made = await sandbox.refund_by_hand(PAYMENT, 300)
    odd = await sandbox.refund_by_hand(PAYMENT, 5)
    dispute = await sandbox.dispute(PAYMENT, 400)
    odd_dispute = await sandbox.dispute(PAYMENT, 6)
    garble(sandbox, "refund", odd["id"], status=None)
    garble(sandbox, "dispute", odd_dispute, status="on the moon")

    mending = await mend()

    assert (mending.repaired, mending.unanswered) == ((made["id"], dispute), ())
    assert (mending.checked, mending.is_done, (await mend()).repaired) == (4, True, ())
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(300, "GBP")
    assert await broken() == {"provider_agrees": (odd["id"],), "provider_agrees_on_disputes": (odd_dispute,)}


async def test_a_walk_goes_on_behind_what_makes_no_sense(many, sandbox, mend, database):
    """It is the last of a page."""
    garble(sandbox, "refund", many[99], amount="a lot")

    asked_at = datetime.now(UTC)
    while not (await mend(asked_at)).is_done:
        continue

    booked = await (await database("payment")).fetch("SELECT provider_refund_id FROM refunds")
    assert sorted(row["provider_refund_id"] for row in booked) == sorted({*many} - {many[99]})


async def test_a_refund_the_bank_returned_is_booked(payments, paid, days_pass, mend, facts, broken):
    """It had succeeded here, and its provider's list says that it failed."""
    await paid("card_refund_fails_late")
    await payments.issue(an_intent())
    await days_pass(2)

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


@pytest.fixture
async def many(paid, sandbox) -> list[str]:
    """Refunds of a penny that only the provider knows, newest first: more than one step looks at."""
    await paid()
    return [(await sandbox.refund_by_hand(PAYMENT, 1))["id"] for _ in range(MANY)][::-1]


async def test_a_step_is_bounded_and_the_next_goes_on(payments, many, mend, facts, broken):
    """What is left to look at is said; nothing is looked at twice."""
    asked_at = datetime.now(UTC)
    steps = [await mend(asked_at)]
    while not steps[-1].is_done:
        steps.append(await mend(asked_at))

    assert max(step.checked for step in steps) < len(many) == sum(step.checked for step in steps)
    assert sorted(one for step in steps for one in step.repaired) == sorted(many)
    assert (await mend(asked_at)).checked == 0
    assert len(await facts("payment")) == len(many)
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(len(many), "GBP")
    assert await broken() == {}


async def test_whoever_dies_the_next_goes_on_there(payments, many, mend, database, facts, broken):
    """It breaks down in the middle of the second page: the first is not gone through again."""
    connection = await database("payment")
    await connection.execute(DEADLY.format(many[150]))
    asked_at = datetime.now(UTC)
    with pytest.raises(ServiceFault):
        await mend(asked_at)
    assert len(await facts("payment")) == 150
    await connection.execute("DROP TRIGGER deadly ON refunds")

    after = await mend(asked_at)

    assert (after.checked, len(after.repaired)) == (len(many) - 100, len(many) - 150)
    assert len(await facts("payment")) == len(many)
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(len(many), "GBP")
    assert await broken() == {}


async def test_two_at_once_repair_once(paid, sandbox, mend, facts, broken):
    """Several sweeps may run: what both find is booked and told once."""
    await paid()
    for _ in range(20):
        await sandbox.refund_by_hand(PAYMENT, 1)
    dispute = await sandbox.dispute(PAYMENT, 400)

    await asyncio.gather(*(mend() for _ in range(4)))

    told = [fact.dispute.dispute_id if fact.dispute else None for fact in await facts("payment")]
    assert (len(told), len([one for one in told if one])) == (21, 1)
    assert (await mend()).repaired == ()
    assert await broken() == {}
    assert dispute


async def test_nothing_is_left_out_when_nobody_has_looked_for_long(paid, sandbox, database, mend):
    """The last walk began sixty days ago; a refund made thirty days ago lies before the window of today."""
    await paid()
    assert (await mend()).is_done
    made = await sandbox.refund_by_hand(PAYMENT, 300)
    made_at(sandbox, "refund", made["id"], datetime.now(UTC) - timedelta(days=30))
    assert (await mend()).repaired == ()
    await (await database("payment")).execute(
        "UPDATE mending_walks SET began_at = now() - interval '60 days'"
    )

    assert (await mend()).repaired == (made["id"],)


async def test_a_ruling_is_heard_of_however_late(paid, sandbox, mend, facts, broken):
    """The dispute was opened long before any list's window; whoever waits for a ruling is asked about."""
    await paid()
    dispute = await sandbox.dispute(PAYMENT, 400)
    await mend()
    made_at(sandbox, "dispute", dispute, datetime.now(UTC) - timedelta(days=90))
    await sandbox.move_dispute(dispute, "won")

    assert (await mend()).repaired == (dispute,)
    assert (await mend()).repaired == ()
    assert [fact.dispute.status.value for fact in await facts("payment")] == ["needs_response", "won"]
    assert await broken() == {}


async def test_who_does_not_answer_holds_up_nobody(payments, paid, database, mend):
    """One refund that its provider says nothing of; what comes after it is settled all the same."""
    await paid("card_answer_lost")
    intents = [an_intent(f"s{number}", amount=10) for number in range(12)]
    for intent in intents:
        with pytest.raises(DependencyUnavailable):
            await payments.issue(intent)
    silent = Payment(PaymentId("pay_silent"), "sandbox", "card_down", 1530, NOW)
    await payments.register(payments_of(an_order(order_id="536366", payments=(silent,))))
    lost = an_intent("silent", payment_id="pay_silent", order_id="536366")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(lost)
    await (await database("payment")).execute(AGED)

    mending = await mend()

    assert mending.unanswered == (lost.refund_id,)
    assert sorted(mending.repaired) == sorted(intent.refund_id for intent in intents)
    assert mending.is_done


async def test_a_place_that_its_provider_has_forgotten_is_no_obstacle(paid, sandbox, database, mend):
    """The walk stopped at a refund that the provider does not know any more: it begins at the top again."""
    await paid()
    await mend()
    made = await sandbox.refund_by_hand(PAYMENT, 300)
    await (await database("payment")).execute(
        "UPDATE mending_walks SET position = 're_gone', is_finished = false WHERE source = 'refunds/sandbox'"
    )

    assert (await mend()).repaired == (made["id"],)


def garble(sandbox: Outside, kind: str, object_id: str, **members: object) -> None:
    """Let the provider tell something of it that means nothing."""
    sandbox.state.update(sandbox.state.get(kind, object_id) | members)


def made_at(sandbox: Outside, kind: str, object_id: str, at: datetime) -> None:
    """Let the provider say that it was made then."""
    body = sandbox.state.get(kind, object_id) | {"created": int(at.timestamp())}
    sandbox.state.update(body)
