"""The client of `InvoiceService`, the payment service's documents."""

from datetime import datetime
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from recourse.order.v1 import types_pb2 as order_pb
from recourse.payment.v1 import documents_pb2 as pb
from recourse.payment.v1 import documents_pb2_grpc
from services.domain.ids import CaseId
from services.domain.invoice import Buyer, Document, DocumentFormat
from services.domain.order import OrderAsSold
from services.platform.grpc_channel import call
from services.platform.wire import from_wire, to_wire

# A read or one short transaction.
_SECONDS: Final = 3.0
# A page is set meanwhile.
_RENDER_SECONDS: Final = 10.0


class DocumentClient:
    """Speaks domain values; raises the domain's errors (see the proto's comments for which)."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = documents_pb2_grpc.InvoiceServiceStub(channel)

    async def issue(
        self, invoice_id: str, order: OrderAsSold, buyer: Buyer, at: datetime, case_id: CaseId | None = None
    ) -> Document:
        """Issue a paid order's invoice, at most once per id (derived from its case).

        Raises:
            OrderNotPaid, OrderVersionConflict, OrderAlreadyInvoiced, TaxIdInvalid, TaxMismatch,
            SellerUnknown, InvalidArgument, IdempotencyConflict
        """
        request = pb.IssueInvoiceRequest(
            invoice_id=invoice_id,
            order=to_wire(order, order_pb.OrderAsSold),
            buyer=to_wire(buyer, pb.Buyer),
            business_at=_stamp(at),
            case_id=case_id,
        )
        answer = await call(self._stub.IssueInvoice, request, pb.IssueInvoiceResponse, seconds=_SECONDS)
        return from_wire(answer.document, Document)

    async def credit(
        self,
        credit_note_id: str,
        store_id: str,
        invoice_id: str,
        at: datetime,
        case_id: CaseId | None = None,
    ) -> Document:
        """Credit all that is left of an invoice, so that its order can be invoiced anew.

        Raises:
            InvoiceNotFound, CreditExceedsInvoice, IdempotencyConflict
        """
        request = pb.CreditInvoiceRequest(
            credit_note_id=credit_note_id,
            store_id=store_id,
            invoice_id=invoice_id,
            business_at=_stamp(at),
            case_id=case_id,
        )
        answer = await call(self._stub.CreditInvoice, request, pb.CreditInvoiceResponse, seconds=_SECONDS)
        return from_wire(answer.document, Document)

    async def get(self, store_id: str, document_id: str) -> Document:
        request = pb.GetDocumentRequest(store_id=store_id, document_id=document_id)
        answer = await call(self._stub.GetDocument, request, pb.GetDocumentResponse, seconds=_SECONDS)
        return from_wire(answer.document, Document)

    async def of_order(self, store_id: str, order_id: str) -> list[Document]:
        """Return an order's documents, oldest first."""
        request = pb.ListDocumentsRequest(store_id=store_id, order_id=order_id)
        answer = await call(self._stub.ListDocuments, request, pb.ListDocumentsResponse, seconds=_SECONDS)
        return [from_wire(document, Document) for document in answer.documents]

    async def render(self, store_id: str, document_id: str, form: DocumentFormat) -> bytes:
        """Return a document as a file, the same bytes each time.

        Raises:
            InvoiceNotFound: If there is none.
            DocumentNotRenderable: If the format cannot say it.
        """
        request = pb.RenderDocumentRequest(
            store_id=store_id,
            document_id=document_id,
            format=pb.DocumentFormat.Value(f"DOCUMENT_FORMAT_{form.name}"),
        )
        answer = await call(
            self._stub.RenderDocument, request, pb.RenderDocumentResponse, seconds=_RENDER_SECONDS
        )
        return answer.content


def _stamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
