"""Refunds over the real wire: what providers do to them, and what the service makes of it."""

import asyncio
import json
from dataclasses import replace

import pytest

from services.clients.payment import PaymentClient
from services.domain.amounts import payments_of
from services.domain.case import RefundStatus
from services.domain.errors import (
    CurrencyMismatch,
    DependencyUnavailable,
    IdempotencyConflict,
    InvalidArgument,
    OrderVersionConflict,
    RefundExceedsCaptured,
    RefundExceedsLine,
    Unprocessable,
)
from services.domain.ids import LineId, OrderId, PaymentId, StoreId
from services.domain.money import Money
from services.domain.order import Payment, ShippingCharge
from services.domain.refund import LineCap, OrderPayments, RefundPart
from services.payment.__main__ import composition
from services.payment.settings import PaymentSettings
from tests.builders import NOW, STORE, an_address, an_intent, an_order
from tests.fixtures.services import free_port

PAYMENT = "pay_536365"
OTHER = StoreId("other")


def order_of_its_own(number: int) -> OrderPayments:
    """Return payments of one of several orders, to be registered beside each other."""
    told = payments_of(an_order())
    tender = replace(told.payments[0], payment_id=PaymentId(f"pay_{number}"))
    return replace(told, order_id=OrderId(f"order-{number}"), payments=(tender,))


@pytest.mark.parametrize("provider_seconds", [3.0])
async def test_a_slow_provider_moves_once(payments, paid, sandbox, provider_seconds):  # noqa: ARG001
    """The answer comes after we have stopped waiting; asked again, it is there."""
    await paid("card_slow")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())

    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED
    assert [refund["status"] for refund in await sandbox.moved(PAYMENT)] == ["succeeded"]


async def test_a_provider_that_forgot_the_key_is_not_asked_twice(payments, paid, sandbox):
    """Keys expire before cases do: what moved is in the provider's list."""
    await paid("card_answer_lost")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    sandbox.state._db.execute("DELETE FROM answers")

    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED
    assert len(await sandbox.moved(PAYMENT)) == 1


async def test_what_makes_no_sense_beside_it_does_not_hide_a_refund(payments, paid, sandbox):
    """Ours moved and its answer was lost; a newer one of the same payment, made outside, cannot be read."""
    await paid("card_answer_lost")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    await sandbox.behave(PAYMENT, "card")
    odd = await sandbox.refund_by_hand(PAYMENT, 5)
    sandbox.state.update(sandbox.state.get("refund", odd["id"]) | {"status": None})

    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED


@pytest.mark.parametrize("told", [{"metadata": "gone"}, {"status": None}])
async def test_what_makes_no_sense_and_may_be_the_refund_is_not_sent_again(payments, paid, sandbox, told):
    """Its provider has forgotten the key, and lists something that may be ours: the outcome stays unknown."""
    await paid("card_answer_lost")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    sandbox.state._db.execute("DELETE FROM answers")
    await sandbox.behave(PAYMENT, "card")
    (moved,) = await sandbox.moved(PAYMENT)
    sandbox.state.update(sandbox.state.get("refund", moved["id"]) | told)

    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    assert len(await sandbox.moved(PAYMENT)) == 1


async def test_a_payment_the_provider_has_not_heard_of_is_introduced(payments, paid, sandbox, database):
    """The provider was down when the order came: its refund introduces the payment first."""
    await paid()
    await (await database("payment")).execute("UPDATE payments SET provider_ref = NULL")

    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED
    assert len(await sandbox.moved(PAYMENT)) == 1


