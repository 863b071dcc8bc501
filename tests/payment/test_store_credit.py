"""Store credit: given, spent by orders, lapsed, given back; what is left is what the ledger says."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.clients.store_credit import StoreCreditClient
from services.domain.accounts import LedgerClock
from services.domain.amounts import payments_of
from services.domain.case import RefundStatus, RefundTo
from services.domain.errors import (
    IdempotencyConflict,
    InvalidArgument,
    PaymentNotFound,
    RefundExceedsCaptured,
    StoreCreditExceeded,
)
from services.domain.ids import CustomerId, OrderId, PaymentId, StoreId, derived_id
from services.domain.money import Money
from services.domain.order import Payment
from services.domain.refund import OrderPayments
from services.domain.store_credit import CreditGrant
from tests.builders import NOW, STORE, an_intent, an_order

PAYMENT = "pay_536365"
CUSTOMER = CustomerId("17850")
DAY = timedelta(days=1)
UNGUARDED = "ALTER TABLE ledger_entries DISABLE TRIGGER USER;"


def gbp(minor_units: int) -> Money:
    return Money(minor_units, "GBP")


def a_grant(name: str = "sorry", amount: int = 1530, **changes: object) -> CreditGrant:
    grant = CreditGrant(derived_id(name), STORE, CUSTOMER, gbp(amount), "agent-1", NOW)
    return replace(grant, **changes)  # type: ignore[arg-type]


def paid_with_credit(number: int = 536365, amount: int = 1530, **changes: object) -> OrderPayments:
    """An order of six lanterns, of which store credit paid so much and a card the rest."""
    tenders = [Payment(PaymentId(f"pay_{number}"), "store_credit", "store_credit", amount, NOW)]
    if amount < 1530:
        tenders.append(Payment(PaymentId(f"card_{number}"), "sandbox", "card", 1530 - amount, NOW))
    order = payments_of(an_order(payments=tuple(tenders)))
    return replace(order, order_id=OrderId(str(number)), **changes)  # type: ignore[arg-type]


@pytest.fixture
def credit(payment_channel) -> StoreCreditClient:
    return StoreCreditClient(payment_channel)


@pytest.fixture
def left(credit):
    """Tell what a customer may spend, in pence."""

    async def told(at: datetime = NOW, customer_id: str = CUSTOMER) -> int:
        found = await credit.balances(STORE, customer_id, at)
        return sum(one.balance.minor_units for one in found)

    return told


@pytest.fixture
def accounts(payments):
    """Tell what stands on every account, positive for debit."""

    async def told() -> dict[str, int]:
        rows = await payments.trial_balance(STORE, datetime.now(UTC) + DAY, LedgerClock.POSTED)
        signed = {row.account: row.debit.minor_units - row.credit.minor_units for row in rows}
        return {account: units for account, units in signed.items() if units}

    return told


async def test_a_grant_is_given_once(credit, left, accounts):
    """The same id and body is the same credit, however often and at once; another body is a conflict."""
    given = await asyncio.gather(*(credit.grant(a_grant()) for _ in range(10)))

    assert sorted(is_new for _, is_new in given) == [False] * 9 + [True]
    assert {lot.lot_id for lot, _ in given} == {a_grant().grant_id}
    with pytest.raises(IdempotencyConflict):
        await credit.grant(a_grant(amount=1531))
    assert await left() == 1530
    assert await accounts() == {"credit_granted": 1530, "store_credit": -1530}


async def test_a_grant_of_nothing_or_over_before_it_begins_is_refused(credit, left):
    """It would be no credit."""
    for grant in (a_grant(amount=0), a_grant(amount=-5), a_grant(expires_at=NOW)):
        with pytest.raises(InvalidArgument):
            await credit.grant(grant)
    assert await left() == 0


async def test_credit_is_its_customers_its_stores_and_its_currencys(credit, payments):
    """Nobody spends another's, or pounds with euros."""
    await credit.grant(a_grant("other's", customer_id=CustomerId("13047")))
    await credit.grant(a_grant("elsewhere", store_id=StoreId("other")))
    await credit.grant(replace(a_grant("euros"), amount=Money(1530, "EUR")))

    with pytest.raises(StoreCreditExceeded):
        await payments.register(paid_with_credit())
    assert [one.balance for one in await credit.balances(STORE, CUSTOMER, NOW)] == [Money(1530, "EUR")]


