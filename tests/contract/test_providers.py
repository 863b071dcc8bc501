"""What the payment service relies on of whoever moves money, held against every adapter in its table."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.domain.amounts import payments_of
from services.domain.case import RefundStatus
from services.domain.errors import WebhookSignatureInvalid
from services.domain.ids import CustomerId, PaymentId, derived_id
from services.domain.money import Money
from services.domain.order import Payment
from services.domain.refund import CapturedPayment, RefundIntent
from services.domain.store_credit import CreditGrant
from services.payment.__main__ import PROVIDERS, Means
from services.payment.refunds import Provider, ProviderRefund
from services.payment.repository.credit import CreditRepository
from services.payment.repository.refunds import RefundRepository
from services.platform.database import Pool, open_pool
from tests.builders import NOW, STORE, an_intent, an_order

PAYMENT = PaymentId("pay_536365")


@pytest.fixture
async def pool(fresh_database) -> AsyncIterator[Pool]:
    pool = await open_pool(await fresh_database("payment"), "test")
    yield pool
    await pool.close()


@pytest.fixture(params=sorted(PROVIDERS))
async def adapter(request, pool, payment_settings, secrets) -> AsyncIterator[tuple[str, Provider]]:
    provider = PROVIDERS[request.param](Means(payment_settings, secrets, pool))
    yield request.param, provider
    await provider.close()


@pytest.fixture
async def payment(adapter, pool) -> CapturedPayment:
    """An order of 1530 paid by this provider, as it is in the books; a customer had credit for it."""
    name, _ = adapter
    grant = CreditGrant(derived_id("g"), STORE, CustomerId("17850"), Money(1530, "GBP"), "test", NOW)
    await CreditRepository(pool).grant(grant)
    tender = Payment(PAYMENT, name, "card", 1530, NOW)
    (captured,) = await RefundRepository(pool).register(payments_of(an_order(payments=(tender,))))
    return captured


@pytest.fixture
async def ref(adapter, payment, pool) -> str:
    """What the provider calls the payment."""
    _, provider = adapter
    ref = await provider.register(STORE, payment)
    await RefundRepository(pool).registered(STORE, PAYMENT, payment.provider, ref)
    return ref


@pytest.fixture
def ask(adapter, pool, ref):
    """Have a refund moved that the books have reserved."""
    _, provider = adapter

    async def move(intent: RefundIntent) -> ProviderRefund:
        await RefundRepository(pool).reserve(intent)
        return await provider.refund(intent, ref)

    return move


async def test_a_payment_is_known_by_one_name(adapter, payment, ref):
    """However often it is introduced."""
    _, provider = adapter
    assert {await provider.register(STORE, payment) for _ in range(3)} == {ref}


async def test_a_refund_moves_once_and_is_found_again(adapter, ask, ref):
    """By our id, by the provider's, and in its list; asked for again, and at once, it is the same."""
    _, provider = adapter
    intent = an_intent()
    assert await provider.find(intent, ref) is None
    moved = await asyncio.gather(*(ask(intent) for _ in range(5)))

    (told,) = set(moved)
    assert (told.status, told.amount, told.currency) == (RefundStatus.SUCCEEDED, 255, "GBP")
    assert (told.refund_id, told.provider_ref) == (intent.refund_id, ref)
    assert await provider.find(intent, ref) == await provider.look_up(str(told.provider_refund_id)) == told
    assert [one async for one in provider.refunds()] == [told]


async def test_two_equal_refunds_are_two(adapter, ask):
    """It is the id that makes a repeat; the list goes from the newest to the oldest, and on from any."""
    _, provider = adapter
    first, second = await ask(an_intent("a")), await ask(an_intent("b"))

    listed = [one async for one in provider.refunds()]
    assert [one.refund_id for one in listed] == [second.refund_id, first.refund_id]
    after = [one async for one in provider.refunds(str(second.provider_refund_id))]
    assert [one.refund_id for one in after] == [first.refund_id]
    assert all(one.created_at is not None for one in listed)


async def test_a_place_that_is_not_known_any_more_is_the_beginning(adapter, ask):
    """Whoever goes down the list is given too much rather than too little."""
    _, provider = adapter
    told = await ask(an_intent())
    known = str(told.provider_refund_id)
    gone = known[:-1] + ("1" if known.endswith("0") else "0")

    assert [one async for one in provider.refunds(gone)] == [told]


async def test_nothing_is_disputed_that_nobody_disputed(adapter, ref):
    """The list of disputes is empty, and an end."""
    _, provider = adapter
    assert ref
    assert [one async for one in provider.disputes()] == []


async def test_what_nobody_signed_is_not_believed(adapter):
    """A webhook without a signature of the provider's."""
    _, provider = adapter
    with pytest.raises(WebhookSignatureInvalid):
        provider.read_webhook("", b"{}")


async def test_a_refund_of_another_store_is_another_ones(adapter, ask, pool):
    """A payment's id is a store's own: the name that the provider gives it tells them apart."""
    name, provider = adapter
    tender = Payment(PAYMENT, name, "card", 100, NOW)
    theirs = replace(an_order(), store_id="other", payments=(tender,))
    await CreditRepository(pool).grant(
        CreditGrant(derived_id("h"), "other", CustomerId("17850"), Money(100, "GBP"), "test", NOW)
    )
    (payment,) = await RefundRepository(pool).register(payments_of(theirs))
    theirs_ref = await provider.register("other", payment)

    assert (await ask(an_intent())).provider_ref != theirs_ref