async def test_what_cannot_be_reached_may_be_repeated(serve, settings, secrets):
    """With the provider down, orders and refunds are kept here, and asked for again with the same ids."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    unplugged = PaymentSettings(database_url=settings.database_url, sandbox_url=nowhere)
    payments = PaymentClient(await serve("payment", composition(unplugged, secrets)))
    for _ in range(2):
        with pytest.raises(DependencyUnavailable):
            await payments.register(payments_of(an_order()))
        with pytest.raises(DependencyUnavailable):
            await payments.issue(an_intent())

    balance = await payments.balance(STORE, PAYMENT)
    assert (balance.captured, balance.pending) == (Money(1530, "GBP"), Money(255, "GBP"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error": {"type": "api_error"}}),
        (401, {"error": {"type": "invalid_request_error"}}),
        (409, {"error": {"type": "idempotency_error"}}),
        (400, {"error": {"type": "idempotency_error"}}),
        (429, {}),
        (200, [1, 2]),
        (200, {"id": "re_1", "status": "teleported"}),
    ],
)
async def test_an_answer_that_is_none_leaves_the_outcome_unknown(
    serve, settings, secrets, serve_http, status, body
):
    """Only a clear yes or no settles a refund."""
    answers = iter([(200, {"id": "pi_1"}), *[(status, body)] * 9])

    async def odd(scope, _receive, send):
        if scope["type"] == "http":
            code, content = next(answers)
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": code, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    url = await serve_http(odd, free_port())
    over_odd = PaymentSettings(database_url=settings.database_url, sandbox_url=url)
    payments = PaymentClient(await serve("payment", composition(over_odd, secrets)))
    await payments.register(payments_of(an_order()))

    for _ in range(2):
        with pytest.raises(DependencyUnavailable):
            await payments.issue(an_intent())
    assert (await payments.balance(STORE, PAYMENT)).pending == Money(255, "GBP")


async def test_two_stores_may_use_one_payment_id(payments, paid, sandbox):
    """A payment id is a store's own: neither money nor behaviour nor caps are shared."""
    await paid("card")
    await paid("card_refund_declined", store_id=OTHER)
    ours = await payments.issue(an_intent(amount=1530))
    theirs = await payments.issue(replace(an_intent("theirs"), store_id=OTHER))

    assert (ours.status, theirs.status) == (RefundStatus.SUCCEEDED, RefundStatus.FAILED)
    assert (await payments.balance(OTHER, PAYMENT)).refundable == Money(1530, "GBP")
    assert sorted(r["status"] for r in await sandbox.moved(PAYMENT)) == ["failed", "succeeded"]


