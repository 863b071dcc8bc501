"""Money goes back at most once per refund id, and never more than was paid."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.domain.amounts import payments_of
from services.domain.case import RefundStatus, RefundTo
from services.domain.dispute import DisputeStatus
from services.domain.errors import (
    CurrencyMismatch,
    DependencyUnavailable,
    IdempotencyConflict,
    InvalidArgument,
    OrderVersionConflict,
    PaymentDisputed,
    PaymentNotFound,
    RefundExceedsCaptured,
    RefundExceedsLine,
    RefundNotFound,
)
from services.domain.ids import LineId, OrderId, PaymentId, RefundId, StoreId, derived_id
from services.domain.money import Money
from services.domain.order import Payment, ShippingCharge
from services.domain.refund import LineCap, RefundPart
from tests.builders import NOW, STORE, a_line, an_address, an_intent, an_order

PAYMENT = "pay_536365"


def gbp(minor_units: int) -> Money:
    return Money(minor_units, "GBP")


def paid_with(method: str):
    """The payments of an order of six lanterns (1530), paid with one tender that behaves like this."""
    return payments_of(an_order(payments=(Payment(PaymentId(PAYMENT), "sandbox", method, 1530, NOW),)))


@pytest.fixture
def split_tender():
    """Six lanterns at 255 and sending at 470, paid 1000 with a card and 1000 with a wallet."""
    shipping = ShippingCharge(470, 0, "standard", an_address())
    tenders = (
        Payment(PaymentId("pay_a"), "sandbox", "card", 1000, NOW),
        Payment(PaymentId("pay_b"), "sandbox", "wallet", 1000, NOW),
    )
    return payments_of(an_order(shipping=shipping, payments=tenders))


async def test_a_refund_asked_for_twice_moves_once(payments, moved):
    """The same intent again is answered with the same refund, and no more money moves."""
    await payments.register(paid_with("card"))
    first = await payments.issue(an_intent())
    second = await payments.issue(an_intent())

    assert first.status is RefundStatus.SUCCEEDED
    assert second == first
    assert await moved(PAYMENT) == 255


async def test_the_same_refund_asked_for_at_once_moves_once(payments, moved):
    """Ten equal requests at the same instant are one refund."""
    await payments.register(paid_with("card"))

    outcomes = await asyncio.gather(*(payments.issue(an_intent()) for _ in range(10)))

    assert {outcome.status for outcome in outcomes} == {RefundStatus.SUCCEEDED}
    assert len({outcome.provider_refund_id for outcome in outcomes}) == 1
    assert await moved(PAYMENT) == 255


async def test_two_equal_partial_refunds_both_move(payments, moved):
    """It is the id that makes a repeat, not the amount."""
    await payments.register(paid_with("card"))
    await payments.issue(an_intent("settle-1"))
    await payments.issue(an_intent("settle-2"))

    assert await moved(PAYMENT) == 510


async def test_a_refund_id_belongs_to_one_body(payments, moved):
    """The same id with another amount is a conflict, not the old answer."""
    await payments.register(paid_with("card"))
    await payments.issue(an_intent(amount=255))

    with pytest.raises(IdempotencyConflict):
        await payments.issue(an_intent(amount=256))
    assert await moved(PAYMENT) == 255


async def test_no_more_goes_back_than_was_captured(payments, moved, split_tender):
    """What is left of a payment bounds its refunds, whatever the lines would allow."""
    await payments.register(split_tender)
    all_of_line = replace(an_intent(amount=1000, payment_id=PaymentId("pay_a")))
    await payments.issue(all_of_line)

    with pytest.raises(RefundExceedsCaptured):
        await payments.issue(an_intent("settle-2", amount=1, payment_id=PaymentId("pay_a")))
    assert await moved("pay_a") == 1000


async def test_no_more_goes_back_for_a_line_than_it_cost(payments, moved, split_tender):
    """A line's cap counts over all tenders; shipping has its own."""
    await payments.register(split_tender)
    await payments.issue(an_intent(amount=1000, payment_id=PaymentId("pay_a")))
    shipping = (RefundPart(471),)

    with pytest.raises(RefundExceedsLine):
        await payments.issue(an_intent("settle-2", amount=531, payment_id=PaymentId("pay_b")))
    with pytest.raises(RefundExceedsLine):
        await payments.issue(an_intent("s", amount=471, payment_id=PaymentId("pay_b"), parts=shipping))
    both = (RefundPart(530, LineId("1")), RefundPart(470))
    await payments.issue(an_intent("settle-3", amount=1000, payment_id=PaymentId("pay_b"), parts=both))
    assert (await moved("pay_a"), await moved("pay_b")) == (1000, 1000)


