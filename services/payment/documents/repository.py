"""Documents in their tables; numbers are taken last, in the transaction that uses them."""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.domain.case import RefundStatus
from services.domain.crediting import Invoiced, RefundTold
from services.domain.errors import (
    CurrencyMismatch,
    IdempotencyConflict,
    InvoiceNotFound,
    OrderAlreadyInvoiced,
    OrderNotPaid,
    OrderVersionConflict,
    RecourseError,
)
from services.domain.ids import DocumentId, RefundId
from services.domain.invoice import Document, DocumentKind, Draft, number_of
from services.domain.refund import RefundPart
from services.payment.documents import queries
from services.payment.documents.crediting import RETRY, Due
from services.payment.documents.issuing import CreditRequest, InvoiceRequest
from services.platform.database import Connection, Pool, transaction
from services.platform.documents import fingerprint, from_json, to_json


@dataclass(frozen=True, slots=True)
class _Kept:
    document: Document
    body_hash: bytes
    invoice_id: str | None


class DocumentRepository:
    """Satisfies `issuing.DocumentStore` and `crediting.Dues`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def issue(self, draft: Draft, request: InvoiceRequest) -> Document:
        body_hash = fingerprint(request)
        async with transaction(self._pool) as connection:
            kept = await _of_order(connection, draft.store_id, draft.order_id)
            known = await _known(connection, draft.document_id, body_hash)
            if known is not None:
                return known
            await _check_paid(connection, draft, request.order.version)
            invoiced = _latest(kept)
            if invoiced is not None and not invoiced.is_replaced:
                raise OrderAlreadyInvoiced(f"the order has invoice {invoiced.invoice.number}")
            document = await _insert(connection, draft, body_hash, None)
            await connection.execute(queries.REFUNDS_FALL_DUE, draft.store_id, draft.order_id)
        return document

    async def credit(self, request: CreditRequest) -> Document:
        body_hash = fingerprint(request)
        async with transaction(self._pool) as connection:
            of = await _get(connection, request.store_id, request.invoice_id)
            kept = await _of_order(connection, of.draft.store_id, of.draft.order_id)
            known = await _known(connection, request.credit_note_id, body_hash)
            if known is not None:
                return known
            if of.draft.kind is not DocumentKind.INVOICE:
                raise InvoiceNotFound("there is no such invoice")
            invoiced = _with_notes(of, kept)
            draft = invoiced.replacing(request.credit_note_id, request.business_at, request.case_id)
            return await _insert(connection, draft, body_hash, request.invoice_id)

    async def get(self, store_id: str, document_id: str) -> Document:
        async with self._pool.acquire() as connection:
            return await _get(connection, store_id, document_id)

    async def of_order(self, store_id: str, order_id: str) -> list[Document]:
        rows = await self._pool.fetch(queries.DOCUMENTS_OF_ORDER, store_id, order_id)
        return [_to_kept(row).document for row in rows]

    async def take(self) -> Due | None:
        """Look at one refund that is due: write its note, if one is missing. None when nothing is due."""
        row = None
        try:
            async with transaction(self._pool) as connection:
                row = await connection.fetchrow(queries.TAKE_DUE)
                if row is None:
                    return None
                document = await self._note(connection, str(row["refund_id"]))
                await connection.execute(queries.DUE_DONE, row["due_id"])
                return Due(RefundId(str(row["refund_id"])), document)
        except Exception as error:
            # Whatever it is, it must not keep the others waiting; it is tried again, less and less often.
            if row is None:
                raise
            problem = error.reason if isinstance(error, RecourseError) else type(error).__name__
            await self._pool.execute(queries.DUE_FAILED, row["due_id"], problem, RETRY)
            return Due(RefundId(str(row["refund_id"])), None, problem)

    async def _note(self, connection: Connection, refund_id: str) -> Document | None:
        row = await connection.fetchrow(queries.DUE_REFUND, refund_id)
        assert row is not None
        kept = await _of_order(connection, row["store_id"], row["order_id"])
        invoiced = _latest(kept)
        # Asked again under the lock: the refund may have failed since.
        row = await connection.fetchrow(queries.DUE_REFUND, refund_id)
        draft = invoiced.note_for(_told(refund_id, row)) if invoiced else None
        if invoiced is None or draft is None:
            return None
        return await _insert(connection, draft, fingerprint(draft), invoiced.invoice.draft.document_id)


async def _of_order(connection: Connection, store_id: str, order_id: str) -> list[_Kept]:
    """Lock an order's documents, and return them, oldest first."""
    await connection.execute(queries.LOCK_ORDER_DOCUMENTS, store_id, order_id)
    rows = await connection.fetch(queries.DOCUMENTS_OF_ORDER, store_id, order_id)
    return [_to_kept(row) for row in rows]


