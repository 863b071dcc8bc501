"""`InvoiceService` on the wire."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from recourse.payment.v1 import documents_pb2 as pb
from recourse.payment.v1 import documents_pb2_grpc
from services.domain.invoice import Document
from services.payment.documents.issuing import CreditRequest, InvoiceRequest, Issuing
from services.payment.documents.rendering.cii import cii
from services.payment.documents.rendering.pdf import pdf
from services.payment.documents.rendering.ubl import ubl
from services.platform.grpc_server import Context, Mounted
from services.platform.wire import from_wire, to_wire

_FORMATS: Final[Mapping[int, Callable[[Document], bytes]]] = {
    pb.DOCUMENT_FORMAT_PDF: pdf,
    pb.DOCUMENT_FORMAT_UBL: ubl,
    pb.DOCUMENT_FORMAT_CII: cii,
}


class InvoiceServicer(documents_pb2_grpc.InvoiceServiceServicer):
    def __init__(self, issuing: Issuing) -> None:
        self._issuing = issuing

    async def IssueInvoice(
        self, request: pb.IssueInvoiceRequest, context: Context
    ) -> pb.IssueInvoiceResponse:
        document = await self._issuing.invoice(from_wire(request, InvoiceRequest))
        return pb.IssueInvoiceResponse(document=to_wire(document, pb.Document))

    async def CreditInvoice(
        self, request: pb.CreditInvoiceRequest, context: Context
    ) -> pb.CreditInvoiceResponse:
        document = await self._issuing.store.credit(from_wire(request, CreditRequest))
        return pb.CreditInvoiceResponse(document=to_wire(document, pb.Document))

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Context) -> pb.GetDocumentResponse:
        document = await self._issuing.store.get(request.store_id, request.document_id)
        return pb.GetDocumentResponse(document=to_wire(document, pb.Document))

    async def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        documents = await self._issuing.store.of_order(request.store_id, request.order_id)
        return pb.ListDocumentsResponse(documents=[to_wire(one, pb.Document) for one in documents])

    async def RenderDocument(
        self, request: pb.RenderDocumentRequest, context: Context
    ) -> pb.RenderDocumentResponse:
        document = await self._issuing.store.get(request.store_id, request.document_id)
        # Setting a page takes a tenth of a second of computing: in a thread, nobody else waits for it.
        content = await asyncio.to_thread(_FORMATS[request.format], document)
        return pb.RenderDocumentResponse(content=content)


def mount_documents(issuing: Issuing) -> Mounted:
    servicer = InvoiceServicer(issuing)
    name = pb.DESCRIPTOR.services_by_name["InvoiceService"].full_name
    return Mounted(
        name, lambda server: documents_pb2_grpc.add_InvoiceServiceServicer_to_server(servicer, server)
    )
