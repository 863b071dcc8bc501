"""Invoices, credit notes and debit notes: as data, as pages, and as EN 16931."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query, Response

from services.domain.errors import InvoiceNotFound, OrderNotFound
from services.domain.invoice import Document, DocumentFormat
from services.gateway.access import AGENTS, CUSTOMER, STORE, Caller, Role, Who
from services.gateway.opening import order_of
from services.gateway.routes.secured import TheCaller, TheGateway, may, secured_router
from services.gateway.schemas.fields import Id, Page
from services.gateway.schemas.invoices import IssuedDocument
from services.gateway.wiring import Gateway

router = secured_router("invoices")
_READERS: tuple[Who, ...] = (STORE, CUSTOMER, *AGENTS, Role.FINANCE, Role.OPS)
InvoiceIdPath = Annotated[UUID, Path()]


async def _visible(gateway: Gateway, caller: Caller, invoice_id: UUID) -> Document:
    """Return a document that exists for the caller.

    Raises:
        InvoiceNotFound: If there is none, or it is another customer's.
    """
    document = await gateway.documents.get(caller.store_id, str(invoice_id))
    if caller.is_customer:
        try:
            await order_of(gateway.orders, caller, document.draft.order_id)
        except OrderNotFound as error:
            raise InvoiceNotFound("there is no such document") from error
    return document


async def _file(gateway: Gateway, document: Document, form: DocumentFormat, media_type: str) -> Response:
    content = await gateway.documents.render(document.draft.store_id, document.draft.document_id, form)
    suffix = "pdf" if form is DocumentFormat.PDF else "xml"
    headers = {"Content-Disposition": f'inline; filename="{document.number}.{suffix}"'}
    return Response(content, media_type=media_type, headers=headers)


@router.get("/invoices", dependencies=[may(*_READERS)])
async def list_invoices(
    order_id: Annotated[Id, Query()], caller: TheCaller, gateway: TheGateway
) -> Page[IssuedDocument]:
    """List the documents of an order, oldest first; one that has none, or is unknown, has an empty list."""
    if caller.is_customer:
        await order_of(gateway.orders, caller, order_id)
    documents = await gateway.documents.of_order(caller.store_id, order_id)
    return Page(data=[IssuedDocument.of(one, gateway.settings.gateway_url) for one in documents])


@router.get(
    "/invoices/{invoice_id}.pdf",
    dependencies=[may(*_READERS)],
    response_class=Response,
    responses={200: {"description": "PDF/A-3.", "content": {"application/pdf": {}}}},
)
async def get_invoice_pdf(invoice_id: InvoiceIdPath, caller: TheCaller, gateway: TheGateway) -> Response:
    """Return a document as PDF/A-3, with the same as Factur-X inside; the same bytes each time.

    In a currency with three digits after the point there is no XML inside: EN 16931 cannot say it.
    """
    document = await _visible(gateway, caller, invoice_id)
    return await _file(gateway, document, DocumentFormat.PDF, "application/pdf")


@router.get(
    "/invoices/{invoice_id}.xml",
    dependencies=[may(*_READERS)],
    response_class=Response,
    responses={200: {"description": "EN 16931.", "content": {"application/xml": {}}}},
)
async def get_invoice_xml(
    invoice_id: InvoiceIdPath,
    caller: TheCaller,
    gateway: TheGateway,
    syntax: Annotated[Literal["ubl", "cii"], Query(description="Which of EN 16931's two syntaxes.")] = "ubl",
) -> Response:
    """Return a document after EN 16931; 422 in a currency that the norm cannot say exactly."""
    document = await _visible(gateway, caller, invoice_id)
    return await _file(gateway, document, DocumentFormat(syntax), "application/xml")


@router.get("/invoices/{invoice_id}", dependencies=[may(*_READERS)])
async def get_invoice(invoice_id: InvoiceIdPath, caller: TheCaller, gateway: TheGateway) -> IssuedDocument:
    """Return a document."""
    document = await _visible(gateway, caller, invoice_id)
    return IssuedDocument.of(document, gateway.settings.gateway_url)
