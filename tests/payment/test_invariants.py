"""Every invariant of money is broken on purpose, one after the other, and the report names it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from services.clients.documents import DocumentClient
from services.clients.store_credit import StoreCreditClient
from services.domain.amounts import payments_of
from services.domain.ids import CustomerId, PaymentId, derived_id
from services.domain.invoice import Buyer, BuyerKind
from services.domain.money import Money
from services.domain.order import Payment
from services.domain.store_credit import CreditGrant
from services.payment.reconciliation import INVARIANT_NAMES
from services.platform.database import Connection
from tests.builders import NOW, STORE, an_intent, an_order
from tests.fixtures.sandbox import Outside, Postbox

PAYMENT = "pay_536365"
REFUND = an_intent().refund_id
UNGUARDED = """
ALTER TABLE ledger_entries DISABLE TRIGGER USER;
ALTER TABLE documents DISABLE TRIGGER ALL;
ALTER TABLE credit_postings DISABLE TRIGGER USER;
ALTER TABLE credit_lots DISABLE TRIGGER USER;
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """One invoiced order of 1530, of which 255 went back and were credited, and store credit of 100."""

    database: Connection
    sandbox: Outside
    postbox: Postbox

    async def dispute(self) -> None:
        """Let the bank freeze 400 of it."""
        heard = len(self.postbox.letters)
        await self.sandbox.dispute(PAYMENT, 400)
        await self.postbox.received(heard + 1)


Plant = Callable[[Shop], Awaitable[object]]


def sql(statement: str, *, is_disputed: bool = False) -> Plant:
    """Plant behind the service's back."""

    async def plant(shop: Shop) -> None:
        if is_disputed:
            await shop.dispute()
        await shop.database.execute(UNGUARDED + statement)

    return plant


async def move_twice(shop: Shop) -> None:
    await shop.sandbox.refund_by_hand(PAYMENT, 255, refund_id=REFUND)


PLANTS: dict[str, Plant] = {
    "refunds_within_captured": sql("UPDATE payments SET captured = 200"),
    "refunds_within_lines": sql("UPDATE caps SET amount = 200"),
    "refund_parts_add_up": sql("UPDATE refund_parts SET amount = 254"),
    "refund_parts_as_asked": sql("UPDATE refund_parts SET line_id = '2'"),
    "ledger_transactions_balance": sql("UPDATE ledger_entries SET currency = 'JPY' WHERE minor_units > 0"),
    "ledger_matches_captures": sql("UPDATE payments SET captured = 1531"),
    "ledger_matches_refunds": sql("DELETE FROM ledger_entries WHERE memo = 'succeed'"),
    "ledger_matches_disputes": sql("UPDATE disputes SET frozen = 399", is_disputed=True),
    "disputes_after_refunds": sql("UPDATE disputes SET frozen = 1276", is_disputed=True),
    "credits_within_invoices": sql("UPDATE documents SET total = 1531 WHERE kind = 'credit_note'"),
    "document_series_without_gaps": sql("UPDATE document_series SET last_number = last_number + 1"),
    "refunds_have_their_notes": sql(
        "INSERT INTO document_dues (refund_id, due_at, try_at)"
        " SELECT refund_id, now() - interval '61 minutes', now() + interval '1 day' FROM refunds"
    ),
    "store_credit_is_its_lots": sql("DELETE FROM credit_postings"),
    "store_credit_lots_hold": sql("UPDATE credit_lots SET amount = amount + 1"),
    "store_credit_paid_its_orders": sql("UPDATE payments SET provider = 'store_credit'"),
    "webhooks_are_applied": sql(
        "UPDATE provider_events SET processed_at = NULL, received_at = now() - interval '61 minutes'",
        is_disputed=True,
    ),
    "trial_balance_is_zero": sql("DELETE FROM ledger_entries WHERE account = 'captured'"),
    "one_movement_per_intent": move_twice,
    "provider_agrees": sql("UPDATE refunds SET status = 'failed'"),
    "provider_agrees_on_disputes": sql("UPDATE disputes SET status = 'won'", is_disputed=True),
}


@pytest.fixture
async def shop(payments, payment_channel, postbox, sandbox, database) -> Shop:
    documents, connection = DocumentClient(payment_channel), await database("payment")
    order = an_order(payments=(Payment(PaymentId(PAYMENT), "sandbox", "card", 1530, NOW),))
    await payments.register(payments_of(order))
    buyer = Buyer(BuyerKind.INDIVIDUAL, "17850", "17850@example.com")
    await documents.issue(derived_id("IN-7K3M-9QX1", "invoice"), order, buyer, NOW)
    await payments.issue(an_intent())
    grant = CreditGrant(derived_id("sorry"), STORE, CustomerId("17850"), Money(100, "GBP"), "agent-1", NOW)
    await StoreCreditClient(payment_channel).grant(grant)
    async with asyncio.timeout(60):
        while len(await documents.of_order(STORE, order.order_id)) < 2:
            await asyncio.sleep(0.05)
    return Shop(connection, sandbox, postbox)


def test_every_invariant_is_broken_by_somebody():
    """Who adds an invariant plants what breaks it."""
    assert sorted(PLANTS) == sorted(INVARIANT_NAMES)


@pytest.mark.parametrize("invariant", sorted(PLANTS))
async def test_what_breaks_an_invariant_is_found(shop, broken, invariant):
    """Nothing is, before it is planted."""
    assert await broken() == {}

    await PLANTS[invariant](shop)

    assert invariant in await broken()
