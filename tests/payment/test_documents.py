"""Invoices and their notes over the real service: who gets one, which number it has, what it never does."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from services.clients.documents import DocumentClient
from services.domain.amounts import payments_of
from services.domain.case import RefundStatus
from services.domain.errors import (
    CreditExceedsInvoice,
    IdempotencyConflict,
    InvalidArgument,
    InvoiceNotFound,
    OrderAlreadyInvoiced,
    OrderNotPaid,
    OrderVersionConflict,
    SellerUnknown,
    TaxIdInvalid,
    TaxMismatch,
)
from services.domain.ids import LineId, PaymentId, StoreId, derived_id
from services.domain.invoice import Buyer, BuyerKind, Document, DocumentCause, DocumentKind
from services.domain.money import Money
from services.domain.order import OrderAsSold, Payment
from services.domain.refund import RefundPart
from tests.builders import NOW, STORE, a_line, an_intent, an_order

PERSON = Buyer(BuyerKind.INDIVIDUAL, "17850", "17850@example.com")
FIRM = Buyer(BuyerKind.ORGANIZATION, "Example Ltd", "17850@example.com", "GB123456789")
OTHER = StoreId("other")


def invoice_id(name: str = "first") -> str:
    return derived_id("IN-7K3M-9QX1", name)


@pytest.fixture
def documents(payment_channel) -> DocumentClient:
    return DocumentClient(payment_channel)


@pytest.fixture
def sold(payments):
    """Register an order of six lanterns, 2.55 each with 20 % VAT within; its order id as told."""

    async def sell(order_id: str = "536365", method: str = "card", **changes: Any) -> OrderAsSold:
        tender = Payment(PaymentId(f"pay_{order_id}"), "sandbox", method, 1530, NOW)
        order = an_order(order_id=order_id, payments=(tender,), **changes)
        await payments.register(payments_of(order))
        return order

    return sell


@pytest.fixture
def notes_of(documents):
    """Wait for an order's documents to be so many, and return them."""

    async def wait(count: int, order_id: str = "536365", store_id: str = STORE) -> list[Document]:
        async with asyncio.timeout(60):
            while len(found := await documents.of_order(store_id, order_id)) < count:
                await asyncio.sleep(0.05)
        return found

    return wait


@pytest.mark.rule("S031")
async def test_only_what_was_paid_is_invoiced(documents, payments):
    """Neither an order nobody knows, nor one paid in part, nor another version of it."""
    order = an_order()
    with pytest.raises(OrderNotPaid):
        await documents.issue(invoice_id(), order, PERSON, NOW)
    await payments.register(replace(payments_of(order), payments=()))
    with pytest.raises(OrderNotPaid):
        await documents.issue(invoice_id(), order, PERSON, NOW)
    await payments.register(replace(payments_of(order), version=2))

    with pytest.raises(OrderVersionConflict):
        await documents.issue(invoice_id(), order, PERSON, NOW)
    issued = await documents.issue(invoice_id(), replace(order, version=2), PERSON, NOW)
    assert issued.draft.total == Money(1530, "GBP")


async def test_an_invoice_says_what_was_sold(documents, sold):
    """Its lines, its VAT, its buyer; dated by the wall, with the case's time beside."""
    issued = await documents.issue(invoice_id(), await sold(), FIRM, NOW)

    (line,) = issued.draft.lines
    assert (line.title, line.quantity, line.rate, line.net, line.tax) == ("A LANTERN", 6, "20", 1275, 255)
    assert (issued.draft.buyer.title, issued.draft.buyer.tax_id) == ("Example Ltd", "GB123456789")
    assert issued.draft.buyer.address is not None
    assert (issued.draft.kind, issued.draft.cause) == (DocumentKind.INVOICE, DocumentCause.SALE)
    assert issued.number == f"INV-{issued.issued_at.year}-000001"
    assert issued.draft.business_at == NOW != issued.issued_at
    assert await documents.get(STORE, invoice_id()) == issued
    assert await documents.of_order(STORE, "536365") == [issued]


