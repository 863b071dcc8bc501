"""Whatever dies while documents are written: no number is missing, no note is lost, none is written twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.clients.documents import DocumentClient
from services.domain.amounts import payments_of
from services.domain.errors import DependencyUnavailable
from services.domain.ids import derived_id
from services.domain.invoice import Buyer, BuyerKind, DocumentKind, Seller
from services.payment.documents.crediting import Crediting
from services.payment.documents.issuing import InvoiceRequest, Issuing
from services.payment.documents.repository import DocumentRepository
from services.payment.providers.card_wire import CardWireProvider
from services.payment.refunds import Refunds
from services.payment.repository.refunds import RefundRepository
from services.platform.database import Pool, open_pool
from tests.builders import NOW, STORE, a_line, an_address, an_intent, an_order
from tests.fixtures.sandbox import API_KEY, WEBHOOK_SECRET

pytestmark = [pytest.mark.chaos, pytest.mark.heavy]

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
# Returns when they are gone: nobody is to be given a connection that ends only later.
CUT = """
SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = 'recourse-payment'
"""
OPEN = "SELECT count(*) FROM document_dues WHERE done_at IS NULL"
TAKE_A_NUMBER = """
INSERT INTO document_series (store_id, kind, year, last_number, last_issued_at)
VALUES ($1, 'invoice', extract(year FROM now())::integer, 1, now())
"""
PERSON = Buyer(BuyerKind.INDIVIDUAL, "17850")
ORDER = an_order(a_line(tax=255))
REQUEST = InvoiceRequest(derived_id("IN-7K3M-9QX1"), ORDER, PERSON, NOW)


@pytest.fixture
async def pool(fresh_database) -> AsyncIterator[Pool]:
    pool = await open_pool(await fresh_database("payment"), "payment")
    yield pool
    await pool.close()


@pytest.fixture
async def refunds(pool, sandbox) -> AsyncIterator[Refunds]:
    """Refunds in a process whose loop of notes does not run; the order was paid."""
    provider = CardWireProvider(sandbox.url, API_KEY, WEBHOOK_SECRET, 60)
    refunds = Refunds(RefundRepository(pool), {"sandbox": provider})
    await refunds.register(payments_of(ORDER))
    yield refunds
    await provider.close()


@pytest.fixture
def issuing(pool) -> Issuing:
    return Issuing(DocumentRepository(pool), {STORE: Seller("Demo Gifts Ltd", "GB123456789", an_address())})


async def until(watcher, query: str) -> None:
    """Wait until a count is not zero."""
    async with asyncio.timeout(60):
        while not await watcher.fetchval(query):
            await asyncio.sleep(0.01)


async def test_a_number_that_was_taken_in_vain_is_taken_again(payment_channel, payments, database):
    """The connection is cut between the number and the document: the next one has it."""
    documents = DocumentClient(payment_channel)
    await payments.register(payments_of(ORDER))
    connection, watcher = await database("payment"), await database("payment")
    async with connection.transaction():
        await connection.execute("LOCK TABLE documents IN EXCLUSIVE MODE")
        waiting = asyncio.create_task(documents.issue(REQUEST.invoice_id, ORDER, PERSON, NOW))
        await until(watcher, WAITING)
        await watcher.execute(CUT)
        with pytest.raises(DependencyUnavailable):
            await waiting

    issued = await documents.issue(REQUEST.invoice_id, ORDER, PERSON, NOW)

    assert issued.number.endswith("-000001")


async def test_whoever_waits_for_a_number_gets_the_next_one(refunds, issuing, database):
    """One is rolled back in the middle while nine wait for it: 1 to 9."""
    orders = [
        replace(ORDER, order_id=str(number), payments=(replace(ORDER.payments[0], payment_id=f"p{number}"),))
        for number in range(9)
    ]
    for order in orders:
        await refunds.register(payments_of(order))
    connection, watcher = await database("payment"), await database("payment")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(TAKE_A_NUMBER, STORE)
    asked = [
        asyncio.create_task(
            issuing.invoice(replace(REQUEST, invoice_id=derived_id(order.order_id), order=order))
        )
        for order in orders
    ]
    await until(watcher, WAITING)
    await transaction.rollback()

    numbers = sorted(issued.number[-6:] for issued in await asyncio.gather(*asked))

    assert numbers == [f"{number:06}" for number in range(1, 10)]


async def test_a_note_is_written_after_whatever_died(pool, refunds, issuing):
    """The refund is settled and the process gone: whoever starts next finds what is due."""
    await issuing.invoice(REQUEST)
    await refunds.issue(an_intent())
    assert len(await issuing.store.of_order(STORE, ORDER.order_id)) == 1

    await Crediting(DocumentRepository(pool), 1).work_off()

    _, note = await issuing.store.of_order(STORE, ORDER.order_id)
    assert note.draft.refund_id == an_intent().refund_id
    assert await pool.fetchval(OPEN) == 0


async def test_a_death_in_the_middle_of_a_note_leaves_nothing_half_done(pool, refunds, issuing, database):
    """Its number was taken when the process died: the note is written once, with that number."""
    await issuing.invoice(REQUEST)
    await refunds.issue(an_intent())
    crediting = Crediting(DocumentRepository(pool), 1)
    connection, watcher = await database("payment"), await database("payment")
    async with connection.transaction():
        await connection.execute("LOCK TABLE documents IN EXCLUSIVE MODE")
        dying = asyncio.create_task(crediting.work_off())
        await until(watcher, WAITING)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    assert await pool.fetchval(OPEN) == 1

    await crediting.work_off()

    assert [one.number[-6:] for one in await issuing.store.of_order(STORE, ORDER.order_id)] == ["000001"] * 2


async def test_a_refund_settles_while_its_order_s_documents_are_written(pool, refunds, issuing, database):
    """Somebody holds the order's documents: the money moves all the same, and its note comes after."""
    await issuing.invoice(REQUEST)
    connection = await database("payment")
    async with connection.transaction():
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 2))", STORE, ORDER.order_id
        )
        await connection.execute("SELECT FROM document_series FOR UPDATE")
        async with asyncio.timeout(30):
            await refunds.issue(an_intent())

    await Crediting(DocumentRepository(pool), 1).work_off()
    assert len(await issuing.store.of_order(STORE, ORDER.order_id)) == 2


