"""Whatever dies between reserving and settling, a repeat finishes what was begun, and money moves once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.domain.amounts import payments_of
from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable, PaymentDisputed
from services.domain.money import Money
from services.payment.providers.card_wire import CardWireProvider
from services.payment.refunds import Refunds
from services.payment.repository.books import BookRepository
from services.payment.repository.events import EventRepository
from services.payment.repository.refunds import RefundRepository
from services.payment.webhooks import Webhooks
from services.platform.database import Pool, open_pool
from tests.builders import NOW, STORE, an_intent, an_order
from tests.fixtures.sandbox import API_KEY, WEBHOOK_SECRET

pytestmark = [pytest.mark.chaos, pytest.mark.heavy]

PAYMENT = "pay_536365"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
# Returns when they are gone: nobody is to be given a connection that ends only later.
CUT = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = 'recourse-payment'
"""

KEPT = "INSERT INTO provider_events (provider, event_id, payload) VALUES ('sandbox', 'evt_1', '')"


class Dying:
    """Passes calls on, until one of a name: there the process dies, before or after it is done."""

    def __init__(self, to: Any, method: str, moment: str) -> None:
        self._to, self._method, self._moment = to, method, moment

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._to, name)
        if name != self._method:
            return real

        async def dying(*args: Any, **kwargs: Any) -> Any:
            if self._moment == "after":
                await real(*args, **kwargs)
            raise asyncio.CancelledError

        return dying


@pytest.fixture
async def pool(fresh_database) -> AsyncIterator[Pool]:
    pool = await open_pool(await fresh_database("payment"), "test")
    yield pool
    await pool.close()


@pytest.fixture
async def provider(sandbox) -> AsyncIterator[CardWireProvider]:
    provider = CardWireProvider(sandbox.url, API_KEY, WEBHOOK_SECRET, 60)
    yield provider
    await provider.close()


@pytest.fixture
async def refunds(pool, provider) -> Refunds:
    """The healthy service, with an order that was paid."""
    healthy = Refunds(RefundRepository(pool), {"sandbox": provider})
    await healthy.register(payments_of(an_order()))
    return healthy


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["reserve", "refund", "settle"])
@pytest.mark.parametrize("repeat", ["issue", "check"])
async def test_a_refund_that_died_is_finished_by_a_repeat(refunds, provider, sandbox, step, moment, repeat):
    """The process dies at one of six instants; the same request again (or a check) moves the money once."""
    store, outside = refunds.store, provider
    if step == "refund":
        outside = Dying(provider, step, moment)
    else:
        store = Dying(refunds.store, step, moment)
    with pytest.raises(asyncio.CancelledError):
        await Refunds(store, {"sandbox": outside}).issue(an_intent())

    if repeat == "check" and (step, moment) != ("reserve", "before"):
        refund = await refunds.check(STORE, an_intent().refund_id, NOW)
    else:
        refund = await refunds.issue(an_intent())

    assert refund.status is RefundStatus.SUCCEEDED
    assert [moved["status"] for moved in await sandbox.moved(PAYMENT)] == ["succeeded"]
    balance = await refunds.balance(STORE, PAYMENT)
    assert (balance.refunded.minor_units, balance.pending.minor_units) == (255, 0)


@pytest.mark.parametrize("repeat", ["register", "issue"])
@pytest.mark.parametrize(
    "instant",
    [
        (moment, step)
        for moment in ("before", "after")
        for step in ("store register", "provider register", "store registered")
    ],
)
async def test_a_registration_that_died_is_finished_by_a_repeat(
    pool, provider, sandbox, dispute_letter, instant, repeat
):
    """The process dies at one of six instants; what the bank had told of the payment is booked once."""
    moment, (who, method) = instant[0], instant[1].split()
    cut: dict[str, Any] = {"store": RefundRepository(pool), "provider": provider}
    healthy = Refunds(cut["store"], {"sandbox": provider})
    cut[who] = Dying(cut[who], method, moment)
    webhooks = Webhooks(EventRepository(pool), {"sandbox": provider})
    await webhooks.receive("sandbox", *dispute_letter("evt_1", "needs_response", 0, 400))
    with pytest.raises(asyncio.CancelledError):
        await Refunds(cut["store"], {"sandbox": cut["provider"]}).register(payments_of(an_order()))

    if repeat == "register" or instant == ("before", "store register"):
        await healthy.register(payments_of(an_order()))
    elif instant == ("after", "store registered"):
        with pytest.raises(PaymentDisputed):
            await healthy.issue(an_intent())
    else:
        await healthy.issue(an_intent())

    assert (await healthy.balance(STORE, PAYMENT)).disputed == Money(400, "GBP")
    assert len(sandbox.state.named("payment_intent", PAYMENT)) == 1


