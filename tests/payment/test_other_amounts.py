"""A provider's word counts for the amount that was asked for; of any other nobody knows what has moved."""

import pytest

from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable
from services.domain.money import Money
from tests.builders import NOW, STORE, an_intent

PAYMENT = "pay_536365"
REFUND = an_intent().refund_id
AGED = """
ALTER TABLE ledger_entries DISABLE TRIGGER USER;
UPDATE ledger_entries SET posted_at = now() - interval '61 minutes'
"""
OTHERS = pytest.mark.parametrize("other", [{"amount": 1}, {"currency": "jpy"}], ids=["amount", "currency"])


@pytest.fixture
def told_otherwise(sandbox):
    """Let the provider tell its only refund otherwise from now on; returns how it told it before."""

    async def tell(**members) -> dict[str, object]:
        (made,) = await sandbox.moved(PAYMENT)
        before = sandbox.state.get("refund", made["id"])
        sandbox.state.update(before | members)
        return {name: before[name] for name in members}

    return tell


@OTHERS
async def test_an_answer_of_another_amount_is_no_answer(payments, paid, told_otherwise, other):
    """Found after its answer was lost, it settles nothing; asked again, the right one does."""
    await paid("card_answer_lost")
    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())
    before = await told_otherwise(**other)

    with pytest.raises(DependencyUnavailable):
        await payments.issue(an_intent())

    assert (await payments.balance(STORE, PAYMENT)).pending == Money(255, "GBP")
    await told_otherwise(**before)
    assert (await payments.issue(an_intent())).status is RefundStatus.SUCCEEDED


@OTHERS
async def test_a_refund_that_settles_in_another_amount_stays_open(
    payments, paid, told_otherwise, database, broken, other
):
    """It is asked about again and again, and after an hour it is finance's."""
    await paid("card_refund_pending")
    await payments.issue(an_intent())
    await told_otherwise(status="pending", **other)

    with pytest.raises(DependencyUnavailable):
        await payments.check(STORE, REFUND, NOW)

    assert (await payments.balance(STORE, PAYMENT)).pending == Money(255, "GBP")
    assert await broken() == {}
    await (await database("payment")).execute(AGED)
    assert await broken() == {"provider_agrees": (REFUND,)}


@OTHERS
async def test_a_webhook_of_another_amount_settles_nothing(payments, paid, letter, facts, other):
    """Whoever asked for the refund asks on."""
    await paid("card_refund_pending")
    made = await payments.issue(an_intent())
    ours = {"id": made.provider_refund_id, "metadata": {"refund_id": REFUND}}

    assert await payments.receive_webhook("sandbox", *letter("evt_1", **(ours | other))) is True

    assert (await payments.balance(STORE, PAYMENT)).pending == Money(255, "GBP")
    assert await facts("payment") == []
    assert await payments.receive_webhook("sandbox", *letter("evt_2", **ours)) is True
    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(255, "GBP")


async def test_what_went_out_in_another_currency_is_not_booked_in_ours(payments, paid, letter):
    """A refund made outside; that we do not know it the books' review tells finance."""
    await paid()

    await payments.receive_webhook("sandbox", *letter("evt_1", currency="jpy"))

    assert (await payments.balance(STORE, PAYMENT)).refunded == Money(0, "GBP")


@OTHERS
async def test_the_books_compare_amount_and_currency(payments, paid, told_otherwise, broken, other):
    """What succeeded here and is listed as another amount is a finding."""
    await paid()
    await payments.issue(an_intent())
    assert await broken() == {}

    await told_otherwise(**other)

    assert await broken() == {"provider_agrees": (REFUND,)}
