"""Money: whatever the provider does, it moves once, as much as is due, and nobody is told too early."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

from tests.e2e.conftest import SellTo
from tests.e2e.outside import until
from tests.e2e.purchases import Return, Tender

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]

REFUNDED = "Your refund"


class Sale(NamedTuple):
    currency: str
    country: str
    locale: str
    unit_price: int


PaidBack = Callable[..., Awaitable[Return]]


@pytest.fixture
def paid_back(a_purchase: SellTo) -> PaidBack:
    """Return the case of lanterns paid with these tenders, come back and accepted."""

    async def make(*tenders: Tender, quantity: int = 2) -> Return:
        purchase = await a_purchase(tenders=tenders).arrive()
        return await (await purchase.give_back(quantity)).come_back(quantity)

    return make


async def test_a_declined_refund_goes_to_finance_and_a_retry_pays_once(paid_back: PaidBack):
    """The dead refund stays on the books as failed; the retry has an id of its own."""
    back = await paid_back(Tender("card_refund_declined", 1530))
    (task,) = await until(
        lambda: back.outside.tasks(back.case_id, "refund_stuck", "finance"), lambda found: len(found) == 1
    )
    assert task["queue"] == "finance"
    assert await back.mail(REFUNDED) == []

    await back.outside.behave(back.purchase.payment_id(), "card")
    await back.outside.complete(back.case_id, "refund_stuck", "retry", "finance")
    case = await back.until("refunded")

    assert sorted(refund["status"] for refund in case["refunds"]) == ["failed", "succeeded"]
    assert [amount for amount, status in await back.moved() if status == "succeeded"] == [510]
    assert len(await until(lambda: back.mail(REFUNDED), lambda found: len(found) == 1)) == 1


async def test_a_pending_refund_is_asked_about_until_it_has_moved(paid_back: PaidBack):
    """Nobody hears of money that has not moved; the case says it waits for the provider."""
    back = await paid_back(Tender("card_refund_pending", 1530))
    case = await back.until_case(lambda case: [r["status"] for r in case["refunds"]] == ["pending"])
    assert (case["phase"], case["waiting_on"]["party"]) == ("refunding", "provider")
    assert await back.mail(REFUNDED) == []

    await back.advance(minutes=31)
    await back.until("refunded")

    assert await back.moved() == [(510, "succeeded")]
    assert len(await until(lambda: back.mail(REFUNDED), lambda found: len(found) == 1)) == 1


async def test_a_refund_that_the_bank_sends_back_reopens_the_case(paid_back: PaidBack):
    """It succeeded, then failed by webhook: finance decides, and the money moves a second time, once."""
    back = await paid_back(Tender("card_refund_fails_late", 1530))

    reopened = await back.until_case(lambda case: [r["status"] for r in case["refunds"]] == ["failed"])
    happened = await back.outside.get(f"/v1/cases/{back.case_id}/timeline")
    assert "refund_succeeded" in [entry["what"] for entry in happened]
    assert (reopened["status"], reopened["phase"], reopened["outcome"]) == ("open", "refunding", None)
    await back.outside.behave(back.purchase.payment_id(), "card")
    await back.outside.complete(back.case_id, "refund_stuck", "retry", "finance")
    await back.until("refunded")

    assert await back.moved() == [(510, "failed"), (510, "succeeded")]


async def test_a_lost_answer_moves_the_money_once(paid_back: PaidBack):
    """The provider moved it and its answer broke off: asked again, not paid again."""
    back = await paid_back(Tender("card_answer_lost", 1530))

    case = await back.until("refunded")

    assert [refund["status"] for refund in case["refunds"]] == ["succeeded"]
    assert await back.moved() == [(510, "succeeded")]


async def test_a_slow_provider_is_waited_for(paid_back: PaidBack):
    """Ten seconds for an answer are no reason to ask twice."""
    back = await paid_back(Tender("card_slow", 1530))

    await back.until("refunded")

    assert await back.moved() == [(510, "succeeded")]


async def test_a_provider_that_is_down_is_paid_when_it_is_back(paid_back: PaidBack):
    """The outcome counts as unknown; asked again on the case's schedule, with the same id."""
    back = await paid_back(Tender("card_down", 1530))
    case = await back.until_case(lambda case: bool(case["refunds"]))
    assert [refund["status"] for refund in case["refunds"]] == ["pending"]
    assert await back.moved() == []

    await back.outside.behave(back.purchase.payment_id(), "card")
    await back.advance(minutes=2)
    await back.until("refunded")

    assert await back.moved() == [(510, "succeeded")]


