"""What every case has: a kind, a phase, an outcome, an owner, and always somebody it waits for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.domain.decision import Decision
from services.domain.ids import (
    CaseId,
    CustomerId,
    LineId,
    OrderId,
    PaymentId,
    RefundId,
    Rma,
    StoreId,
    TaskId,
)
from services.domain.money import Money
from services.domain.order import Address
from services.domain.quote import Quote


class CaseKind(StrEnum):
    RETURN = "return"


PREFIXES: Final[Mapping[CaseKind, str]] = MappingProxyType({CaseKind.RETURN: "RT"})


class CaseStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Reason(StrEnum):
    """Why the customer wants it, in the customer's own choice; never altered by anybody."""

    CHANGED_MIND = "changed_mind"
    WRONG_SIZE = "wrong_size"
    DUPLICATE_ORDER = "duplicate_order"
    DEFECTIVE = "defective"
    NOT_AS_DESCRIBED = "not_as_described"
    WRONG_ITEM = "wrong_item"
    DAMAGED_IN_TRANSIT = "damaged_in_transit"
    MISSING_PARTS = "missing_parts"
    COUNTERFEIT = "counterfeit"
    MISSING_ITEM = "missing_item"
    NOT_RECEIVED = "not_received"
    ARRIVED_LATE = "arrived_late"
    OTHER = "other"


class RefundTo(StrEnum):
    """Where a refund goes; but for the first it is moved by the provider of that name.

    A bank transfer is finance's word alone: nobody can ask for it.
    """

    ORIGINAL = "original"
    STORE_CREDIT = "store_credit"
    BANK_TRANSFER = "bank_transfer"


@dataclass(frozen=True, slots=True)
class RequestedLine:
    """What the customer asks for: so many units of a line, and why."""

    line_id: LineId
    quantity: int
    reason: Reason


class ActorKind(StrEnum):
    CUSTOMER = "customer"
    STORE = "store"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. ``actor_id`` is an account's id, never a name; ``roles`` as in the staff token."""

    kind: ActorKind
    actor_id: str
    roles: tuple[str, ...] = ()


SYSTEM: Final = Actor(ActorKind.SYSTEM, "recourse")


def at_dock(account: str) -> Actor:
    """Return who reported something at the dock; a report without a name is only known to us."""
    return Actor(ActorKind.STAFF, account, ("warehouse",)) if account else SYSTEM


class Party(StrEnum):
    CUSTOMER = "customer"
    MERCHANT = "merchant"
    WAREHOUSE = "warehouse"
    CARRIER = "carrier"
    PROVIDER = "provider"
    BANK = "bank"
    PLATFORM = "platform"
    NOBODY = "nobody"


class Action(StrEnum):
    """What the party is waited for to do."""

    ANSWER = "answer"
    SEND_PARCEL = "send_parcel"
    DELIVER_PARCEL = "deliver_parcel"
    RECORD_RECEIPT = "record_receipt"
    INSPECT_GOODS = "inspect_goods"
    REVIEW = "review"
    MOVE_MONEY = "move_money"
    CHOOSE = "choose"
    ESCALATE = "escalate"
    RATE = "rate"
    RESUME = "resume"
    FOLLOW_UP = "follow_up"


class Then(StrEnum):
    """What happens by itself when the wait is over."""

    APPROVE = "approve"
    REFUSE = "refuse"
    CLOSE_UNRETURNED = "close_unreturned"
    SEARCH_CARRIER = "search_carrier"
    DEEM_RECEIVED = "deem_received"
    ASK_SUPERVISOR = "ask_supervisor"
    DEEM_ACCEPTED = "deem_accepted"
    ASK_PROVIDER = "ask_provider"
    ASK_FINANCE = "ask_finance"
    CLOSE_DENIED = "close_denied"
    RETURN_GOODS = "return_goods"
    ASK_SATISFACTION = "ask_satisfaction"
    REMIND = "remind"
    SKIP = "skip"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class WaitingOn:
    """Who the case waits for, to do what, until when, and what happens then."""

    party: Party
    action: Action
    until: datetime
    then: Then


class RefundStatus(StrEnum):
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class CaseLine:
    line_id: LineId
    quantity: int
    reason: Reason
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class CaseRefund:
    """One leg of the money; ``cause`` names the actor or the timer that brought it about.

    ``payment_id`` is the payment that it counts against, also where it becomes store credit.
    """

    refund_id: RefundId
    payment_id: PaymentId
    amount: Money
    status: RefundStatus
    cause: str
    at: datetime
    destination: RefundTo = RefundTo.ORIGINAL


@dataclass(frozen=True, slots=True)
class ReturnAuthorisation:
    rma: Rma
    label_url: str | None
    ship_to: Address


@dataclass(frozen=True, slots=True)
class Option:
    """A way forward the customer may choose; ``ready_by`` is when it would be done."""

    option_id: str
    title: str
    cost: Money
    ready_by: datetime | None
    pros: tuple[str, ...] = ()
    cons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened. ``entry_id`` is derived from the case and a running number."""

    entry_id: str
    at: datetime
    actor: Actor
    what: str
    detail: str = ""


class TaskState(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    COMPLETED = "completed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class CaseTask:
    """Something a person has to do or decide, as the case asks for it.

    ``outcomes`` are the answers the case takes; the inbox makes the form (JSON Schema) from them.
    ``context`` holds small facts for the reader (ids and counts, no personal data).
    """

    task_id: TaskId
    queue: str
    kind: str
    title: str
    due_at: datetime
    outcomes: tuple[str, ...]
    state: TaskState = TaskState.OPEN
    outcome: str | None = None
    completed_by: Actor | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvidenceRef:
    evidence_id: str
    kind: str
    content_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CaseSnapshot:
    """The case as its workflow last published it: the API's document, in domain values.

    ``sequence`` grows with every publication, so that an older one never overwrites a newer.
    ``timeline`` and ``tasks`` hold only what is new since the last publication. ``settled`` is what has been
    given back so far, in money and in kind, as a total.
    """

    case_id: CaseId
    kind: CaseKind
    store_id: StoreId
    order_id: OrderId
    customer_id: CustomerId
    sequence: int
    status: CaseStatus
    phase: str
    outcome: str | None
    channel: str
    note: str
    currency: str
    locale: str
    lines: tuple[CaseLine, ...]
    decision: Decision | None
    quote: Quote | None
    waiting_on: WaitingOn | None
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    owner: str | None = None
    options: tuple[Option, ...] = ()
    return_: ReturnAuthorisation | None = None
    refunds: tuple[CaseRefund, ...] = ()
    evidence: tuple[EvidenceRef, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    tasks: tuple[CaseTask, ...] = ()
    refund_to: RefundTo = RefundTo.ORIGINAL
    settled: Quote | None = None