async def test_racing_refunds_share_what_there_is(payments, moved):
    """Of twenty refunds of 100 racing for 1000, ten win."""
    sold = an_order(a_line(quantity=10, unit_price=100))
    await payments.register(payments_of(sold))
    attempts = (payments.issue(an_intent(f"settle-{number}", amount=100)) for number in range(20))

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, RefundExceedsCaptured)]
    assert len(refused) == 10
    assert await moved(PAYMENT) == 1000


async def test_a_split_tender_resumes_where_it_stopped(payments, moved, behave, split_tender):
    """The second tender declines after the first has paid; asking for both again pays only the second."""
    await payments.register(split_tender)
    await behave("pay_b", "card_down")
    legs = [an_intent(amount=600, payment_id=PaymentId(name)) for name in ("pay_a", "pay_b")]
    await payments.issue(legs[0])
    with pytest.raises(DependencyUnavailable):
        await payments.issue(legs[1])
    await behave("pay_b", "wallet")

    refunds = [await payments.issue(leg) for leg in legs]

    assert [refund.status for refund in refunds] == [RefundStatus.SUCCEEDED] * 2
    assert (await moved("pay_a"), await moved("pay_b")) == (600, 600)


async def test_a_lost_answer_is_asked_for_not_guessed(payments, moved):
    """The money moved, nobody heard of it: the refund stays pending and counted until it is asked again."""
    await payments.register(paid_with("card_answer_lost"))
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    unknown = await payments.balance(STORE, PAYMENT)
    again = await payments.issue(an_intent())

    assert (unknown.pending, unknown.refunded, unknown.refundable) == (gbp(255), gbp(0), gbp(1275))
    assert again.status is RefundStatus.SUCCEEDED
    assert await moved(PAYMENT) == 255


async def test_an_unknown_outcome_may_be_checked_instead(payments, moved):
    """Checking finishes what asking began."""
    await payments.register(paid_with("card_answer_lost"))
    intent = an_intent()
    with pytest.raises(DependencyUnavailable):
        await payments.issue(intent)

    checked = await payments.check(STORE, intent.refund_id, NOW)

    assert checked.status is RefundStatus.SUCCEEDED
    assert await moved(PAYMENT) == 255


async def test_a_provider_that_is_down_moves_nothing(payments, moved, behave):
    """The amount is held meanwhile, and moves once when the provider is back."""
    await payments.register(paid_with("card_down"))
    for _ in range(2):
        with pytest.raises(DependencyUnavailable):
            await payments.issue(an_intent())
    assert (await payments.balance(STORE, PAYMENT)).pending == gbp(255)
    assert await moved(PAYMENT) == 0

    await behave(PAYMENT, "card")
    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED
    assert await moved(PAYMENT) == 255


async def test_a_declined_refund_gives_its_amount_free(payments, moved):
    """A dead refund counts no more, and the next one is not blocked by it."""
    await payments.register(paid_with("card_refund_declined"))
    refund = await payments.issue(an_intent())

    assert (refund.status, refund.failure) == (RefundStatus.FAILED, "declined")
    assert (await payments.balance(STORE, PAYMENT)).refundable == gbp(1530)
    assert await moved(PAYMENT) == 0
    assert (await payments.issue(an_intent())).status is RefundStatus.FAILED


async def test_a_pending_refund_settles_when_it_is_asked_about(payments, moved):
    """Pending is no success: it is counted, and asked about until the provider has settled it."""
    await payments.register(paid_with("card_refund_pending"))
    intent = an_intent()
    issued = await payments.issue(intent)
    assert (issued.status, await moved(PAYMENT)) == (RefundStatus.PENDING, 0)
    assert (await payments.issue(intent)).status is RefundStatus.PENDING

    checks = [await payments.check(STORE, intent.refund_id, NOW + timedelta(minutes=m)) for m in (1, 5)]

    assert [check.status for check in checks] == [RefundStatus.PENDING, RefundStatus.SUCCEEDED]
    assert checks[1].settled_at == NOW + timedelta(minutes=5)
    assert await moved(PAYMENT) == 255


async def test_what_is_malformed_is_refused_before_anything_is_held(payments):
    """Parts that do not add up, a line named twice, and an amount of nothing."""
    await payments.register(paid_with("card"))
    line = LineId("1")
    for amount, parts in (
        (255, (RefundPart(254, line),)),
        (255, (RefundPart(200, line), RefundPart(55, line))),
        (0, (RefundPart(0, line),)),
    ):
        with pytest.raises(InvalidArgument):
            await payments.issue(an_intent(amount=amount, parts=parts))
    assert (await payments.balance(STORE, PAYMENT)).refundable == gbp(1530)


async def test_only_a_payment_of_this_order_and_store_is_refunded(payments):
    """Another store's, another order's and an unknown payment are not found; nor is an unknown refund."""
    await payments.register(paid_with("card"))
    wrong = (
        an_intent(store_id=StoreId("other")),
        an_intent(order_id=OrderId("536366")),
        an_intent(payment_id=PaymentId("pay_unknown")),
    )
    for intent in wrong:
        with pytest.raises(PaymentNotFound):
            await payments.issue(intent)
    with pytest.raises(PaymentNotFound):
        await payments.balance("other", PAYMENT)
    with pytest.raises(RefundNotFound):
        await payments.check(STORE, RefundId(derived_id("never")), NOW)


