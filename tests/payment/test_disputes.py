"""Disputes are facts: kept, booked once, told once, and counted against what may still go back."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.errors import DependencyUnavailable, InvalidArgument, PaymentDisputed
from services.domain.money import Money
from tests.builders import NOW, STORE, an_intent

PAYMENT = "pay_536365"
UNGUARDED = "ALTER TABLE ledger_entries DISABLE TRIGGER USER;"


@pytest.fixture
async def paid_order(paid) -> None:
    """An order that was paid."""
    await paid()


@pytest.fixture
async def frozen(paid, sandbox, postbox) -> str:
    """A payment of which a chargeback has frozen 400; the provider's id of the dispute."""
    await paid()
    dispute = await sandbox.dispute(PAYMENT, 400)
    await postbox.received(1)
    return dispute


async def test_a_chargeback_freezes_and_a_win_frees(paid, sandbox, postbox, facts, trial, broken):
    """The money and the fee leave with the chargeback and come back with the win; each step is told once."""
    await paid()
    dispute = await sandbox.dispute(PAYMENT, 400, due_by="2026-04-01T00:00:00Z")
    await postbox.received(1)
    assert await trial() == {
        "captured": -1530,
        "dispute_frozen": 400,
        "provider": 1530 - 400 - 1500,
        "provider_fees": 1500,
    }
    assert await broken() == {}
    await sandbox.move_dispute(dispute, "won")
    await postbox.received(2)

    assert await trial() == {"captured": -1530, "provider": 1530}
    told = [(fact.case_id, fact.order_id, fact.dispute.status.value) for fact in await facts("payment")]
    assert told == [(None, "536365", "needs_response"), (None, "536365", "won")]
    assert await broken() == {}


async def test_a_ruling_may_be_turned_over(payments, paid, dispute_letter, trial, facts):
    """Lost, then won after all, then an appeal that is lost for good."""
    await paid()
    steps = ["needs_response", "lost", "won", "appeal_needs_response", "lost"]
    for number, status in enumerate(steps):
        letter = dispute_letter(f"evt_{number}", status, number, 0 if status == "won" else 400)
        assert await payments.receive_webhook("sandbox", *letter) is True

    assert await trial() == {
        "captured": -1530,
        "dispute_losses": 400,
        "provider": 1530 - 400 - 1500,
        "provider_fees": 1500,
    }
    assert [fact.dispute.status.value for fact in await facts("payment")] == steps
    assert (await payments.balance(STORE, PAYMENT)).disputed == Money(400, "GBP")


@pytest.mark.parametrize("seed", range(4))
async def test_webhooks_in_any_order_and_twice_come_to_the_same(
    payments, paid, dispute_letter, trial, broken, seed
):
    """What was told decides, not when it arrived: shuffled, repeated and all at once."""
    await paid()
    letters = [
        dispute_letter("evt_1", "warning_needs_response", 0),
        dispute_letter("evt_2", "needs_response", 1),
        dispute_letter("evt_3", "needs_response", 1, 400),
        dispute_letter("evt_4", "under_review", 2, 400),
        dispute_letter("evt_5", "lost", 3, 400),
    ] * 2
    random.Random(seed).shuffle(letters)
    await asyncio.gather(*(payments.receive_webhook("sandbox", *letter) for letter in letters))

    assert await trial() == {
        "captured": -1530,
        "dispute_losses": 400,
        "provider": 1530 - 400 - 1500,
        "provider_fees": 1500,
    }
    assert {"trial_balance_is_zero", "ledger_matches_disputes"}.isdisjoint(await broken())


async def test_a_dispute_told_before_we_know_the_payment_is_booked_when_we_do(
    payments, paid, dispute_letter, trial, facts
):
    """The provider's webhook overtakes its own answer to us."""
    assert await payments.receive_webhook("sandbox", *dispute_letter("evt_1", "needs_response", 0, 400))
    assert await facts("payment") == []

    await paid()

    assert (await trial())["dispute_frozen"] == 400
    (fact,) = await facts("payment")
    assert (fact.dispute.payment_id, fact.dispute.due_by) == (PAYMENT, NOW + timedelta(days=1))