async def test_caps_hold_over_racing_tenders(payments):
    """Twenty refunds of one line race over two tenders: together they never exceed what the line cost."""
    shipping = ShippingCharge(470, 0, "standard", an_address())
    names = (PaymentId("pay_a"), PaymentId("pay_b"))
    tenders = tuple(Payment(name, "sandbox", "card", 1000, NOW) for name in names)
    await payments.register(payments_of(an_order(shipping=shipping, payments=tenders)))
    asked = (
        payments.issue(an_intent(f"s{number}", amount=100, payment_id=names[number % 2]))
        for number in range(20)
    )

    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    lost = [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
    assert (len(won), set(lost)) == (15, {RefundExceedsLine})


async def test_a_late_failure_frees_the_amount_for_the_next(payments, paid, sandbox, days_pass):
    """The bank sent the money back: the refund has failed after all, and another may be asked for."""
    await paid("card_refund_fails_late")
    issued = await payments.issue(an_intent(amount=1530))
    assert issued.status is RefundStatus.SUCCEEDED
    with pytest.raises(RefundExceedsCaptured):
        await payments.issue(an_intent("settle-2", amount=1530))

    await days_pass(2)
    await sandbox.behave(PAYMENT, "card")

    assert (await payments.issue(an_intent(amount=1530))).status is RefundStatus.FAILED
    again = await payments.issue(an_intent("settle-2", amount=1530))
    assert again.status is RefundStatus.SUCCEEDED
    assert [refund["status"] for refund in await sandbox.moved(PAYMENT)] == ["failed", "succeeded"]


async def test_a_new_version_may_add_a_tender_and_change_what_lines_cost(payments, paid):
    """Caps follow the newest version; what was captured stays; the currency cannot change."""
    await paid()
    first = payments_of(an_order())
    tender = replace(first.payments[0], payment_id=PaymentId("pay_extra"), amount=Money(70, "GBP"))
    second = replace(
        first, version=2, payments=(*first.payments, tender), caps=(LineCap(200, LineId("1")), LineCap(1400))
    )
    await payments.register(second)
    await payments.register(second)

    with pytest.raises(RefundExceedsLine):
        await payments.issue(an_intent(amount=201))
    await payments.issue(an_intent(amount=200))
    shipping = an_intent("s2", amount=70, payment_id=tender.payment_id, parts=(RefundPart(70),))
    assert (await payments.issue(shipping)).status is RefundStatus.SUCCEEDED
    with pytest.raises(CurrencyMismatch):
        await payments.register(replace(first, version=3, currency="EUR", payments=()))


async def test_of_two_first_versions_at_once_the_higher_one_stays(payments):
    """Ten orders' first and second versions race, neither known before: afterwards the first is outdated."""
    orders = [order_of_its_own(number) for number in range(10)]
    firsts = [payments.register(order) for order in orders]
    seconds = [payments.register(replace(order, version=2, caps=(LineCap(100),))) for order in orders]
    raced = await asyncio.gather(*seconds, *firsts, return_exceptions=True)
    assert {type(outcome) for outcome in raced} <= {type(None), OrderVersionConflict}

    for order in orders:
        with pytest.raises(OrderVersionConflict):
            await payments.register(order)


async def test_two_first_registrations_of_one_version_are_one_or_a_conflict(payments):
    """Ten orders are told of twice at once, otherwise under one version: one telling of each counts."""
    orders = [order_of_its_own(number) for number in range(10)]
    otherwise = [replace(order, caps=(LineCap(100),)) for order in orders]
    raced = await asyncio.gather(
        *(payments.register(order) for order in (*orders, *otherwise)), return_exceptions=True
    )

    assert sum(isinstance(outcome, IdempotencyConflict) for outcome in raced) == len(orders)


async def test_what_was_refunded_before_a_price_cut_stays_visible(payments, paid, broken):
    """The storefront lowers a line below what went back for it: nothing more goes, and finance is told."""
    await paid()
    await payments.issue(an_intent(amount=255))
    await payments.register(
        replace(payments_of(an_order()), version=2, caps=(LineCap(100, LineId("1")), LineCap(0)))
    )

    with pytest.raises(RefundExceedsLine):
        await payments.issue(an_intent("settle-2", amount=1))
    assert await broken() == {"refunds_within_lines": ("536365/1",)}


async def test_a_payment_of_nothing_is_known_and_never_refunded(payments):
    """A free order has a tender of nothing, which no provider hears of."""
    order = payments_of(an_order())
    nothing = replace(order.payments[0], payment_id=PaymentId("pay_free"), amount=Money(0, "GBP"))
    await payments.register(replace(order, payments=(nothing,)))

    assert (await payments.balance(STORE, "pay_free")).captured == Money(0, "GBP")
    with pytest.raises(RefundExceedsCaptured):
        await payments.issue(an_intent(amount=1, payment_id=PaymentId("pay_free")))


async def test_what_is_registered_makes_sense(payments):
    """An unknown provider, a tender in another currency, a line capped twice."""
    order = payments_of(an_order())
    (card,) = order.payments
    with pytest.raises(Unprocessable):
        await payments.register(replace(order, payments=(replace(card, provider="pigeon"),)))
    with pytest.raises(CurrencyMismatch):
        await payments.register(replace(order, payments=(replace(card, amount=Money(1, "EUR")),)))
    with pytest.raises(InvalidArgument):
        await payments.register(replace(order, caps=(*order.caps, order.caps[0])))