async def test_many_workers_write_each_note_once(pool, refunds, issuing):
    """Twelve refunds, each due twice, and six workers: twelve notes, numbered without a gap, adding up."""
    await issuing.invoice(REQUEST)
    for number in range(12):
        await refunds.issue(an_intent(f"s{number}", amount=100))
    await pool.execute("INSERT INTO document_dues (refund_id) SELECT refund_id FROM refunds")

    await asyncio.gather(*(Crediting(DocumentRepository(pool), 1).work_off() for _ in range(6)))

    notes = (await issuing.store.of_order(STORE, ORDER.order_id))[1:]
    assert {note.draft.kind for note in notes} == {DocumentKind.CREDIT_NOTE}
    assert len({note.draft.refund_id for note in notes}) == len(notes) == 12
    assert sorted(int(note.number[-6:]) for note in notes) == list(range(1, 13))
    assert sum(note.draft.tax.minor_units for note in notes) == 200


async def test_an_invoice_and_a_refund_at_once_are_never_without_a_note(pool, refunds, issuing):
    """Issued, refunded and worked off at the same time, again and again: one note in the end."""
    orders = [
        replace(ORDER, order_id=str(number), payments=(replace(ORDER.payments[0], payment_id=f"p{number}"),))
        for number in range(8)
    ]
    crediting = Crediting(DocumentRepository(pool), 1)
    for order in orders:
        await refunds.register(payments_of(order))
    for order in orders:
        intent = an_intent(order.order_id, payment_id=f"p{order.order_id}", order_id=order.order_id)
        request = replace(REQUEST, invoice_id=derived_id(order.order_id), order=order)
        await asyncio.gather(
            issuing.invoice(request), refunds.issue(intent), crediting.work_off(), crediting.work_off()
        )

    await crediting.work_off()

    found = [len(await issuing.store.of_order(STORE, order.order_id)) for order in orders]
    assert found == [2] * 8
