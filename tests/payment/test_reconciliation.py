"""Every invariant of money is checked: what is planted behind the service's back is found, nothing else."""

import asyncio
import json

import pytest

from services.clients.payment import PaymentClient
from services.domain.amounts import payments_of
from services.domain.errors import DependencyUnavailable
from services.payment.__main__ import composition
from services.payment.settings import PaymentSettings
from tests.builders import STORE, an_intent, an_order
from tests.fixtures.services import free_port

PAYMENT = "pay_536365"
REFUND = an_intent().refund_id
UNGUARDED = "ALTER TABLE ledger_entries DISABLE TRIGGER USER;"


@pytest.fixture(autouse=True)
async def _refunded(paid, payments) -> None:
    """An order of 1530 of which 255 went back."""
    await paid()
    await payments.issue(an_intent())


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (
            "UPDATE payments SET captured = 200",
            {"refunds_within_captured": (PAYMENT,), "ledger_matches_captures": (PAYMENT,)},
        ),
        ("UPDATE caps SET amount = 200", {"refunds_within_lines": ("536365/1",)}),
        ("DELETE FROM caps", {"refunds_within_lines": ("536365/1",)}),
        (
            "UPDATE refund_parts SET amount = 254",
            {"refund_parts_add_up": (REFUND,), "refund_parts_as_asked": (f"{REFUND}/1",)},
        ),
        (
            f"{UNGUARDED} UPDATE ledger_entries SET minor_units = 1531 WHERE minor_units = 1530",
            {
                "ledger_transactions_balance": (f"capture/demo/{PAYMENT}",),
                "ledger_matches_captures": (PAYMENT,),
                "trial_balance_is_zero": ("GBP",),
            },
        ),
        (
            f"{UNGUARDED} DELETE FROM ledger_entries WHERE memo = 'succeed'",
            {"ledger_matches_refunds": (REFUND,)},
        ),
        (
            "UPDATE refunds SET status = 'failed'",
            {"ledger_matches_refunds": (REFUND,), "provider_agrees": (REFUND,)},
        ),
        (
            "UPDATE refunds SET amount = 254",
            {
                "refund_parts_add_up": (REFUND,),
                "ledger_matches_refunds": (REFUND,),
                "provider_agrees": (REFUND,),
            },
        ),
    ],
)
async def test_what_is_wrong_in_our_books_is_found(broken, database, plant, found):
    """Each row breaks one thing; the report names it, and what else that breaks."""
    assert await broken() == {}

    await (await database("payment")).execute(plant)

    assert await broken() == found


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        ({"status": "failed"}, (REFUND,)),
        ({"status": "pending"}, (REFUND,)),
        ({"amount": 254}, (REFUND,)),
        ({"id": "re_other", "metadata": {}}, (REFUND, "re_other")),
    ],
)
async def test_what_the_provider_tells_otherwise_is_found(broken, sandbox, plant, found):
    """The provider's list is the other half of the truth."""
    (moved,) = await sandbox.moved(PAYMENT)
    refund = sandbox.state.get("refund", moved["id"])
    sandbox.state._db.execute(
        "UPDATE things SET id = ?, body = ? WHERE id = ?",
        (plant.get("id", moved["id"]), json.dumps(refund | plant), moved["id"]),
    )

    assert await broken() == {"provider_agrees": found}


async def test_a_refund_that_only_the_provider_knows_is_found(broken, sandbox, postbox):
    """Made by hand, and its webhook never arrived."""
    postbox.take = None
    made = await sandbox.refund_by_hand(PAYMENT, 300)
    await postbox.received(2)

    assert await broken() == {"provider_agrees": (made["id"],)}


@pytest.mark.parametrize(
    "told",
    [{"amount": None}, {"status": None}, {"created": "long ago"}, {"payment_intent": None, "status": 1}],
)
async def test_what_makes_no_sense_at_the_provider_is_named_once(broken, sandbox, told):
    """A refund of ours and a stranger's: by the provider's id, and the rest is compared as ever."""
    (ours,) = await sandbox.moved(PAYMENT)
    made = await sandbox.refund_by_hand(PAYMENT, 300)
    for one in (ours, made):
        sandbox.state.update(sandbox.state.get("refund", one["id"]) | told)

    assert await broken() == {"provider_agrees": (made["id"], ours["id"])}


