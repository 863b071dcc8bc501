"""The one family of expected errors, and the one table that says how each crosses a boundary.

    RecourseError
    ├── InvalidArgument          the request is malformed
    ├── Unauthenticated          nobody we know
    ├── PermissionDenied         known, but not allowed
    ├── NotFound                 no such thing (or not yours)
    ├── Conflict                 the present state does not allow it
    ├── Unprocessable            well formed, but can never be done
    ├── ResourceExhausted        too much, too fast
    └── DependencyUnavailable    a service or provider cannot be reached right now

A subclass adds a stable ``reason``; its parent's row in ``ERROR_KINDS`` decides the gRPC status, the
HTTP status and whether a retry may help. Everything else that is raised is a bug and must not be caught.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final


class ErrorKind(StrEnum):
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNPROCESSABLE = "unprocessable"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Crossing:
    """How a kind of error looks on the other side of a boundary."""

    grpc_status: str
    http_status: int
    is_retryable: bool


ERROR_KINDS: Final[Mapping[ErrorKind, Crossing]] = MappingProxyType(
    {
        ErrorKind.INVALID: Crossing("INVALID_ARGUMENT", 400, is_retryable=False),
        ErrorKind.UNAUTHENTICATED: Crossing("UNAUTHENTICATED", 401, is_retryable=False),
        ErrorKind.FORBIDDEN: Crossing("PERMISSION_DENIED", 403, is_retryable=False),
        ErrorKind.NOT_FOUND: Crossing("NOT_FOUND", 404, is_retryable=False),
        ErrorKind.CONFLICT: Crossing("FAILED_PRECONDITION", 409, is_retryable=False),
        ErrorKind.UNPROCESSABLE: Crossing("OUT_OF_RANGE", 422, is_retryable=False),
        ErrorKind.EXHAUSTED: Crossing("RESOURCE_EXHAUSTED", 429, is_retryable=True),
        ErrorKind.UNAVAILABLE: Crossing("UNAVAILABLE", 503, is_retryable=True),
    }
)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One fault of one field; ``pointer`` is a JSON pointer into the request body."""

    pointer: str
    code: str
    detail: str


