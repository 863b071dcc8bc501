"""Why this decision, and why this amount."""

from collections.abc import Sequence
from datetime import datetime

from services.domain.case import CaseSnapshot
from services.domain.logistics import Disposition, Grade, Inspection
from services.gateway.explaining import Basis, Explanation
from services.gateway.schemas.case_document import CaseLineDocument, DecisionDocument, RefundDocument
from services.gateway.schemas.fields import MoneyDocument, Outgoing


class ReasonedDocument(Outgoing):
    """A part of the amount: its rule, where that stands, and what was read."""

    what: str
    line_id: str | None
    amount: MoneyDocument
    rule: str
    source: str
    inputs: dict[str, int | str]


class InKindDocument(Outgoing):
    """Points (so many) or a coupon (one, named in ``inputs``), with its rule."""

    what: str
    line_id: str | None
    count: int
    rule: str
    source: str
    inputs: dict[str, int | str]


class JudgedDocument(Outgoing):
    """What the dock found, row by row; a customer is not told who looked."""

    inspection_id: str
    at: datetime
    by: str | None
    line_id: str
    quantity: int
    grade: Grade
    accepted: bool
    disposition: Disposition
    reason: str

    @classmethod
    def rows(cls, inspection: Inspection, *, names_staff: bool) -> "list[JudgedDocument]":
        return [
            cls(
                inspection_id=inspection.inspection_id,
                at=inspection.inspected_at,
                by=(inspection.inspected_by or None) if names_staff else None,
                line_id=row.line_id,
                quantity=row.quantity,
                grade=row.grade,
                accepted=row.accepted,
                disposition=row.disposition,
                reason=row.reason,
            )
            for row in inspection.lines
        ]


class ExplanationDocument(Outgoing):
    """What was decided, judged and paid. ``amounts`` add up to ``refund``, which ``basis`` says the state of.

    Each of ``refunds`` names the person or the timer that caused it.
    """

    case_id: str
    decision: DecisionDocument | None
    lines: list[CaseLineDocument]
    inspected: list[JudgedDocument]
    basis: Basis
    refund: MoneyDocument | None
    amounts: list[ReasonedDocument]
    in_kind: list[InKindDocument]
    refunds: list[RefundDocument]

    @classmethod
    def of(
        cls,
        snapshot: CaseSnapshot,
        explanation: Explanation,
        inspections: Sequence[Inspection],
        *,
        names_staff: bool,
    ) -> "ExplanationDocument":
        return cls(
            case_id=snapshot.case_id,
            decision=DecisionDocument.of(snapshot.decision) if snapshot.decision else None,
            lines=[CaseLineDocument.model_validate(line, from_attributes=True) for line in snapshot.lines],
            inspected=[
                row for one in inspections for row in JudgedDocument.rows(one, names_staff=names_staff)
            ],
            basis=explanation.basis,
            refund=MoneyDocument.of(explanation.refund) if explanation.refund is not None else None,
            amounts=[
                ReasonedDocument(
                    what=part.what,
                    line_id=part.line_id,
                    amount=MoneyDocument(amount=part.amount, currency=snapshot.currency),
                    rule=part.rule,
                    source=part.source,
                    inputs=dict(part.inputs),
                )
                for part in explanation.amounts
            ],
            in_kind=[
                InKindDocument.model_validate(part, from_attributes=True) for part in explanation.in_kind
            ],
            refunds=[RefundDocument.of(refund) for refund in snapshot.refunds],
        )
