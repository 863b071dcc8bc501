"""Whatever dies while a refund becomes store credit, a repeat finishes it, and it is credit once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.domain.amounts import payments_of
from services.domain.case import RefundStatus, RefundTo
from services.domain.ids import CustomerId, PaymentId, derived_id
from services.domain.money import Money
from services.domain.order import Payment
from services.domain.refund import OrderPayments
from services.domain.store_credit import CreditGrant
from services.payment.providers.store_credit import StoreCreditProvider
from services.payment.refunds import Refunds
from services.payment.repository.books import BookRepository
from services.payment.repository.credit import CreditRepository
from services.payment.repository.refunds import RefundRepository
from services.payment.store_credit import StoreCredit
from services.platform.database import Pool, open_pool
from tests.builders import NOW, STORE, an_intent, an_order
from tests.payment.test_crashes import Dying

pytestmark = [pytest.mark.chaos, pytest.mark.heavy]

CUSTOMER = CustomerId("17850")


def an_order_on_credit() -> OrderPayments:
    tender = Payment(PaymentId("pay_536365"), "store_credit", "store_credit", 1530, NOW)
    return payments_of(an_order(payments=(tender,)))


@pytest.fixture
async def pool(fresh_database) -> AsyncIterator[Pool]:
    pool = await open_pool(await fresh_database("payment"), "test")
    yield pool
    await pool.close()


@pytest.fixture
def credit(pool) -> StoreCredit:
    return StoreCredit(CreditRepository(pool))


@pytest.fixture
async def refunds(pool, credit) -> Refunds:
    """The healthy service, with a customer's credit of 1530, all of it spent on an order."""
    healthy = Refunds(RefundRepository(pool), {"store_credit": StoreCreditProvider(credit.store)})
    await credit.store.grant(CreditGrant(derived_id("g"), STORE, CUSTOMER, Money(1530, "GBP"), "test", NOW))
    await healthy.register(an_order_on_credit())
    return healthy


async def left(credit: StoreCredit) -> int:
    return sum(one.balance.minor_units for one in await credit.balances(STORE, CUSTOMER, NOW))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["reserve", "refund", "settle"])
@pytest.mark.parametrize("repeat", ["issue", "check"])
async def test_a_refund_that_died_is_finished_by_a_repeat(refunds, credit, pool, step, moment, repeat):
    """The process dies at one of six instants; the same request again (or a check) makes it credit once."""
    store, provider = refunds.store, refunds.providers["store_credit"]
    if step == "refund":
        provider = Dying(provider, step, moment)
    else:
        store = Dying(store, step, moment)
    intent = an_intent(destination=RefundTo.STORE_CREDIT)
    with pytest.raises(asyncio.CancelledError):
        await Refunds(store, {"store_credit": provider}).issue(intent)

    if repeat == "check" and (step, moment) != ("reserve", "before"):
        refund = await refunds.check(STORE, intent.refund_id, NOW)
    else:
        refund = await refunds.issue(intent)

    assert refund.status is RefundStatus.SUCCEEDED
    assert await left(credit) == 255
    reports = await BookRepository(pool).check_invariants(STORE, 5)
    assert [report.name for report in reports if report.violations] == []


@pytest.mark.parametrize("step", ["register", "registered"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_order_that_died_is_paid_once(refunds, credit, pool, step, moment):
    """Booking the payment and taking the credit are one: a repeat takes no second time."""
    more = CreditGrant(derived_id("more"), STORE, CUSTOMER, Money(2000, "GBP"), "test", NOW)
    await credit.store.grant(more)
    order = an_order_on_credit()
    second = replace(
        order, order_id="536366", payments=(replace(order.payments[0], payment_id=PaymentId("pay_2")),)
    )
    dying = Refunds(Dying(refunds.store, step, moment), refunds.providers)
    with pytest.raises(asyncio.CancelledError):
        await dying.register(second)

    await refunds.register(second)

    assert await left(credit) == 470
    reports = await BookRepository(pool).check_invariants(STORE, 5)
    assert [report.name for report in reports if report.violations] == []
