"""Which notes an invoice needs: a credit per refund that succeeded, a debit per credit that proved untrue.

Told by the state, not by the event: asked twice, or late, the answer is the same until it is acted on.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from services.domain.case import RefundStatus
from services.domain.errors import CreditExceedsInvoice
from services.domain.ids import CaseId, DocumentId, RefundId, derived_id
from services.domain.invoice import Document, DocumentCause, DocumentKind, Draft
from services.domain.invoicing import credit_lines, left_of, spread, whole
from services.domain.refund import RefundPart


@dataclass(frozen=True, slots=True)
class RefundTold:
    """A refund as it stands; one that we did not ask for has no ``parts``."""

    refund_id: RefundId
    status: RefundStatus
    amount: int
    parts: tuple[RefundPart, ...]
    at: datetime
    case_id: CaseId | None = None


@dataclass(frozen=True, slots=True)
class Invoiced:
    """An invoice, and the notes about it, oldest first."""

    invoice: Document
    notes: tuple[Document, ...]

    @property
    def is_replaced(self) -> bool:
        """Whether it was credited in full to be issued anew: then it has ended."""
        return any(note.draft.cause is DocumentCause.REISSUE for note in self.notes)

    def note_for(self, refund: RefundTold) -> Draft | None:
        """Return the note that is missing for a refund, if one is.

        Raises:
            CreditExceedsInvoice: If the refund is of more, or of something else, than is left.
        """
        if self.is_replaced:
            return None
        credit = next((note for note in self._standing if note.draft.refund_id == refund.refund_id), None)
        if refund.status is RefundStatus.SUCCEEDED and credit is None:
            return self._credit(refund)
        if refund.status is RefundStatus.FAILED and credit is not None:
            return self._debit(credit, refund)
        return None

    def replacing(self, document_id: DocumentId, at: datetime, case_id: CaseId | None) -> Draft:
        """Return the credit note of all that is left, so that the order can be invoiced anew.

        Raises:
            CreditExceedsInvoice: If nothing is left.
        """
        left = left_of(self.invoice.draft, [note.draft for note in self.notes])
        if self.is_replaced or not any(one.gross for one in left):
            raise CreditExceedsInvoice("nothing is left of the invoice")
        return replace(
            self.invoice.draft,
            document_id=document_id,
            kind=DocumentKind.CREDIT_NOTE,
            lines=credit_lines(left, whole(left)),
            cause=DocumentCause.REISSUE,
            business_at=at,
            about=self.invoice.reference,
            case_id=case_id,
        )

    @property
    def _standing(self) -> list[Document]:
        """Credits that were not taken back."""
        taken_back = {note.draft.about.document_id for note in self.notes if note.draft.about}
        return [
            note
            for note in self.notes
            if note.draft.kind is DocumentKind.CREDIT_NOTE and note.draft.document_id not in taken_back
        ]

    def _credit(self, refund: RefundTold) -> Draft:
        left = left_of(self.invoice.draft, [note.draft for note in self.notes])
        parts = refund.parts or spread(left, refund.amount)
        return replace(
            self.invoice.draft,
            document_id=DocumentId(
                derived_id("credit_note", self.invoice.draft.document_id, refund.refund_id)
            ),
            kind=DocumentKind.CREDIT_NOTE,
            lines=credit_lines(left, parts),
            cause=DocumentCause.REFUND,
            business_at=refund.at,
            about=self.invoice.reference,
            refund_id=refund.refund_id,
            case_id=refund.case_id,
        )

    def _debit(self, credit: Document, refund: RefundTold) -> Draft:
        return replace(
            credit.draft,
            document_id=DocumentId(derived_id("debit_note", credit.draft.document_id)),
            kind=DocumentKind.DEBIT_NOTE,
            cause=DocumentCause.REFUND_RETURNED,
            business_at=refund.at,
            about=credit.reference,
        )
