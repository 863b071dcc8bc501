"""What finance has paid by bank transfer: a refund like any, out of another account of the shop's."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.clients.documents import DocumentClient
from services.domain.accounts import BANK, AccountKind, LedgerClock
from services.domain.amounts import payments_of
from services.domain.case import RefundStatus, RefundTo
from services.domain.errors import RefundExceedsCaptured
from services.domain.ids import derived_id
from services.domain.invoice import Buyer, BuyerKind, DocumentKind
from services.domain.money import Money
from tests.builders import NOW, STORE, an_intent, an_order

PAYMENT = "pay_536365"
FAILED = RefundStatus.FAILED
TRANSFER = an_intent("outside", destination=RefundTo.BANK_TRANSFER)


async def test_a_transfer_is_booked_once(payments, paid, sandbox, broken):
    """What was paid instead of the card's refund counts, moves nothing outside, and is in the books."""
    await paid(method="card_refund_declined")
    assert (await payments.issue(an_intent())).status is FAILED
    transfers = await asyncio.gather(*(payments.issue(TRANSFER) for _ in range(5)))

    assert {refund.status for refund in transfers} == {RefundStatus.SUCCEEDED}
    assert (await payments.balance(STORE, PAYMENT)).refundable == Money(1275, "GBP")
    rows = await payments.trial_balance(STORE, datetime.now(UTC) + timedelta(days=1), LedgerClock.POSTED)
    (bank,) = [row for row in rows if row.account == BANK]
    assert (bank.kind, bank.debit, bank.credit) == (AccountKind.ASSET, Money(0, "GBP"), Money(255, "GBP"))
    assert [one for one in await sandbox.moved(PAYMENT) if one["status"] == "succeeded"] == []
    assert await broken() == {}
    with pytest.raises(RefundExceedsCaptured):
        await payments.issue(an_intent("rest", amount=1276))


async def test_a_transfer_needs_no_processor(payments, paid, sandbox):
    """One that is down has nothing to do with it."""
    await paid()
    await sandbox.behave(PAYMENT, "card_down")

    assert (await payments.issue(TRANSFER)).status is RefundStatus.SUCCEEDED


async def test_a_transfer_is_credited(payments, payment_channel):
    """An invoiced order gets its credit note, as for every refund."""
    documents, order = DocumentClient(payment_channel), an_order()
    await payments.register(payments_of(order))
    buyer = Buyer(BuyerKind.INDIVIDUAL, "17850", "17850@example.com")
    await documents.issue(derived_id("invoice"), order, buyer, NOW)
    await payments.issue(TRANSFER)

    async with asyncio.timeout(60):
        while len(found := await documents.of_order(STORE, order.order_id)) < 2:
            await asyncio.sleep(0.05)
    assert [(one.draft.kind, one.draft.total.minor_units) for one in found][1:] == [
        (DocumentKind.CREDIT_NOTE, 255)
    ]


async def test_the_books_notice_a_transfer_that_is_posted_elsewhere(payments, paid, broken, database):
    """Taken from what the processor holds, the bank's statement would not add up."""
    await paid()
    await payments.issue(TRANSFER)
    connection = await database("payment")
    await connection.execute("ALTER TABLE ledger_entries DISABLE TRIGGER USER")
    await connection.execute("UPDATE ledger_entries SET account = 'provider' WHERE account = 'bank'")

    assert await broken() == {"ledger_matches_refunds": (TRANSFER.refund_id,)}


async def test_what_was_booked_and_never_told_is_noticed(payments, paid, broken, database):
    """A refund that says it was transferred, and of which nobody told."""
    await paid()
    await payments.issue(TRANSFER)
    connection = await database("payment")
    await connection.execute("ALTER TABLE bank_transfers DISABLE TRIGGER USER")
    await connection.execute("DELETE FROM bank_transfers")

    assert await broken() == {"provider_agrees": (TRANSFER.refund_id,)}
