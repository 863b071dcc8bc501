"""Why this decision, and why this amount."""

from services.domain.case import CaseSnapshot
from services.domain.order import OrderAsSold
from services.gateway.explaining import amounts_of
from services.gateway.schemas.case_document import DecisionDocument, RefundDocument
from services.gateway.schemas.fields import MoneyDocument, Outgoing


class ReasonedDocument(Outgoing):
    """A part of the amount: its rule, where that stands, and what was read."""

    what: str
    line_id: str | None
    amount: MoneyDocument
    rule: str
    source: str
    inputs: dict[str, int | str]


class ExplanationDocument(Outgoing):
    """``amounts`` add up to ``refund``; each of ``refunds`` names the person or the timer that caused it."""

    case_id: str
    decision: DecisionDocument | None
    refund: MoneyDocument | None
    amounts: list[ReasonedDocument]
    refunds: list[RefundDocument]

    @classmethod
    def of(cls, snapshot: CaseSnapshot, sold: OrderAsSold) -> "ExplanationDocument":
        return cls(
            case_id=snapshot.case_id,
            decision=DecisionDocument.of(snapshot.decision) if snapshot.decision else None,
            refund=MoneyDocument.of(snapshot.quote.refund) if snapshot.quote else None,
            amounts=[
                ReasonedDocument(
                    what=part.what,
                    line_id=part.line_id,
                    amount=MoneyDocument(amount=part.amount, currency=snapshot.currency),
                    rule=part.rule,
                    source=part.source,
                    inputs=dict(part.inputs),
                )
                for part in amounts_of(snapshot, sold)
            ],
            refunds=[RefundDocument.of(refund) for refund in snapshot.refunds],
        )