def _latest(kept: list[_Kept]) -> Invoiced | None:
    invoices = [one.document for one in kept if one.invoice_id is None]
    return _with_notes(invoices[-1], kept) if invoices else None


def _with_notes(invoice: Document, kept: list[_Kept]) -> Invoiced:
    return Invoiced(
        invoice, tuple(one.document for one in kept if one.invoice_id == invoice.draft.document_id)
    )


async def _known(connection: Connection, document_id: str, body_hash: bytes) -> Document | None:
    """Return the document that this very request made before.

    Raises:
        IdempotencyConflict: If the id stands for another.
    """
    row = await connection.fetchrow(queries.GET_DOCUMENT, document_id)
    if row is None:
        return None
    if row["body_hash"] != body_hash:
        raise IdempotencyConflict("the document was asked for otherwise")
    return _to_kept(row).document


async def _get(connection: Connection, store_id: str, document_id: str) -> Document:
    row = await connection.fetchrow(queries.GET_DOCUMENT, document_id)
    if row is None or row["store_id"] != store_id:
        raise InvoiceNotFound("there is no such document")
    return _to_kept(row).document


async def _check_paid(connection: Connection, draft: Draft, version: int) -> None:
    known = await connection.fetchrow(queries.CAPTURED, draft.store_id, draft.order_id)
    if known is None or known["captured"] < draft.total.minor_units:
        raise OrderNotPaid("the order has not been paid in full")
    if known["version"] != version:
        raise OrderVersionConflict(f"version {known['version']} of the order is known")
    if known["currency"] != draft.currency:
        raise CurrencyMismatch(f"the order was paid in {known['currency']}")


async def _insert(
    connection: Connection, draft: Draft, body_hash: bytes, invoice_id: DocumentId | None
) -> Document:
    row = await connection.fetchrow(queries.NEXT_NUMBER, draft.store_id, draft.kind.value)
    assert row is not None
    number = number_of(draft.kind, row["year"], row["last_number"])
    try:
        await connection.execute(
            queries.INSERT_DOCUMENT,
            draft.document_id,
            draft.store_id,
            draft.order_id,
            draft.kind.value,
            row["year"],
            row["last_number"],
            number,
            invoice_id,
            draft.about.document_id if draft.about else None,
            draft.refund_id,
            draft.currency,
            draft.total.minor_units,
            to_json(draft),
            body_hash,
            row["last_issued_at"],
        )
    except asyncpg.UniqueViolationError as error:
        raise IdempotencyConflict("the id stands for a document of another order") from error
    return Document(draft, number, row["last_issued_at"])


def _to_kept(row: Any) -> _Kept:
    invoice_id = str(row["invoice_id"]) if row["invoice_id"] else None
    document = Document(from_json(row["body"], Draft), row["number"], row["issued_at"])
    return _Kept(document, row["body_hash"], invoice_id)


def _told(refund_id: str, row: Any) -> RefundTold:
    parts = json.loads(row["parts"] or "{}")
    return RefundTold(
        RefundId(refund_id),
        RefundStatus(row["status"]),
        row["amount"],
        tuple(RefundPart(amount, line_id or None) for line_id, amount in parts.items()),
        row["settled_at"] or row["requested_at"],
        row["case_id"],
    )