@pytest.mark.rule("S032")
@pytest.mark.parametrize(
    ("buyer", "refusal", "pointer"),
    [
        (replace(FIRM, tax_id=""), TaxIdInvalid, "/buyer/tax_id"),
        (replace(FIRM, tax_id="GB12"), TaxIdInvalid, "/buyer/tax_id"),
        (replace(PERSON, title=" "), InvalidArgument, "/buyer/title"),
    ],
)
async def test_a_buyer_has_a_title_and_an_organization_a_tax_id(documents, sold, buyer, refusal, pointer):
    """What is wrong with the buyer is said before anything is numbered."""
    with pytest.raises(refusal) as caught:
        await documents.issue(invoice_id(), await sold(), buyer, NOW)

    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert await documents.of_order(STORE, "536365") == []


async def test_what_cannot_be_said_rightly_is_not_said(documents, sold, payments):
    """A tax that is not what its rate comes to, and a store nobody sells in."""
    with pytest.raises(TaxMismatch):
        await documents.issue(invoice_id(), await sold("1", lines=(a_line(tax=300),)), PERSON, NOW)
    stranger = replace(an_order(order_id="2"), store_id=StoreId("unheard-of"))
    await payments.register(payments_of(stranger))

    with pytest.raises(SellerUnknown):
        await documents.issue(invoice_id(), stranger, PERSON, NOW)


async def test_an_id_stands_for_one_invoice(documents, sold):
    """A repeat is answered alike; the same id for something else is refused, also for another order."""
    order = await sold()
    issued = await documents.issue(invoice_id(), order, PERSON, NOW)

    assert await documents.issue(invoice_id(), order, PERSON, NOW) == issued
    for other in ((order, FIRM), (await sold("2"), PERSON)):
        with pytest.raises(IdempotencyConflict):
            await documents.issue(invoice_id(), *other, NOW)
    assert len(await documents.of_order(STORE, "536365")) == 1


async def test_twenty_requests_for_one_invoice_make_one(documents, sold):
    """Whoever comes first, all get the same document."""
    order = await sold()

    asked = [documents.issue(invoice_id(), order, PERSON, NOW) for _ in range(20)]
    assert len({issued.number for issued in await asyncio.gather(*asked)}) == 1