async def test_currencies_do_not_mix(payments):
    """A refund is in the payment's currency."""
    await payments.register(paid_with("card"))

    with pytest.raises(CurrencyMismatch):
        await payments.issue(replace(an_intent(), amount=Money(255, "EUR")))


async def test_payments_are_registered_by_version(payments):
    """The same version again is harmless; another body, a lower version, a changed payment are conflicts."""
    first = replace(paid_with("card"), version=2)
    await payments.register(first)
    await payments.register(first)
    changed = replace(first.payments[0], amount=gbp(1))

    with pytest.raises(IdempotencyConflict):
        await payments.register(replace(first, caps=()))
    with pytest.raises(OrderVersionConflict):
        await payments.register(replace(first, version=1))
    with pytest.raises(IdempotencyConflict):
        await payments.register(replace(first, version=3, payments=(changed,)))
    assert (await payments.balance(STORE, PAYMENT)).captured == gbp(1530)


async def test_a_new_version_replaces_the_caps(payments):
    """What a line cost is what the newest version says; a line that is gone is worth nothing."""
    first = paid_with("card")
    await payments.register(first)
    await payments.register(replace(first, version=2, caps=(LineCap(1530, LineId("2")),)))

    with pytest.raises(RefundExceedsLine):
        await payments.issue(an_intent())
    await payments.issue(an_intent("settle-2", parts=(RefundPart(255, LineId("2")),)))


@pytest.mark.parametrize(
    "status",
    ["needs_response", "under_review", "appeal_needs_response", "appeal_under_review"],
)
async def test_while_the_bank_holds_the_money_nothing_goes_back(payments, moved, disputed, status):
    """Whatever is disputed of a payment: a refund would be paid twice if the dispute is lost."""
    await payments.register(paid_with("card"))
    await disputed(PAYMENT, 400, DisputeStatus(status))

    with pytest.raises(PaymentDisputed) as refusal:
        await payments.issue(an_intent())
    assert (refusal.value.reason, refusal.value.is_retryable) == ("PAYMENT_DISPUTED", False)
    balance = await payments.balance(STORE, PAYMENT)
    assert (balance.disputed, balance.refundable) == (gbp(400), gbp(1130))
    assert await moved(PAYMENT) == 0


async def test_an_inquiry_holds_nothing_up(payments, moved, disputed):
    """The bank asks, and has taken nothing."""
    await payments.register(paid_with("card"))
    await disputed(PAYMENT, 1530, DisputeStatus.WARNING_NEEDS_RESPONSE)

    await payments.issue(an_intent())
    assert (await payments.balance(STORE, PAYMENT)).disputed == gbp(0)
    assert await moved(PAYMENT) == 255


async def test_a_lost_dispute_leaves_the_rest(payments, moved, disputed):
    """What the bank gave away is gone, and counts."""
    await payments.register(paid_with("card"))
    await disputed(PAYMENT, 1400, DisputeStatus.NEEDS_RESPONSE)
    await disputed(PAYMENT, 1400, DisputeStatus.LOST)

    with pytest.raises(RefundExceedsCaptured):
        await payments.issue(an_intent(amount=131))
    await payments.issue(an_intent("rest", amount=130))
    assert (await payments.balance(STORE, PAYMENT)).refundable == gbp(0)
    assert await moved(PAYMENT) == 130


async def test_a_won_dispute_gives_the_money_free(payments, moved, disputed):
    """As if nothing had been."""
    await payments.register(paid_with("card"))
    await disputed(PAYMENT, 1400, DisputeStatus.NEEDS_RESPONSE)
    await disputed(PAYMENT, 1400, DisputeStatus.WON)

    await payments.issue(an_intent(amount=1530))
    assert await moved(PAYMENT) == 1530


@pytest.mark.parametrize("destination", [RefundTo.STORE_CREDIT, RefundTo.BANK_TRANSFER])
async def test_a_refund_may_go_elsewhere(payments, moved, destination):
    """Nothing moves at the provider, whatever ails it; it counts against the payment, and is one refund."""
    await payments.register(paid_with("card_down"))
    intent = an_intent(destination=destination)
    refunds = [await payments.issue(intent), await payments.issue(intent)]
    checked = await payments.check(STORE, intent.refund_id, NOW)

    assert refunds == [checked, checked]
    assert (checked.status, checked.intent.destination) == (RefundStatus.SUCCEEDED, destination)
    balance = await payments.balance(STORE, PAYMENT)
    assert (balance.refunded, balance.refundable) == (gbp(255), gbp(1275))
    assert await moved(PAYMENT) == 0
    with pytest.raises(IdempotencyConflict):
        await payments.issue(an_intent())
