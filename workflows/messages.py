"""What a case is told: the request that opens it, and the commands and facts it takes.

Temporal stores these, so they are a format: members are only ever added, always with a default.
Commands are updates and answer with the case's snapshot; facts (`services.domain.facts.Fact`) are
delivered by the signal ``learn``.
"""

from dataclasses import dataclass, field
from datetime import datetime

from services.domain.case import Actor, CaseKind, RefundTo, RequestedLine
from services.domain.ids import CaseId, CustomerId, OrderId, StoreId


@dataclass(frozen=True, slots=True)
class ReturnDetails:
    refund_to: RefundTo = RefundTo.ORIGINAL


@dataclass(frozen=True, slots=True)
class OpenCase:
    """The request that opens a case; ``locale`` is the customer's."""

    case_id: CaseId
    kind: CaseKind
    store_id: StoreId
    order_id: OrderId
    customer_id: CustomerId
    opened_by: Actor
    channel: str
    note: str
    currency: str
    locale: str
    lines: tuple[RequestedLine, ...]
    return_: ReturnDetails = field(default_factory=ReturnDetails)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case ended: its outcome, or why (a stable reason) it could not be opened at all."""

    outcome: str | None = None
    refused: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RegisterParcel:
    """Update ``register_parcel``: the customer says how the goods travel."""

    actor: Actor
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True)
class AddEvidence:
    """Update ``add_evidence``: a stored file belongs to the case."""

    actor: Actor
    evidence_id: str
    kind: str
    content_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class AddMessage:
    """Update ``add_message``: the customer or staff wrote something."""

    actor: Actor
    text: str


@dataclass(frozen=True, slots=True)
class Choose:
    """Update ``choose``: one of the case's options."""

    actor: Actor
    option_id: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Update ``confirm``: the answer to what the case asks to confirm; ``score`` is 1 to 5."""

    actor: Actor
    ok: bool
    score: int | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Update ``withdraw``: the customer does not want it any more."""

    actor: Actor
    reason: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """Update ``escalate``: the customer does not accept a refusal."""

    actor: Actor
    reason: str


@dataclass(frozen=True, slots=True)
class CompleteTask:
    """Update ``complete_task``: a person's decision; exactly one is taken per task."""

    actor: Actor
    task_id: str
    outcome: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Extend:
    """Update ``extend``: staff move the present deadline, with a reason."""

    actor: Actor
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Updates ``pause`` and ``resume``: staff stop and restart the case's clock, with a reason."""

    actor: Actor
    reason: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Update ``assign``: offer the case to a new owner, who accepts by a task."""

    actor: Actor
    to: str
    reason: str


@dataclass(frozen=True, slots=True)
class AddNote:
    """Update ``add_note``: a note for staff."""

    actor: Actor
    text: str
