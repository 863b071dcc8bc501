"""Issuing: an order that was paid becomes an invoice, once, and may be replaced by a right one.

The credit note of a refund is nobody's request: see `crediting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.domain.errors import SellerUnknown
from services.domain.ids import CaseId, DocumentId, StoreId
from services.domain.invoice import Buyer, Document, DocumentCause, DocumentKind, Draft, Seller
from services.domain.invoicing import check_buyer, invoice_lines
from services.domain.order import OrderAsSold


@dataclass(frozen=True, slots=True)
class InvoiceRequest:
    """``invoice_id`` is the caller's, derived from its case; ``business_at`` the case's time."""

    invoice_id: DocumentId
    order: OrderAsSold
    buyer: Buyer
    business_at: datetime
    case_id: CaseId | None = None


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """All that is left of an invoice is to be credited, so that its order can be invoiced anew."""

    credit_note_id: DocumentId
    store_id: StoreId
    invoice_id: DocumentId
    business_at: datetime
    case_id: CaseId | None = None


class DocumentStore(Protocol):
    """Where documents are kept; every method is one transaction."""

    async def issue(self, draft: Draft, request: InvoiceRequest) -> Document: ...
    async def credit(self, request: CreditRequest) -> Document: ...
    async def get(self, store_id: str, document_id: str) -> Document: ...
    async def of_order(self, store_id: str, order_id: str) -> list[Document]: ...


@dataclass(frozen=True, slots=True)
class Issuing:
    """The use cases; ``sellers`` says who sells in which store."""

    store: DocumentStore
    sellers: Mapping[str, Seller]

    async def invoice(self, request: InvoiceRequest) -> Document:
        """Issue an order's invoice, at most once per id.

        Raises:
            OrderNotPaid, OrderVersionConflict, OrderAlreadyInvoiced: If the order cannot be invoiced now.
            TaxIdInvalid, TaxMismatch, SellerUnknown, InvalidArgument: If no right invoice can be made of it.
            IdempotencyConflict: If the id stands for another document.
        """
        return await self.store.issue(self._draft(request), request)

    def _draft(self, request: InvoiceRequest) -> Draft:
        order, buyer = request.order, request.buyer
        seller = self.sellers.get(order.store_id)
        if seller is None:
            raise SellerUnknown("nobody has said who sells in this store")
        check_buyer(buyer, (buyer.address or order.shipping.address).country)
        return Draft(
            document_id=DocumentId(request.invoice_id.lower()),
            kind=DocumentKind.INVOICE,
            store_id=order.store_id,
            order_id=order.order_id,
            currency=order.currency,
            seller=seller,
            buyer=_addressed(buyer, order),
            language=order.customer.locale[:2].lower(),
            lines=invoice_lines(order),
            cause=DocumentCause.SALE,
            business_at=request.business_at,
            case_id=request.case_id,
        )


def _addressed(buyer: Buyer, order: OrderAsSold) -> Buyer:
    return Buyer(buyer.kind, buyer.title, buyer.email, buyer.tax_id, buyer.address or order.shipping.address)