async def test_a_wallet_is_paid_back_as_a_card_is(paid_back: PaidBack):
    """Another method, the same promise."""
    back = await paid_back(Tender("wallet", 1530))

    await back.until("refunded")

    assert await back.moved() == [(510, "succeeded")]


async def test_one_tender_that_declines_does_not_hold_up_the_other(paid_back: PaidBack):
    """All six come back to two tenders; one declines, the other is paid once, also after the retry."""
    tenders = (Tender("card", 1000), Tender("card_refund_declined", 530))
    back = await paid_back(*tenders, quantity=6)
    await until(lambda: back.moved(1), lambda moved: moved == [(1000, "succeeded")])
    await until(
        lambda: back.outside.tasks(back.case_id, "refund_stuck", "finance"), lambda found: len(found) == 1
    )

    await back.outside.behave(back.purchase.payment_id(2), "card")
    await back.outside.complete(back.case_id, "refund_stuck", "retry", "finance")
    await back.until("refunded")

    assert await back.moved(1) == [(1000, "succeeded")]
    assert [amount for amount, status in await back.moved(2) if status == "succeeded"] == [530]


@pytest.mark.parametrize(
    ("sale", "refund", "subject", "shown"),
    [
        (Sale("JPY", "JP", "en", 1999), 3998, REFUNDED, "¥3,998"),
        (Sale("KWD", "KW", "en", 1234), 2468, REFUNDED, "KWD 2.468"),
        (Sale("CNY", "CN", "zh-CN", 1999), 3998, "您的退款", "¥39.98"),
    ],
)
async def test_every_currency_is_paid_and_told_by_its_own_exponent(
    a_purchase: SellTo, sale: Sale, refund: int, subject: str, shown: str
):
    """Yen have no decimals, dinars three; the mail names what has moved, in the customer's language."""
    tenders = (Tender("card", 6 * sale.unit_price),)
    purchase = a_purchase(**sale._asdict(), tenders=tenders)
    back = await (await (await purchase.arrive()).give_back()).come_back()
    case = await back.until("refunded")

    assert case["refunds"][0]["amount"] == {"amount": refund, "currency": sale.currency}
    assert await back.moved() == [(refund, "succeeded")]
    (mail,) = await until(lambda: back.mail(subject), lambda found: len(found) == 1)
    text = mail.get_body(("plain",)).get_content().replace("\xa0", " ")
    assert shown in text, text


async def test_the_payment_and_its_ledger_say_what_moved(paid_back: PaidBack):
    """Captured, refunded and refundable agree with the provider; every transaction sums to zero."""
    back = await paid_back(Tender("card", 1530))
    await back.until("refunded")

    payment_id = back.purchase.payment_id()
    payment = await back.outside.get(f"/v1/payments/{payment_id}", "finance")
    ledger = await back.outside.get(f"/v1/payments/{payment_id}/ledger", "finance")

    amounts = {name: payment[name]["amount"] for name in ("captured", "refunded", "pending", "refundable")}
    assert amounts == {"captured": 1530, "refunded": 510, "pending": 0, "refundable": 1020}
    assert sum(entry["amount"]["amount"] for entry in ledger["data"]) == 0
