"""The ledger is double-entry, adds up to nothing, and is never changed."""

import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.domain.accounts import CHART, LedgerClock
from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable, InvalidArgument
from services.domain.ids import LineId
from tests.builders import NOW, STORE, an_intent

PAYMENT = "pay_536365"
TRIAL = "SELECT account, sum(minor_units)::bigint FROM ledger_entries GROUP BY account ORDER BY account"
POST = """
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, payment_id, memo,
                            business_at)
SELECT 'odd', store_id, account, currency, minor_units, 'pay_536365', 'odd', now()
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    AS entry (account, store_id, currency, minor_units)
"""
IN_CHART = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ledger_account_in_chart'"


async def post(connection, *entries: tuple[str, str, str, int]) -> None:
    """Post a transaction behind the service's back: account, store, currency and amount of each entry."""
    await connection.execute(POST, *map(list, zip(*entries, strict=True)))


async def see_through(payments) -> None:
    """Ask for a refund and see it through."""
    try:
        refund = await payments.issue(an_intent())
    except DependencyUnavailable:
        refund = await payments.issue(an_intent())
    for _ in range(2):
        if refund.status is RefundStatus.PENDING:
            refund = await payments.check(STORE, refund.intent.refund_id, NOW)


@pytest.mark.parametrize(
    ("method", "steps", "left"),
    [
        ("card", ["capture", "reserve", "succeed"], 1275),
        ("wallet", ["capture", "reserve", "succeed"], 1275),
        ("card_answer_lost", ["capture", "reserve", "succeed"], 1275),
        ("card_refund_pending", ["capture", "reserve", "succeed"], 1275),
        ("card_refund_declined", ["capture", "reserve", "release"], 1530),
        ("card_refund_fails_late", ["capture", "reserve", "succeed", "return"], 1530),
    ],
)
async def test_every_movement_is_posted_once(payments, paid, days_pass, method, steps, left):
    """Reserved, moved, released, returned: what is left with the provider is what customers may claim."""
    await paid(method)
    await see_through(payments)
    if "return" in steps:
        await days_pass(2)

    entries, cursor = await payments.ledger(STORE, PAYMENT, "", 50)
    assert [entry.memo for entry in entries[::2]] == steps
    assert cursor == ""
    assert {entry.business_at for entry in entries if entry.memo == "reserve"} == {NOW}
    assert sum(entry.amount.minor_units for entry in entries if entry.account == "provider") == left
    assert sum(entry.amount.minor_units for entry in entries if entry.account == "captured") == -left


async def test_an_unknown_outcome_is_promised_not_moved(payments, paid, database):
    """Between asking and answer the amount is owed."""
    await paid("card_down")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())

    trial = dict(map(tuple, await (await database("payment")).fetch(TRIAL)))
    assert trial == {"provider": 1530, "captured": -1275, "refund_payable": -255}


@pytest.mark.parametrize(
    "odd",
    [
        [("provider", "demo", "GBP", 5)],
        [("provider", "demo", "GBP", 100), ("captured", "demo", "JPY", -100)],
        [("provider", "demo", "GBP", 100), ("captured", "other", "GBP", -100)],
    ],
    ids=["one side", "two currencies", "two stores"],
)
async def test_a_transaction_that_does_not_balance_cannot_be_stored(paid, database, odd):
    """The database itself refuses, at the end of the transaction."""
    await paid()
    connection = await database("payment")

    with pytest.raises(asyncpg.RaiseError):
        await post(connection, *odd)
    await post(connection, ("provider", "demo", "GBP", 100), ("captured", "demo", "GBP", -100))


async def test_nothing_is_posted_beside_the_chart(paid, database):
    """The database knows the same accounts as the domain, and no other."""
    await paid()
    connection = await database("payment")

    with pytest.raises(asyncpg.CheckViolationError):
        await post(connection, ("nonsense", "demo", "GBP", 100), ("captured", "demo", "GBP", -100))

    assert set(re.findall(r"'(\w+)'", await connection.fetchval(IN_CHART))) == CHART.keys()