async def test_an_order_has_one_invoice_at_a_time(documents, sold):
    """Of ten under ten ids one is issued; after it has been replaced, another may be."""
    order = await sold()
    asked = [documents.issue(invoice_id(str(number)), order, PERSON, NOW) for number in range(10)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    (first,) = [outcome for outcome in outcomes if isinstance(outcome, Document)]
    assert sum(isinstance(outcome, OrderAlreadyInvoiced) for outcome in outcomes) == 9
    credit = await documents.credit(invoice_id("credit"), STORE, first.draft.document_id, NOW)
    again = await documents.issue(invoice_id("again"), order, FIRM, NOW)
    assert (credit.draft.total, credit.draft.about) == (first.draft.total, first.reference)
    assert credit.draft.cause is DocumentCause.REISSUE
    assert again.number.endswith("-000002")


async def test_a_series_has_no_gap_whatever_fails(documents, sold):
    """Twenty at once, each asked for twice, and twenty that are refused: 1, 2, 3 and so on."""
    orders = [await sold(str(number)) for number in range(20)]
    bad = replace(PERSON, title="")
    asked = [documents.issue(invoice_id(one.order_id), one, PERSON, NOW) for one in orders for _ in range(2)]
    asked += [documents.issue(invoice_id(f"bad-{one.order_id}"), one, bad, NOW) for one in orders]

    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    numbers = {outcome.number[-6:] for outcome in outcomes if isinstance(outcome, Document)}
    assert sorted(numbers) == [f"{number:06}" for number in range(1, 21)]


async def test_each_store_counts_on_its_own(documents, sold):
    """And each kind of document."""
    first = await documents.issue(invoice_id("1"), await sold("1"), PERSON, NOW)
    other = await documents.issue(invoice_id("2"), await sold("2", store_id=OTHER), PERSON, NOW)
    credit = await documents.credit(invoice_id("3"), STORE, invoice_id("1"), NOW)

    assert [one.number[-6:] for one in (first, other, credit)] == ["000001"] * 3
    with pytest.raises(InvoiceNotFound):
        await documents.get(OTHER, first.draft.document_id)
    with pytest.raises(InvoiceNotFound):
        await documents.credit(invoice_id("4"), OTHER, first.draft.document_id, NOW)
    assert await documents.of_order(OTHER, "1") == []


async def test_documents_never_change(documents, sold, database):
    """Not even behind the service's back."""
    await documents.issue(invoice_id(), await sold(), PERSON, NOW)
    connection = await database("payment")

    for change in ("UPDATE documents SET total = 1", "DELETE FROM documents", "TRUNCATE documents CASCADE"):
        with pytest.raises(asyncpg.RaiseError, match="never changed"):
            await connection.execute(change)


async def test_a_refund_of_an_invoiced_order_is_credited(documents, sold, payments, notes_of):
    """By itself, for what the refund was for; the note names its invoice and its refund."""
    invoice = await documents.issue(invoice_id(), await sold(), PERSON, NOW)
    await payments.issue(an_intent())

    _, note = await notes_of(2)

    assert (note.draft.kind, note.draft.cause) == (DocumentKind.CREDIT_NOTE, DocumentCause.REFUND)
    assert (note.draft.about, note.draft.refund_id) == (invoice.reference, an_intent().refund_id)
    assert [(line.line_id, line.net, line.tax) for line in note.draft.lines] == [("1", 212, 43)]
    assert note.draft.case_id == an_intent().case_id


async def test_what_was_refunded_before_the_invoice_is_credited_to_it(documents, sold, payments, notes_of):
    """The invoice says what was sold, the note what went back, in whatever order they come."""
    order = await sold()
    await payments.issue(an_intent())

    await documents.issue(invoice_id(), order, PERSON, NOW)

    _, note = await notes_of(2)
    assert note.draft.total == Money(255, "GBP")


async def test_partial_refunds_add_up_to_the_invoice(documents, sold, payments, notes_of):
    """Six lanterns back in any parts: net and VAT come out exactly."""
    invoice = await documents.issue(invoice_id(), await sold(), PERSON, NOW)
    for number, amount in enumerate((255, 1, 2, 500, 772)):
        await payments.issue(an_intent(f"s{number}", amount=amount))

    found = await notes_of(6)

    notes = [note.draft for note in found if note.draft.kind is DocumentKind.CREDIT_NOTE]
    assert sum(note.net.minor_units for note in notes) == invoice.draft.net.minor_units
    assert sum(note.tax.minor_units for note in notes) == invoice.draft.tax.minor_units
    with pytest.raises(CreditExceedsInvoice):
        await documents.credit(invoice_id("more"), STORE, invoice_id(), NOW)


async def test_a_refund_that_the_bank_returns_is_debited(documents, sold, payments, notes_of, letter):
    """The credit note said that money went back: a debit note takes it back, and credit is free again."""
    await documents.issue(invoice_id(), await sold(), PERSON, NOW)
    refund = await payments.issue(an_intent())
    credit = (await notes_of(2))[-1]

    told = letter("evt_late", id=refund.provider_refund_id, status="failed", failure_reason="expired_card")
    await payments.receive_webhook("sandbox", *told)

    debit = (await notes_of(3))[-1]
    assert (debit.draft.kind, debit.draft.cause) == (
        DocumentKind.DEBIT_NOTE,
        DocumentCause.REFUND_RETURNED,
    )
    assert (debit.draft.about, debit.draft.lines) == (credit.reference, credit.draft.lines)
    everything = await documents.credit(invoice_id("all"), STORE, invoice_id(), NOW)
    assert everything.draft.total == Money(1530, "GBP")


async def test_a_refund_that_failed_before_its_note_needs_none(documents, sold, payments, database, letter):
    """What is due is looked at as it stands: nothing was credited, so nothing is taken back."""
    order = await sold()
    refund = await payments.issue(an_intent())
    told = letter("evt_late", id=refund.provider_refund_id, status="failed", failure_reason="expired_card")
    await payments.receive_webhook("sandbox", *told)
    await documents.issue(invoice_id(), order, PERSON, NOW)

    connection = await database("payment")
    async with asyncio.timeout(60):
        while await connection.fetchval("SELECT count(*) FROM document_dues WHERE done_at IS NULL"):
            await asyncio.sleep(0.05)
    assert len(await documents.of_order(STORE, "536365")) == 1


async def test_a_reissued_invoice_is_credited_what_the_old_one_was(documents, sold, payments, notes_of):
    """After a refund of one lantern and a replacement, both invoices together say five lanterns."""
    order = await sold()
    await documents.issue(invoice_id(), order, PERSON, NOW)
    await payments.issue(an_intent())
    await notes_of(2)

    await documents.credit(invoice_id("credit"), STORE, invoice_id(), NOW)
    await documents.issue(invoice_id("anew"), order, FIRM, NOW)

    found = await notes_of(5)
    signs = {DocumentKind.INVOICE: 1, DocumentKind.CREDIT_NOTE: -1, DocumentKind.DEBIT_NOTE: 1}
    assert sum(signs[one.draft.kind] * one.draft.total.minor_units for one in found) == 1530 - 255
    assert found[-1].draft.about == found[-2].reference


async def test_a_refund_nobody_here_asked_for_is_credited(documents, sold, sandbox, notes_of):
    """Given back in the provider's dashboard: no lines are named, so all that are left share it."""
    await documents.issue(invoice_id(), await sold(), PERSON, NOW)
    await sandbox.refund_by_hand("pay_536365", 300)

    _, note = await notes_of(2)

    assert (note.draft.total, note.draft.cause) == (Money(300, "GBP"), DocumentCause.REFUND)


async def test_a_refund_that_does_not_succeed_is_not_credited(documents, sold, payments, database):
    """Declined money never went back."""
    await documents.issue(invoice_id(), await sold(method="card_refund_declined"), PERSON, NOW)

    assert (await payments.issue(an_intent())).status is RefundStatus.FAILED

    connection = await database("payment")
    assert await connection.fetchval("SELECT count(*) FROM document_dues") == 0


@pytest.fixture
async def uncreditable(documents, sold, payments) -> str:
    """A refund of a line that the invoice does not know: the order was changed after it. Its id."""
    order = await sold()
    await documents.issue(invoice_id(), order, PERSON, NOW)
    changed = replace(order, version=2, lines=(a_line("2", tax=255),))
    await payments.register(payments_of(changed))
    odd = await payments.issue(an_intent("odd", parts=(RefundPart(255, LineId("2")),)))
    return odd.intent.refund_id


@pytest.fixture
def refund_another(documents, sold, payments) -> Callable[[], Awaitable[None]]:
    """Refund order 2, which was invoiced."""

    async def refund() -> None:
        await documents.issue(invoice_id("2"), await sold("2"), PERSON, NOW)
        other = an_intent("fine", payment_id="pay_2", order_id="2", case_id="RT-0000-0000")
        await payments.issue(replace(other, refund_id=invoice_id("r")))

    return refund


async def test_what_cannot_be_credited_is_kept_and_holds_up_nobody(
    uncreditable, refund_another, documents, notes_of, database, broken
):
    """The next in line gets its note; finance hears of the first after an hour."""
    await refund_another()

    await notes_of(2, "2")

    connection = await database("payment")
    (row,) = await connection.fetch("SELECT problem, done_at FROM document_dues WHERE done_at IS NULL")
    assert row["problem"] == "CREDIT_EXCEEDS_INVOICE"
    assert len(await documents.of_order(STORE, "536365")) == 1
    assert await broken() == {}
    await connection.execute("UPDATE document_dues SET due_at = now() - interval '2 hours'")
    assert await broken() == {"refunds_have_their_notes": (uncreditable,)}


@pytest.mark.usefixtures("uncreditable")
async def test_what_was_tried_in_vain_for_years_holds_up_nobody(refund_another, notes_of, database):
    """However often that was."""
    connection = await database("payment")
    await connection.execute("UPDATE document_dues SET attempts = 5000, try_at = now()")

    await refund_another()

    assert len(await notes_of(2, "2")) == 2


async def test_the_books_notice_documents_that_do_not_add_up(documents, sold, database, broken):
    """A number missing, and more credited than invoiced, planted where nothing guards."""
    await documents.issue(invoice_id(), await sold(), PERSON, NOW)
    credit = await documents.credit(invoice_id("credit"), STORE, invoice_id(), NOW)
    assert await broken() == {}
    connection = await database("payment")

    await connection.execute("ALTER TABLE documents DISABLE TRIGGER ALL")
    await connection.execute("UPDATE documents SET total = 1531, position = 2 WHERE kind = 'credit_note'")

    series = f"credit_note {credit.issued_at.year}"
    invoice = (await documents.get(STORE, invoice_id())).number
    assert await broken() == {
        "credits_within_invoices": (invoice,),
        "document_series_without_gaps": (series,),
    }