async def test_a_repeat_may_meet_the_request_it_repeats(refunds, sandbox):
    """The first request still runs when the second comes: both are answered alike, one movement."""
    await sandbox.behave(PAYMENT, "card_slow")
    outcomes = await asyncio.gather(
        refunds.issue(an_intent()), refunds.issue(an_intent()), return_exceptions=True
    )

    settled = await refunds.check(STORE, an_intent().refund_id, NOW)
    assert {outcome.status for outcome in outcomes} == {RefundStatus.SUCCEEDED}
    assert settled == outcomes[0] == outcomes[1]
    assert len(await sandbox.moved(PAYMENT)) == 1


async def test_a_death_in_the_middle_of_settling_leaves_nothing_half_done(payments, paid, database, sandbox):
    """The money has moved and the books are locked when the caller gives up: a repeat makes it up."""
    await paid("card_slow")
    connection = await database("payment")
    waiting = asyncio.create_task(payments.issue(an_intent()))
    while not await sandbox.moved(PAYMENT):
        await asyncio.sleep(0.01)
    async with connection.transaction():
        await connection.execute("LOCK TABLE ledger_entries IN SHARE ROW EXCLUSIVE MODE")
        watcher = await database("payment")
        while not await watcher.fetchval(WAITING):
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        while await watcher.fetchval(WAITING):
            await asyncio.sleep(0.01)

    assert (await payments.balance(STORE, PAYMENT)).pending.minor_units == 255
    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED
    assert len(await sandbox.moved(PAYMENT)) == 1


async def test_a_death_while_a_payment_is_named_loses_no_chargeback(
    payments, paid, database, dispute_letter, trial
):
    """What the bank told before is being booked when the caller gives up: the name is not kept without it."""
    await payments.receive_webhook("sandbox", *dispute_letter("evt_1", "needs_response", 0, 400))
    connection, watcher = await database("payment"), await database("payment")
    async with connection.transaction():
        await connection.execute("LOCK TABLE disputes IN SHARE ROW EXCLUSIVE MODE")
        waiting = asyncio.create_task(paid())
        while not await watcher.fetchval(WAITING):
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        while await watcher.fetchval(WAITING):
            await asyncio.sleep(0.01)

    assert await trial() == {"captured": -1530, "provider": 1530}
    await paid()
    assert (await trial())["dispute_frozen"] == 400


async def test_a_chargeback_told_while_its_payment_is_named_is_booked(
    payments, paid, database, dispute_letter, trial
):
    """Its webhook has been taken and is not yet stored for good when the payment gets its name."""
    connection, watcher = await database("payment"), await database("payment")
    await connection.execute(KEPT)
    async with connection.transaction():
        await connection.execute("SELECT FROM provider_events FOR UPDATE")
        telling = asyncio.create_task(
            payments.receive_webhook("sandbox", *dispute_letter("evt_1", "needs_response", 0, 400))
        )
        while await watcher.fetchval(WAITING) < 1:
            await asyncio.sleep(0.01)
        naming = asyncio.create_task(paid())
        while not naming.done() and await watcher.fetchval(WAITING) < 2:
            await asyncio.sleep(0.01)
    await asyncio.gather(telling, naming)

    assert (await trial())["dispute_frozen"] == 400


async def test_a_payment_that_is_being_named_misses_no_further_chargeback(
    payments, paid, database, dispute_letter, trial
):
    """One was told before and is being booked, another is told meanwhile."""
    await payments.receive_webhook("sandbox", *dispute_letter("evt_1", "needs_response", 0, 400))
    connection, watcher = await database("payment"), await database("payment")
    async with connection.transaction():
        await connection.execute("LOCK TABLE disputes IN SHARE ROW EXCLUSIVE MODE")
        naming = asyncio.create_task(paid())
        while await watcher.fetchval(WAITING) < 1:
            await asyncio.sleep(0.01)
        another = dispute_letter("evt_2", "needs_response", 0, 300, id="dp_2", amount=300)
        telling = asyncio.create_task(payments.receive_webhook("sandbox", *another))
        while not telling.done() and await watcher.fetchval(WAITING) < 2:
            await asyncio.sleep(0.01)
    await asyncio.gather(telling, naming)

    assert (await trial())["dispute_frozen"] == 700


async def test_a_database_that_goes_away_is_unavailable_not_broken(payments, paid, database):
    """Its connections are cut in the middle: the caller is told to come again, and may."""
    await paid()
    connection, watcher = await database("payment"), await database("payment")
    async with connection.transaction():
        await connection.execute("LOCK TABLE refunds IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.create_task(payments.issue(an_intent()))
        while not await watcher.fetchval(WAITING):
            await asyncio.sleep(0.01)
        await watcher.execute(CUT)
        with pytest.raises(DependencyUnavailable):
            await waiting

    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED


async def test_racing_refunds_leave_the_books_right(refunds, pool):
    """Twenty refunds of 100 race for 1530 of which ten were asked for twice: the invariants hold."""
    asked = [refunds.issue(an_intent(f"s{number % 20}", amount=100)) for number in range(30)]
    await asyncio.gather(*asked, return_exceptions=True)

    reports = await BookRepository(pool).check_invariants(STORE, 5)
    assert [report.name for report in reports if report.violations] == []
    assert (await refunds.balance(STORE, PAYMENT)).refunded.minor_units == 1500
