"""The case as everybody sees it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict, Field

from services.domain.case import (
    Action,
    CaseKind,
    CaseRefund,
    CaseSnapshot,
    CaseStatus,
    Option,
    Party,
    Reason,
    RefundStatus,
    RefundTo,
    ReturnAuthorisation,
    Then,
    TimelineEntry,
)
from services.domain.decision import Decision, FreightPayer, RuleVerdict, Verdict
from services.domain.return_phases import ReturnPhase
from services.gateway.quoting import Preview
from services.gateway.schemas.examples import CASE_DOCUMENT_EXAMPLE
from services.gateway.schemas.fields import MoneyDocument, Outgoing
from services.gateway.schemas.orders import PolicyDocument
from services.gateway.schemas.quote_document import QuoteDocument
from workflows.names import workflow_id


class Outcome(StrEnum):
    """How a case ended."""

    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    DENIED = "denied"


class CaseLineDocument(Outgoing):
    line_id: str
    quantity: int
    reason: Reason
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    refunded: int = 0


class RuleDocument(Outgoing):
    """One rule's answer, with the law or policy behind it."""

    rule: str = Field(examples=["return_window"])
    source: str = Field(examples=["CCR 2013 reg. 30"])
    verdict: RuleVerdict
    detail: str = Field(examples=["day 3 of 14"])
    line_id: str | None


class DecisionDocument(Outgoing):
    verdict: Verdict
    policy: PolicyDocument
    decided_at: datetime
    decided_by: str
    rules: list[RuleDocument]
    freight_paid_by: FreightPayer
    evidence_required: list[str]
    remedies: list[str]

    @classmethod
    def of(cls, decision: Decision) -> "DecisionDocument":
        return cls(
            verdict=decision.verdict,
            policy=PolicyDocument(id=decision.policy.policy_id, version=decision.policy.version),
            decided_at=decision.decided_at,
            decided_by=decision.decided_by,
            rules=[RuleDocument.model_validate(rule, from_attributes=True) for rule in decision.rules],
            freight_paid_by=decision.freight_paid_by,
            evidence_required=list(decision.evidence_required),
            remedies=list(decision.remedies),
        )


class WaitingDocument(Outgoing):
    """Who the case waits for, to do what, until when, and what happens then."""

    party: Party
    action: Action
    until: datetime
    then: Then


class ShipToDocument(Outgoing):
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str


class ReturnDocument(Outgoing):
    rma: str
    label_url: str | None
    ship_to: ShipToDocument

    @classmethod
    def of(cls, authorised: ReturnAuthorisation) -> "ReturnDocument":
        ship_to = ShipToDocument.model_validate(authorised.ship_to, from_attributes=True)
        return cls(rma=authorised.rma, label_url=authorised.label_url, ship_to=ship_to)


class RefundDocument(Outgoing):
    """``cause`` names the person or the timer that brought it about.

    ``payment_id`` is the payment it counts against, also where it becomes store credit or is paid by bank
    transfer.
    """

    refund_id: str
    payment_id: str
    amount: MoneyDocument
    status: RefundStatus
    cause: str
    at: datetime
    destination: RefundTo

    @classmethod
    def of(cls, refund: CaseRefund) -> "RefundDocument":
        return cls(
            refund_id=refund.refund_id,
            payment_id=refund.payment_id,
            amount=MoneyDocument.of(refund.amount),
            status=refund.status,
            cause=refund.cause,
            at=refund.at,
            destination=refund.destination,
        )


class OptionDocument(Outgoing):
    option_id: str
    title: str
    cost: MoneyDocument
    ready_by: datetime | None
    pros: list[str]
    cons: list[str]

    @classmethod
    def of(cls, option: Option) -> "OptionDocument":
        return cls(
            option_id=option.option_id,
            title=option.title,
            cost=MoneyDocument.of(option.cost),
            ready_by=option.ready_by,
            pros=list(option.pros),
            cons=list(option.cons),
        )


class EvidenceDocument(Outgoing):
    evidence_id: str
    kind: str
    content_type: str
    sha256: str


class InvoiceDocument(Outgoing):
    """A document of the case."""

    invoice_id: str
    kind: str
    number: str
    amount: MoneyDocument
    url: str


class LinksDocument(Outgoing):
    self: str
    timeline: str
    temporal: str | None


class CaseView(Outgoing):
    """What a case and a quote of one have in common.

    ``quote`` is what comes back if everything is accepted, ``settled`` what has come back so far.
    """

    # Python keeps ``return`` for itself.
    model_config = ConfigDict(populate_by_name=True)

    kind: CaseKind
    status: CaseStatus
    phase: ReturnPhase
    outcome: Outcome | None
    order_id: str
    store_id: str
    customer_id: str
    owner: str | None
    channel: str
    note: str
    lines: list[CaseLineDocument]
    decision: DecisionDocument | None
    quote: QuoteDocument | None
    settled: QuoteDocument | None
    options: list[OptionDocument]
    waiting_on: WaitingDocument | None
    return_: ReturnDocument | None = Field(alias="return")
    refunds: list[RefundDocument]
    evidence: list[EvidenceDocument]
    documents: list[InvoiceDocument]
    closed_at: datetime | None


