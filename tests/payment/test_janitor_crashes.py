"""Wherever the janitor dies, the next one goes on: everything is repaired, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.amounts import payments_of
from services.domain.errors import DependencyUnavailable
from services.domain.ids import PaymentId
from services.domain.money import Money
from services.domain.order import Payment
from services.payment.janitor import Bounds, Janitor
from services.payment.providers.card_wire import CardWireProvider
from services.payment.refunds import Refunds
from services.payment.repository.books import BookRepository
from services.payment.repository.records import RecordRepository
from services.payment.repository.refunds import RefundRepository
from services.platform.database import Pool, open_pool
from tests.builders import NOW, STORE, an_intent, an_order
from tests.fixtures.sandbox import API_KEY, WEBHOOK_SECRET
from tests.payment.test_crashes import Dying

pytestmark = [pytest.mark.chaos, pytest.mark.heavy]

PAYMENT = PaymentId("pay_536365")
AGED = """
ALTER TABLE ledger_entries DISABLE TRIGGER USER;
UPDATE ledger_entries SET posted_at = now() - interval '61 minutes'
"""


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
async def unheard(pool, provider, sandbox) -> None:
    """A refund whose answer was lost, one made in the dashboard, and a dispute: no webhook came."""
    tender = Payment(PAYMENT, "sandbox", "card_answer_lost", 1530, NOW)
    refunds = Refunds(RefundRepository(pool), {"sandbox": provider})
    await refunds.register(payments_of(an_order(payments=(tender,))))
    with pytest.raises(DependencyUnavailable):
        await refunds.issue(an_intent())
    await pool.execute(AGED)
    await sandbox.behave(PAYMENT, "card")
    await sandbox.refund_by_hand(PAYMENT, 300)
    await sandbox.dispute(PAYMENT, 400)


@pytest.mark.usefixtures("unheard")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["walk", "move", "unsettled", "settle", "apply", "refunds_told", "disputes_told"]
)
async def test_whatever_died_the_next_one_repairs_the_rest(pool, provider, step, moment):
    """It dies when it first takes a step, before or after it; what is told is told once."""
    records, now = RecordRepository(pool), datetime.now(UTC)
    bounds = Bounds(now - timedelta(days=35), now, now)
    with pytest.raises(asyncio.CancelledError):
        await Janitor(Dying(records, step, moment), {"sandbox": provider}).mend(bounds)

    mended = await Janitor(records, {"sandbox": provider}).mend(bounds)

    assert (mended.is_done, mended.doubts, mended.unanswered) == (True, (), ())
    balance = await RefundRepository(pool).balance(STORE, PAYMENT)
    assert (balance.refunded, balance.pending, balance.disputed) == (
        Money(555, "GBP"),
        Money(0, "GBP"),
        Money(400, "GBP"),
    )
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 3
    reports = await BookRepository(pool).check_invariants(STORE, 5)
    assert [report for report in reports if report.violations] == []