async def test_a_second_movement_of_an_intent_is_found(broken, sandbox, postbox):
    """The provider moved money twice for one id of ours; that we were told does not make it right."""
    await sandbox.refund_by_hand(PAYMENT, 255, refund_id=REFUND)
    await postbox.received(2)

    assert await broken() == {"one_movement_per_intent": (REFUND,)}


async def test_another_stores_books_are_its_own(broken, paid, payments, database):
    """What is wrong in one store is not reported in another."""
    await paid(store_id="other")
    await (await database("payment")).execute("UPDATE payments SET captured = 1 WHERE store_id = 'other'")

    assert await broken() == {}
    assert [r.name for r in await payments.reconcile("other") if r.violations] == ["ledger_matches_captures"]


async def test_an_outcome_that_stays_unknown_is_found(broken, payments, sandbox, database):
    """For a while that is normal; after an hour nobody is asking any more."""
    await sandbox.behave(PAYMENT, "card_answer_lost")
    unknown = an_intent("settle-2")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(unknown)
    assert await broken() == {}

    await (await database("payment")).execute(
        f"{UNGUARDED} UPDATE ledger_entries SET posted_at = now() - interval '61 minutes'"
    )

    assert await broken() == {"provider_agrees": (unknown.refund_id,)}


async def test_what_moves_while_we_look_is_no_finding(broken, payments):
    """Forty refunds run while the books are compared, over and over."""
    refunds = [payments.issue(an_intent(f"s{number}", amount=20)) for number in range(40)]
    running = asyncio.gather(*refunds)
    looks = []
    while not running.done():
        looks.append(await broken())

    await running
    assert looks
    assert [look for look in looks if look] == []


async def test_more_than_five_examples_are_counted_not_listed(payments, database):
    """A report is read by people."""
    for number in range(7):
        await payments.issue(an_intent(f"s{number}", amount=10))
    await (await database("payment")).execute("UPDATE refund_parts SET amount = amount + 1")

    (report,) = [r for r in await payments.reconcile(STORE) if r.name == "refund_parts_add_up"]
    assert (report.checked, report.violations, len(report.examples)) == (8, 8, 5)


async def test_without_the_providers_list_there_is_no_report(serve, settings, secrets, database):
    """Half a truth is not passed off as the whole."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    unplugged = PaymentSettings(database_url=settings.database_url, sandbox_url=nowhere)
    payments = PaymentClient(await serve("payment", composition(unplugged, secrets)))
    with pytest.raises(DependencyUnavailable):
        await payments.register(payments_of(an_order()))
    await (await database("payment")).execute("UPDATE payments SET provider_ref = 'pi_1'")

    with pytest.raises(DependencyUnavailable):
        await payments.reconcile(STORE)


async def test_a_finding_lasts_as_long_as_what_it_names(payments, database):
    """Seen again it is the same finding; mended it is none; broken anew it is another."""
    connection = await database("payment")
    assert await payments.review(STORE) == []
    await connection.execute("UPDATE refund_parts SET amount = 254")
    first, second = await payments.review(STORE), await payments.review(STORE)
    await connection.execute("UPDATE refund_parts SET amount = 255")
    mended = await payments.review(STORE)
    await connection.execute("UPDATE refund_parts SET amount = 254")
    anew = await payments.review(STORE)

    assert [(one.invariant, one.subject, one.violations) for one in first] == [
        ("refund_parts_add_up", REFUND, 1),
        ("refund_parts_as_asked", f"{REFUND}/1", 1),
    ]
    assert (second, mended) == (first, [])
    assert [one.subject for one in anew] == [one.subject for one in first]
    assert anew[0].found_at > first[0].found_at


async def test_what_is_not_named_is_not_taken_for_mended(payments, database):
    """A hundred are named of an invariant; five more that come before them in the list push none out."""
    plant = f"""
    {UNGUARDED}
    INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, payment_id, memo,
                                business_at)
    SELECT 'planted/' || number, '{STORE}', 'provider', 'EUR', 1, '{PAYMENT}', 'planted', now()
      FROM generate_series"""
    connection = await database("payment")
    await connection.execute(f"{plant} (200, 299) AS number")
    await payments.review(STORE)
    await connection.execute(f"{plant} (100, 104) AS number")

    found = [one for one in await payments.review(STORE) if one.invariant == "ledger_transactions_balance"]
    assert len(found) == 105
    assert await payments.review("other") == []


async def test_the_stores_are_those_that_have_payments(payments, paid):
    """Whoever reviews the books of all asks for them."""
    await paid(store_id="other")

    assert await payments.stores() == [STORE, "other"]
