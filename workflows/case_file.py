"""The case file: what a case knows of itself, and the snapshot it publishes."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.domain.case import (
    Actor,
    ActorKind,
    CaseLine,
    CaseRefund,
    CaseSnapshot,
    CaseStatus,
    CaseTask,
    EvidenceRef,
    Option,
    ReturnAuthorisation,
    TimelineEntry,
    WaitingOn,
)
from services.domain.decision import Decision
from services.domain.ids import RefundId
from services.domain.quote import Quote
from workflows.messages import OpenCase

# The first of these to touch a case owns it until it is closed; the dock is no contact.
_CONTACTS = frozenset({"agent", "senior", "supervisor", "manager"})


@dataclass
class CaseFile:
    """``lines`` are made by the kind of case; everything else is common to all kinds."""

    request: OpenCase
    opened_at: datetime
    phase: str
    updated_at: datetime
    outcome: str | None = None
    status: CaseStatus = CaseStatus.OPEN
    closed_at: datetime | None = None
    owner: str | None = None
    decision: Decision | None = None
    quote: Quote | None = None
    settled: Quote | None = None
    return_: ReturnAuthorisation | None = None
    # What the customer may choose from, by the question that it answers.
    offers: dict[str, tuple[Option, ...]] = field(default_factory=dict)
    refunds: dict[RefundId, CaseRefund] = field(default_factory=dict)
    evidence: list[EvidenceRef] = field(default_factory=list)
    _timeline: list[TimelineEntry] = field(default_factory=list)
    _entries: int = 0
    _sequence: int = 0

    @property
    def options(self) -> tuple[Option, ...]:
        """Return everything that the customer may choose now."""
        return tuple(option for offer in self.offers.values() for option in offer)

    def record(self, what: str, actor: Actor, at: datetime, detail: str = "") -> None:
        """Add an entry to the timeline; a member of staff who is a contact becomes the owner if none is."""
        self._entries += 1
        entry_id = f"{self.request.case_id}/{self._entries}"
        self._timeline.append(TimelineEntry(entry_id, at, actor, what, detail))
        is_contact = actor.kind is ActorKind.STAFF and not _CONTACTS.isdisjoint(actor.roles)
        if self.owner is None and is_contact:
            self.owner = actor.actor_id
        self.updated_at = at

    def close(self, outcome: str, at: datetime) -> None:
        self.status, self.outcome, self.closed_at = CaseStatus.CLOSED, outcome, at

    def reopen(self) -> None:
        self.status, self.outcome, self.closed_at = CaseStatus.OPEN, None, None

    def snapshot(self, lines: tuple[CaseLine, ...], waiting_on: WaitingOn | None) -> CaseSnapshot:
        """Return the case as it stands, without news."""
        return CaseSnapshot(
            case_id=self.request.case_id,
            kind=self.request.kind,
            store_id=self.request.store_id,
            order_id=self.request.order_id,
            customer_id=self.request.customer_id,
            sequence=self._sequence,
            status=self.status,
            phase=self.phase,
            outcome=self.outcome,
            channel=self.request.channel,
            note=self.request.note,
            currency=self.request.currency,
            locale=self.request.locale,
            lines=lines,
            decision=self.decision,
            quote=self.quote,
            settled=self.settled,
            waiting_on=waiting_on,
            opened_at=self.opened_at,
            updated_at=self.updated_at,
            closed_at=self.closed_at,
            owner=self.owner,
            options=self.options,
            return_=self.return_,
            refunds=tuple(self.refunds.values()),
            evidence=tuple(self.evidence),
            refund_to=self.request.return_.refund_to,
        )

    def publication(
        self, lines: tuple[CaseLine, ...], waiting_on: WaitingOn | None, tasks: tuple[CaseTask, ...]
    ) -> CaseSnapshot:
        """Return the next snapshot to publish, with what is new since the last."""
        self._sequence += 1
        timeline = tuple(self._timeline)
        self._timeline.clear()
        return replace(self.snapshot(lines, waiting_on), timeline=timeline, tasks=tasks)