class RecourseError(Exception):
    """An expected failure with a stable reason that crosses every boundary unchanged."""

    reason: ClassVar[str] = "INTERNAL"
    kind: ClassVar[ErrorKind]

    def __init__(self, detail: str, *, problems: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems

    @property
    def is_retryable(self) -> bool:
        return ERROR_KINDS[self.kind].is_retryable


class InvalidArgument(RecourseError):
    """The request is malformed; the caller must change it."""

    reason = "INVALID_ARGUMENT"
    kind = ErrorKind.INVALID


class Unauthenticated(RecourseError):
    """The credentials are missing, forged or expired."""

    reason = "UNAUTHENTICATED"
    kind = ErrorKind.UNAUTHENTICATED


class PermissionDenied(RecourseError):
    """The caller is known but its role does not allow this."""

    reason = "PERMISSION_DENIED"
    kind = ErrorKind.FORBIDDEN


class NotFound(RecourseError):
    """There is no such thing, or it belongs to another store or customer."""

    reason = "NOT_FOUND"
    kind = ErrorKind.NOT_FOUND


class Conflict(RecourseError):
    """The present state does not allow it; it might have been, or may become, possible."""

    reason = "CONFLICT"
    kind = ErrorKind.CONFLICT


class Unprocessable(RecourseError):
    """Well formed, but it cannot be done at all."""

    reason = "UNPROCESSABLE"
    kind = ErrorKind.UNPROCESSABLE


class ResourceExhausted(RecourseError):
    """Too much or too fast; try again later."""

    reason = "RESOURCE_EXHAUSTED"
    kind = ErrorKind.EXHAUSTED


class DependencyUnavailable(RecourseError):
    """A service or provider outside cannot be reached right now; the outcome may be unknown."""

    reason = "DEPENDENCY_UNAVAILABLE"
    kind = ErrorKind.UNAVAILABLE


class OrderNotFound(NotFound):
    reason = "ORDER_NOT_FOUND"


class CaseNotFound(NotFound):
    reason = "CASE_NOT_FOUND"


class PaymentNotFound(NotFound):
    reason = "PAYMENT_NOT_FOUND"


class RefundNotFound(NotFound):
    reason = "REFUND_NOT_FOUND"


class ReturnNotFound(NotFound):
    reason = "RETURN_NOT_FOUND"


class TaskNotFound(NotFound):
    reason = "TASK_NOT_FOUND"


class EvidenceNotFound(NotFound):
    reason = "EVIDENCE_NOT_FOUND"


class PolicyNotFound(NotFound):
    reason = "POLICY_NOT_FOUND"


class InvoiceNotFound(NotFound):
    reason = "INVOICE_NOT_FOUND"


class UnknownWebhookProvider(NotFound):
    """No adapter has this name, so nobody can say what the webhook means."""

    reason = "UNKNOWN_WEBHOOK_PROVIDER"


class WebhookSignatureInvalid(Unauthenticated):
    """The webhook is forged, or too old to be believed."""

    reason = "WEBHOOK_SIGNATURE_INVALID"


class IdempotencyConflict(Conflict):
    """The same id came with another body."""

    reason = "IDEMPOTENCY_CONFLICT"


class OrderVersionConflict(Conflict):
    reason = "ORDER_VERSION_CONFLICT"


class QuantityExceedsRemaining(Conflict):
    """More units were asked for than are neither returned, refunded nor held by a live case."""

    reason = "QUANTITY_EXCEEDS_REMAINING"


class TaskAlreadyCompleted(Conflict):
    reason = "TASK_ALREADY_COMPLETED"


class TaskClaimedByOther(Conflict):
    reason = "TASK_CLAIMED_BY_OTHER"


class CaseClosed(Conflict):
    reason = "CASE_CLOSED"


class ActionNotAllowed(Conflict):
    """The case's phase does not allow this action."""

    reason = "ACTION_NOT_ALLOWED"


class RefundExceedsCaptured(Conflict):
    """The refund would give back more than was captured and is still there."""

    reason = "REFUND_EXCEEDS_CAPTURED"


class RefundExceedsLine(Conflict):
    """The refund would give back more for an order line (or shipping) than was paid for it."""

    reason = "REFUND_EXCEEDS_LINE"


class PaymentDisputed(Conflict):
    """The bank holds the payment's money: what went back now would be paid twice if the dispute is lost."""

    reason = "PAYMENT_DISPUTED"


class StoreCreditExceeded(Conflict):
    """More than the customer has in store credit."""

    reason = "STORE_CREDIT_EXCEEDED"


class PaymentNotCaptured(Conflict):
    reason = "PAYMENT_NOT_CAPTURED"


class StockExceeded(Conflict):
    reason = "STOCK_EXCEEDED"


class InspectionExceedsReceived(Conflict):
    """More units were inspected than have been received."""

    reason = "INSPECTION_EXCEEDS_RECEIVED"


class CreditExceedsInvoice(Conflict):
    """More would be credited than the invoice, or a line of it, has left."""

    reason = "CREDIT_EXCEEDS_INVOICE"


class OrderAlreadyInvoiced(Conflict):
    """The order has an invoice that is not credited in full."""

    reason = "ORDER_ALREADY_INVOICED"


class RedLetterNotConfirmed(Conflict):
    """The red letter's form waits, or was refused, withdrawn or void: then a new serial is needed."""

    reason = "RED_LETTER_NOT_CONFIRMED"


class CurrencyMismatch(Unprocessable):
    reason = "CURRENCY_MISMATCH"


class OrderTotalsMismatch(Unprocessable):
    """The order's parts do not add up to what was paid."""

    reason = "ORDER_TOTALS_MISMATCH"


class UnknownProvider(Unprocessable):
    """No payment provider has this name."""

    reason = "UNKNOWN_PROVIDER"


class UnknownOrderLine(Unprocessable):
    reason = "UNKNOWN_ORDER_LINE"


class OrderNotPaid(Unprocessable):
    reason = "ORDER_NOT_PAID"


class TaxIdInvalid(Unprocessable):
    """An organization without a tax id, or one whose check character is wrong."""

    reason = "TAX_ID_INVALID"


class TaxMismatch(Unprocessable):
    """A tax stated is not what its rate comes to, so no invoice can show it."""

    reason = "TAX_MISMATCH"


class SellerUnknown(Unprocessable):
    """Nobody has said who sells in this store, so no invoice can name the seller."""

    reason = "SELLER_UNKNOWN"


class DocumentNotRenderable(Unprocessable):
    """The format cannot say what the document says (EN 16931 has two decimals at most)."""

    reason = "DOCUMENT_NOT_RENDERABLE"


class PolicyBelowStatute(Unprocessable):
    """A policy document gives less than the law demands."""

    reason = "POLICY_BELOW_STATUTE"


class EvidenceRejected(Unprocessable):
    """The file is too large, or its content is not of an accepted type."""

    reason = "EVIDENCE_REJECTED"


def error_for_reason(reason: str) -> type[RecourseError] | None:
    """Return the class with this ``reason``, or None when it is not one of ours."""
    pending: list[type[RecourseError]] = [RecourseError]
    while pending:
        candidate = pending.pop()
        if candidate.reason == reason and candidate is not RecourseError:
            return candidate
        pending.extend(candidate.__subclasses__())
    return None