@pytest.mark.parametrize(
    "change",
    ["UPDATE ledger_entries SET minor_units = 0", "DELETE FROM ledger_entries", "TRUNCATE ledger_entries"],
)
async def test_the_ledger_is_never_changed(paid, database, change):
    """What was posted stays; a mistake is corrected by a further posting."""
    await paid()

    with pytest.raises(asyncpg.RaiseError):
        await (await database("payment")).execute(change)


async def test_the_ledger_is_read_in_pages(payments, paid):
    """Each page goes on where the one before ended, of one payment or of a whole store."""
    await paid()
    for number in range(3):
        await payments.issue(an_intent(f"settle-{number}", amount=100))
    whole, _ = await payments.ledger(STORE, "", "", 200)
    pages, cursor = [], ""
    while True:
        page, cursor = await payments.ledger(STORE, PAYMENT, cursor, 5)
        pages += page
        if not cursor:
            break

    assert pages == whole
    assert len(whole) == 2 * (1 + 3 * 2)
    assert (await payments.ledger("other", "", "", 200))[0] == []


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 40, "²"])
async def test_a_cursor_that_is_not_ours_is_refused(payments, cursor):
    """Bad input is a clear error."""
    with pytest.raises(InvalidArgument):
        await payments.ledger(STORE, "", cursor, 10)


async def test_parts_are_kept_with_the_refund(payments, paid, database):
    """What a refund was for is on the books, line by line."""
    await paid()
    await payments.issue(an_intent())

    rows = await (await database("payment")).fetch("SELECT line_id, amount FROM refund_parts")
    assert [tuple(row) for row in rows] == [(LineId("1"), 255)]


@pytest.mark.parametrize("clock", LedgerClock)
async def test_the_trial_balance_has_two_equal_sides(payments, paid, sandbox, postbox, clock):
    """Whatever was posted, by either clock; each account is on the side it should be on, and in the chart."""
    await paid()
    await payments.issue(an_intent())
    await sandbox.dispute(PAYMENT, 400)
    await postbox.received(2)

    rows = await payments.trial_balance(STORE, datetime.now(UTC) + timedelta(days=3650), clock)

    assert sum(row.debit.minor_units for row in rows) == sum(row.credit.minor_units for row in rows)
    assert {row.account: row.debit.minor_units - row.credit.minor_units for row in rows} == {
        "provider": 1530 - 255 - 400 - 1500,
        "captured": -1530 + 255,
        "refund_payable": 0,
        "dispute_frozen": 400,
        "provider_fees": 1500,
    }
    assert all(row.kind is CHART[row.account] for row in rows)


async def test_the_books_are_read_as_of_either_time(payments, paid, database):
    """What was posted later than the instant is not in it; by the business's clock, what happened later."""
    await paid()
    posted = await (await database("payment")).fetchval("SELECT max(posted_at) FROM ledger_entries")
    await payments.issue(an_intent())

    as_posted = await payments.trial_balance(STORE, posted + timedelta(microseconds=1), LedgerClock.POSTED)
    before = await payments.trial_balance(STORE, posted, LedgerClock.POSTED)
    in_business = await payments.trial_balance(STORE, NOW, LedgerClock.BUSINESS)

    assert {row.account for row in as_posted} == {"provider", "captured"}
    assert before == in_business == []


async def test_a_period_of_the_ledger_is_read_page_by_page(payments, paid, database):
    """From an instant on, before another; adjoining periods have everything once."""
    await paid()
    for number in range(3):
        await payments.issue(an_intent(f"settle-{number}", amount=100))
    times = await (await database("payment")).fetch(
        "SELECT DISTINCT posted_at FROM ledger_entries ORDER BY posted_at"
    )
    middle = times[3]["posted_at"]
    halves = [
        [entry async for page in payments.postings(STORE, *period) for entry in page]
        for period in ((None, middle), (middle, None))
    ]

    assert [len(half) for half in halves] == [6, 8]
    assert halves[0] + halves[1] == (await payments.ledger(STORE, "", "", 200))[0]
    assert {entry.payment_id for entry in halves[0]} == {PAYMENT}