class CaseDocument(CaseView):
    """A case, as it stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [CASE_DOCUMENT_EXAMPLE]})

    case_id: str = Field(examples=["RT-7K3M-9QX1"])
    opened_at: datetime
    updated_at: datetime
    links: LinksDocument


class CasePreview(CaseView):
    """A case that would be; nothing is opened, held or kept."""

    case_id: None = None
    opened_at: None = None
    updated_at: None = None
    links: None = None

    @classmethod
    def of(cls, preview: Preview) -> "CasePreview":
        wanted = preview.wanted
        return cls(
            kind=wanted.kind,
            status=CaseStatus.OPEN,
            phase=ReturnPhase.VERIFYING,
            outcome=None,
            order_id=wanted.order_id,
            store_id=preview.store_id,
            customer_id=preview.customer_id,
            owner=None,
            channel=wanted.channel,
            note=wanted.note,
            lines=[CaseLineDocument.model_validate(line, from_attributes=True) for line in wanted.lines],
            decision=DecisionDocument.of(preview.decision),
            quote=QuoteDocument.of(preview.quote, wanted.return_.refund_to) if preview.quote else None,
            settled=None,
            options=[],
            waiting_on=None,
            return_=None,
            refunds=[],
            evidence=[],
            documents=[],
            closed_at=None,
        )


@dataclass(frozen=True, slots=True)
class CaseLinks:
    """Where things are: this gateway, and the Temporal UI if there is one to show."""

    gateway_url: str
    temporal_ui_url: str
    namespace: str

    def of(self, snapshot: CaseSnapshot, *, shows_temporal: bool) -> LinksDocument:
        me = f"{self.gateway_url}/v1/cases/{snapshot.case_id}"
        workflow = workflow_id(snapshot.kind, snapshot.case_id).replace("/", "%2F")
        temporal = f"{self.temporal_ui_url}/namespaces/{self.namespace}/workflows/{workflow}"
        shown = temporal if shows_temporal and self.temporal_ui_url else None
        return LinksDocument(self=me, timeline=f"{me}/timeline", temporal=shown)


def case_document(snapshot: CaseSnapshot, links: LinksDocument) -> CaseDocument:
    """Return the case as the contract shows it."""
    waiting = snapshot.waiting_on
    return CaseDocument(
        case_id=snapshot.case_id,
        kind=snapshot.kind,
        status=snapshot.status,
        phase=ReturnPhase(snapshot.phase),
        outcome=Outcome(snapshot.outcome) if snapshot.outcome else None,
        order_id=snapshot.order_id,
        store_id=snapshot.store_id,
        customer_id=snapshot.customer_id,
        owner=snapshot.owner,
        channel=snapshot.channel,
        note=snapshot.note,
        lines=[CaseLineDocument.model_validate(line, from_attributes=True) for line in snapshot.lines],
        decision=DecisionDocument.of(snapshot.decision) if snapshot.decision else None,
        quote=QuoteDocument.of(snapshot.quote, snapshot.refund_to) if snapshot.quote else None,
        settled=QuoteDocument.of(snapshot.settled, snapshot.refund_to) if snapshot.settled else None,
        options=[OptionDocument.of(option) for option in snapshot.options],
        waiting_on=WaitingDocument.model_validate(waiting, from_attributes=True) if waiting else None,
        return_=ReturnDocument.of(snapshot.return_) if snapshot.return_ else None,
        refunds=[RefundDocument.of(refund) for refund in snapshot.refunds],
        evidence=[EvidenceDocument.model_validate(e, from_attributes=True) for e in snapshot.evidence],
        documents=[],
        opened_at=snapshot.opened_at,
        updated_at=snapshot.updated_at,
        closed_at=snapshot.closed_at,
        links=links,
    )


class ActorDocument(Outgoing):
    """Who did it; a customer is not told which member of staff."""

    kind: str
    id: str | None


class TimelineDocument(Outgoing):
    at: datetime
    actor: ActorDocument
    what: str
    detail: str

    @classmethod
    def of(cls, entry: TimelineEntry, *, names_staff: bool) -> "TimelineDocument":
        shown = entry.actor.actor_id if names_staff or entry.actor.kind != "staff" else None
        actor = ActorDocument(kind=entry.actor.kind, id=shown)
        return cls(at=entry.at, actor=actor, what=entry.what, detail=entry.detail)