async def test_a_dispute_told_and_never_booked_is_booked_by_the_janitor(
    payments, paid, sandbox, postbox, database, trial
):
    """Its payment has got its name behind the service's back."""
    await paid()
    connection = await database("payment")
    (name,) = await connection.fetchrow("SELECT provider_ref FROM payments")
    await connection.execute("UPDATE payments SET provider_ref = NULL")
    dispute = await sandbox.dispute(PAYMENT, 400)
    await postbox.received(1)
    await connection.execute("UPDATE payments SET provider_ref = $1", name)

    looks = [await payments.mend(datetime.now(UTC) - timedelta(days=3)) for _ in range(2)]

    assert [look.repaired for look in looks] == [(dispute,), ()]
    assert (await trial())["dispute_frozen"] == 400


async def test_a_dispute_of_a_stranger_is_kept_and_changes_nothing(
    payments, paid, dispute_letter, facts, trial
):
    """The provider's account may have customers that are not ours."""
    await paid()
    stranger = dispute_letter("evt_1", "needs_response", 0, 400, payment_intent="pi_unknown")

    assert await payments.receive_webhook("sandbox", *stranger) is True
    assert await facts("payment") == []
    assert await trial() == {"captured": -1530, "provider": 1530}


async def test_a_full_refund_ends_an_inquiry(payments, paid, sandbox, postbox, facts, trial):
    """Nothing is frozen, so it may go back; and with all of it back nothing is left to ask."""
    await paid()
    await sandbox.dispute(PAYMENT, 1530, status="warning_needs_response")
    await postbox.received(1)

    assert (await payments.issue(an_intent(amount=1530))).status is RefundStatus.SUCCEEDED

    await postbox.received(3)
    assert [fact.dispute.status.value for fact in await facts("payment")] == [
        "warning_needs_response",
        "warning_closed",
    ]
    assert await trial() == {}


async def test_a_chargeback_after_a_refund_is_reported_not_hidden(
    payments, paid, sandbox, postbox, broken, trial
):
    """Nobody can forbid it: it is booked, and finance sees what is out twice until it is won."""
    await paid()
    await payments.issue(an_intent(amount=1530))
    dispute = await sandbox.dispute(PAYMENT, 400)
    await postbox.received(2)

    assert await broken() == {"disputes_after_refunds": (PAYMENT,)}
    assert (await trial())["dispute_frozen"] == 400
    assert (await payments.balance(STORE, PAYMENT)).refundable == Money(0, "GBP")
    await sandbox.move_dispute(dispute, "won")
    await postbox.received(3)
    assert await broken() == {}


async def test_a_refund_and_a_chargeback_that_race_are_one_after_the_other(payments, paid, dispute_letter):
    """Whoever is first: never a refund that was reserved after the bank had the money."""
    await paid()
    letter = dispute_letter("evt_1", "needs_response", 0, 400)
    outcomes = await asyncio.gather(
        *(payments.issue(an_intent(f"s{number}", amount=10)) for number in range(5)),
        payments.receive_webhook("sandbox", *letter),
        *(payments.issue(an_intent(f"t{number}", amount=10)) for number in range(5)),
        return_exceptions=True,
    )

    refused = [one for one in outcomes if isinstance(one, PaymentDisputed)]
    moved = [one for one in outcomes if not isinstance(one, PaymentDisputed | bool)]
    assert len(refused) + len(moved) == 10
    assert {one.status for one in moved} <= {RefundStatus.SUCCEEDED}
    with pytest.raises(PaymentDisputed):
        await payments.issue(an_intent("later", amount=10))


async def test_a_refund_begun_before_the_chargeback_is_still_asked_about(payments, paid, sandbox, postbox):
    """It may have moved; the provider says that it did not, and why."""
    await paid("card_down")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    await sandbox.behave(PAYMENT, "card")
    await sandbox.dispute(PAYMENT, 400)
    await postbox.received(1)

    refund = await payments.issue(an_intent())

    assert (refund.status, refund.failure) == (RefundStatus.FAILED, "charge_disputed")


async def test_an_early_warning_is_a_fact_of_its_own(payments, paid, dispute_letter, facts, trial):
    """The issuer suspects fraud: nothing is frozen yet, somebody should look."""
    await paid()
    warning = {"id": "issfr_1", "object": "radar.early_fraud_warning", "actionable": True}
    await payments.receive_webhook(
        "sandbox", *dispute_letter("evt_1", "x", fraud_type="made_with_stolen_card", **warning)
    )

    (fact,) = await facts("payment")
    assert (fact.dispute.status, fact.dispute.amount) == (DisputeStatus.EARLY_WARNING, Money(1530, "GBP"))
    assert fact.dispute.reason == "made_with_stolen_card"
    assert await trial() == {"captured": -1530, "provider": 1530}