async def test_an_order_is_paid_with_credit(credit, payments, left, accounts, broken):
    """Its registration takes it, once; what the customer may claim back is captured as for any tender."""
    await credit.grant(a_grant(amount=2000))
    await asyncio.gather(*(payments.register(paid_with_credit()) for _ in range(5)))

    assert await left() == 470
    assert (await payments.balance(STORE, PAYMENT)).refundable == gbp(1530)
    assert await accounts() == {"credit_granted": 2000, "store_credit": -470, "captured": -1530}
    assert await broken() == {}


async def test_a_further_tender_takes_only_itself(credit, payments, left, broken):
    """A later version of the order adds a payment in credit: what was spent before is not spent again."""
    await credit.grant(a_grant(amount=2000))
    first = paid_with_credit(amount=1000)
    await payments.register(first)
    tender = replace(first.payments[0], payment_id=PaymentId("pay_more"), amount=gbp(70))
    await payments.register(replace(first, version=2, payments=(*first.payments, tender)))

    assert await left() == 2000 - 1000 - 70
    assert await broken() == {}


async def test_an_order_beyond_the_credit_is_not_on_the_books(credit, payments, left, accounts):
    """Nothing of it is stored, its card tender neither; with more credit the same order is taken."""
    await credit.grant(a_grant(amount=999))
    with pytest.raises(StoreCreditExceeded):
        await payments.register(paid_with_credit(amount=1000))

    assert await left() == 999
    assert await accounts() == {"credit_granted": 999, "store_credit": -999}
    with pytest.raises(PaymentNotFound):
        await payments.balance(STORE, "card_536365")
    await credit.grant(a_grant("a penny", amount=1))
    await payments.register(paid_with_credit(amount=1000))
    assert await left() == 0