async def test_a_dispute_that_makes_no_sense_is_the_providers_fault(payments, paid, dispute_letter):
    """An unknown status is refused, never guessed."""
    await paid()

    with pytest.raises(InvalidArgument):
        await payments.receive_webhook("sandbox", *dispute_letter("evt_1", "drawn"))


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("plant", "found"),
    [
        ("UPDATE disputes SET frozen = frozen + 1", {"ledger_matches_disputes"}),
        ("UPDATE disputes SET fee = 0", {"ledger_matches_disputes"}),
        ("UPDATE disputes SET status = 'won'", {"provider_agrees_on_disputes"}),
        (
            f"{UNGUARDED} UPDATE ledger_entries SET minor_units = 1 WHERE account = 'provider_fees'",
            {"ledger_matches_disputes", "trial_balance_is_zero", "ledger_transactions_balance"},
        ),
    ],
)
async def test_what_is_wrong_with_a_dispute_is_found(broken, database, plant, found):
    """Each row breaks one thing; the report names it, and what else that breaks."""
    assert await broken() == {}

    await (await database("payment")).execute(plant)

    assert set(await broken()) == found


async def test_a_dispute_we_never_heard_of_is_found(paid, sandbox, postbox, broken):
    """Its webhook never came; the provider's list knows it."""
    postbox.take = None
    await paid()
    dispute = await sandbox.dispute(PAYMENT, 400)

    assert await broken() == {"provider_agrees_on_disputes": (dispute,)}


@pytest.mark.usefixtures("paid_order")
async def test_a_case_whose_refund_was_refused_hears_of_the_win(payments, dispute_letter, facts):
    """Once, however often it had asked; a ruling that goes against us tells it nothing."""
    await payments.receive_webhook("sandbox", *dispute_letter("evt_0", "needs_response", 0, 400))
    for _ in range(2):
        with pytest.raises(PaymentDisputed):
            await payments.issue(an_intent())
    for number, status in enumerate(["lost", "won", "appeal_needs_response", "won"], 1):
        taken = 0 if status == "won" else 400
        await payments.receive_webhook("sandbox", *dispute_letter(f"evt_{number}", status, number, taken))

    told = [(fact.case_id, fact.dispute.status.value) for fact in await facts("payment")]
    assert [one for one in told if one[0]] == [(an_intent().case_id, "won")]
    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED


async def test_a_case_hears_of_a_win_when_nothing_else_holds_the_money(
    payments, paid, sandbox, postbox, facts
):
    """Two disputes of one payment: the first that is won frees nothing yet."""
    await paid()
    first, second = await sandbox.dispute(PAYMENT, 400), await sandbox.dispute(PAYMENT, 300)
    await postbox.received(2)
    with pytest.raises(PaymentDisputed):
        await payments.issue(an_intent())
    await sandbox.move_dispute(first, "won")
    await postbox.received(3)
    assert [fact.case_id for fact in await facts("payment")] == [None] * 3
    await sandbox.move_dispute(second, "won")
    await postbox.received(4)

    assert [fact.case_id for fact in await facts("payment")][-1] == an_intent().case_id


@pytest.mark.parametrize(("after", "lost"), [("lost", 400), ("won", 0), ("needs_response", 0)])
@pytest.mark.usefixtures("paid_order")
async def test_prevention_may_be_overtaken(payments, dispute_letter, trial, facts, after, lost):
    """The network paid the cardholder out of our balance, and then the bank rules all the same."""
    await payments.receive_webhook("sandbox", *dispute_letter("evt_1", "prevented", 0, 400))
    assert (await trial())["dispute_losses"] == 400
    taken = 0 if after == "won" else 400
    await payments.receive_webhook("sandbox", *dispute_letter("evt_2", after, 1, taken))

    balances = await trial()
    assert balances.get("dispute_losses", 0) == lost
    assert balances.get("dispute_frozen", 0) == taken - lost
    assert [fact.dispute.status.value for fact in await facts("payment")] == ["prevented", after]


async def test_a_refund_in_part_leaves_the_inquiry_open(payments, paid, sandbox, postbox, facts):
    """The bank still asks about the rest."""
    await paid()
    await sandbox.dispute(PAYMENT, 1530, status="warning_needs_response")
    await postbox.received(1)
    await payments.issue(an_intent(amount=1000))
    await postbox.received(2)
    assert len(await facts("payment")) == 1

    await payments.issue(an_intent("rest", amount=530))
    await postbox.received(4)
    assert [fact.dispute.status.value for fact in await facts("payment")][-1] == "warning_closed"