async def test_racing_orders_never_overspend(credit, payments, left, broken):
    """Of forty orders of 100 that race for 1530, fifteen are paid."""
    await credit.grant(a_grant())
    orders = [
        replace(
            paid_with_credit(number),
            payments=(replace(paid_with_credit(number).payments[0], amount=gbp(100)),),
        )
        for number in range(1, 41)
    ]

    outcomes = await asyncio.gather(*map(payments.register, orders), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {type(None), StoreCreditExceeded}
    assert outcomes.count(None) == 15
    assert await left() == 30
    assert await broken() == {}


async def test_racing_grants_spends_refunds_and_lapses_keep_the_books(credit, payments, left, broken):
    """Everything at once, over and over: no lot is below nothing, and nothing is lost."""
    await credit.grant(a_grant(amount=1000, expires_at=NOW + DAY))
    order = paid_with_credit()
    first = replace(order, payments=(replace(order.payments[0], amount=gbp(600)),))
    await payments.register(first)
    spends = [
        replace(
            paid_with_credit(number),
            payments=(replace(paid_with_credit(number).payments[0], amount=gbp(90)),),
        )
        for number in range(1, 21)
    ]

    await asyncio.gather(
        *map(payments.register, spends),
        *(credit.grant(a_grant(f"g{number % 5}", amount=50)) for number in range(10)),
        *(payments.issue(an_intent(f"s{number % 6}", amount=100)) for number in range(12)),
        *(credit.expire_credit(NOW + 2 * DAY) for _ in range(5)),
        return_exceptions=True,
    )

    assert await broken() == {}
    assert await left(NOW + 3 * DAY) >= 0


async def test_what_lapses_next_is_spent_first(credit, payments):
    """The lot with the nearest day, then the next, then what does not lapse."""
    await credit.grant(a_grant("for ever", amount=500, granted_at=NOW - 2 * DAY))
    await credit.grant(a_grant("late", amount=500, granted_at=NOW - DAY, expires_at=NOW + 9 * DAY))
    await credit.grant(a_grant("soon", amount=1000, expires_at=NOW + 2 * DAY))
    await payments.register(paid_with_credit(amount=1200))

    (balance,) = await credit.balances(STORE, CUSTOMER, NOW)
    assert [(lot.lot_id, lot.left.minor_units) for lot in balance.lots] == [
        (derived_id("late"), 300),
        (derived_id("for ever"), 500),
    ]


async def test_what_has_lapsed_is_not_spent_though_no_sweep_came(credit, payments, left):
    """Its day counts, not when somebody looks."""
    await credit.grant(a_grant(expires_at=NOW + timedelta(seconds=1)))
    order = paid_with_credit()
    late = replace(order, payments=(replace(order.payments[0], captured_at=NOW + timedelta(seconds=1)),))

    with pytest.raises(StoreCreditExceeded):
        await payments.register(late)
    assert await left(NOW + timedelta(seconds=1)) == 0


async def test_credit_lapses_once(credit, payments, left, accounts, broken):
    """What is left of what is due becomes the shop's, however many sweep at once; the rest stays."""
    await credit.grant(a_grant("soon", amount=1000, expires_at=NOW + DAY))
    await credit.grant(a_grant("used up", amount=530, expires_at=NOW + timedelta(hours=1)))
    await credit.grant(a_grant("late", amount=7, expires_at=NOW + 3 * DAY))
    await payments.register(paid_with_credit(amount=900))
    assert await credit.expire_credit(NOW + timedelta(hours=23)) == 0

    swept = await asyncio.gather(*(credit.expire_credit(NOW + DAY) for _ in range(5)))

    assert sum(swept) == 1
    assert await left(NOW + DAY) == 7
    assert (await accounts())["credit_breakage"] == -(1530 - 900)
    assert await broken() == {}


async def test_a_refund_becomes_credit(payments, paid, sandbox, left, accounts, broken):
    """Asked for to store credit it moves nothing outside, does not lapse, and counts against the card's."""
    await paid()
    intent = an_intent(destination=RefundTo.STORE_CREDIT)
    refunds = await asyncio.gather(*(payments.issue(intent) for _ in range(5)))

    assert {refund.status for refund in refunds} == {RefundStatus.SUCCEEDED}
    assert await sandbox.moved(PAYMENT) == []
    assert await left(NOW + 3650 * DAY) == 255
    assert (await payments.balance(STORE, PAYMENT)).refundable == gbp(1275)
    assert await accounts() == {"provider": 1530, "captured": -1275, "store_credit": -255}
    assert await broken() == {}
    with pytest.raises(RefundExceedsCaptured):
        await payments.issue(an_intent("rest", amount=1276))
    with pytest.raises(IdempotencyConflict):
        await payments.issue(an_intent())


async def test_a_refund_of_nobody_is_a_clear_no(payments, paid, broken):
    """Without a customer there is nobody to give it to: the refund has failed, and its amount is free."""
    await paid(customer_id=CustomerId(""))
    refund = await payments.issue(an_intent(destination=RefundTo.STORE_CREDIT))

    assert (refund.status, refund.failure) == (RefundStatus.FAILED, "customer_unknown")
    assert (await payments.balance(STORE, PAYMENT)).refundable == gbp(1530)
    assert await broken() == {}


async def test_a_card_processor_that_is_down_holds_up_no_credit(payments, paid, sandbox, left, database):
    """It has nothing to do with it, whether it knows of the payment or not."""
    await paid()
    await sandbox.behave(PAYMENT, "card_down")
    await (await database("payment")).execute("UPDATE payments SET provider_ref = NULL")

    refund = await payments.issue(an_intent(destination=RefundTo.STORE_CREDIT))
    assert refund.status is RefundStatus.SUCCEEDED
    assert await left() == 255


async def test_what_was_paid_with_credit_goes_back_to_it(credit, payments, left, accounts, broken):
    """Twice 255 of an order paid with credit: back to whoever spent it, each once."""
    await credit.grant(a_grant())
    await payments.register(paid_with_credit())
    for step in ("settle-1", "settle-2", "settle-1"):
        assert (await payments.issue(an_intent(step))).status is RefundStatus.SUCCEEDED

    assert await left() == 510
    assert await accounts() == {"credit_granted": 1530, "store_credit": -510, "captured": -1020}
    assert await broken() == {}


async def test_what_comes_back_is_good_for_as_long_as_it_was(credit, payments):
    """Spent with two days left, given back a week later: good for two days again; the longest good first."""
    await credit.grant(a_grant("soon", amount=1000, expires_at=NOW + 2 * DAY))
    await credit.grant(a_grant("late", amount=530, expires_at=NOW + 9 * DAY))
    await payments.register(paid_with_credit())
    week = NOW + 7 * DAY
    await payments.issue(an_intent("a", amount=400, requested_at=week))
    await payments.issue(an_intent("b", amount=300, requested_at=week))

    (balance,) = await credit.balances(STORE, CUSTOMER, week)
    assert sorted((lot.expires_at - week, lot.left.minor_units) for lot in balance.lots) == [
        (2 * DAY, 170),
        (9 * DAY, 130),
        (9 * DAY, 400),
    ]


async def test_the_books_say_which_credit_a_posting_is_about(credit, payments):
    """Whoever exports the ledger finds the lot."""
    await credit.grant(a_grant())
    (entries,) = [page async for page in payments.postings(STORE, None, None)]

    assert {(entry.memo, entry.lot_id, entry.payment_id) for entry in entries} == {
        ("credit_issue", a_grant().grant_id, None)
    }


PAST_THE_LOTS = """
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, memo, business_at)
VALUES ('credit/x', 'demo', 'store_credit', 'GBP', 5, 'x', now()),
       ('credit/x', 'demo', 'provider', 'GBP', -5, 'x', now())
"""
A_CLAIM = f"""
{UNGUARDED} UPDATE ledger_entries SET minor_units = -minor_units WHERE memo = 'credit_issue'
"""
A_LOST_SPEND = """
ALTER TABLE credit_postings DISABLE TRIGGER USER; DELETE FROM credit_postings WHERE kind = 'spend'
"""
OVERDRAWN = """
INSERT INTO credit_postings (transaction_id, lot_id, kind, payment_id)
SELECT 'credit/spend/x', lot_id, 'spend', 'p' FROM credit_lots;
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, memo, business_at)
VALUES ('credit/spend/x', 'demo', 'store_credit', 'GBP', 1531, 'x', now()),
       ('credit/spend/x', 'demo', 'provider', 'GBP', -1531, 'x', now())
"""


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (PAST_THE_LOTS, {"store_credit_is_its_lots": ("GBP",)}),
        (
            A_CLAIM,
            {"store_credit_is_its_lots": ("GBP",), "store_credit_lots_hold": (a_grant().grant_id,)},
        ),
        (
            A_LOST_SPEND,
            {"store_credit_is_its_lots": ("GBP",), "store_credit_paid_its_orders": (PAYMENT,)},
        ),
    ],
)
async def test_what_is_wrong_with_the_liability_is_found(credit, payments, broken, database, plant, found):
    """What the shop owes is the sum of what is left of its lots, and no lot is below nothing."""
    await credit.grant(a_grant(amount=2000))
    await payments.register(paid_with_credit())
    assert await broken() == {}
    await (await database("payment")).execute(plant)

    assert await broken() == found


async def test_the_database_itself_refuses_to_overdraw_a_lot(credit, database):
    """Whoever forgets the lock meets it at the end of the transaction."""
    await credit.grant(a_grant())
    connection = await database("payment")

    with pytest.raises(asyncpg.RaiseError, match="more than credit lot"):
        await connection.execute(OVERDRAWN)


@pytest.mark.parametrize("table", ["credit_lots", "credit_postings"])
async def test_what_was_given_is_never_changed(credit, database, table):
    """Neither the lot nor what moved it."""
    await credit.grant(a_grant())
    with pytest.raises(asyncpg.RaiseError):
        await (await database("payment")).execute(f"DELETE FROM {table}")
