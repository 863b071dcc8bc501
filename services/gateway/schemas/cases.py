"""Requests about cases: opening, and what customers and storefronts do."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt

from services.domain.case import CaseKind, CaseStatus, Party, Reason, RefundTo, RequestedLine
from services.domain.errors import FieldProblem, InvalidArgument
from services.domain.ids import LineId, OrderId
from services.domain.return_phases import ReturnPhase
from services.gateway.opening import CaseRequest
from services.gateway.schemas.examples import CASE_EXAMPLE
from services.gateway.schemas.fields import (
    Code,
    Flag,
    Id,
    Incoming,
    Instant,
    Line,
    Name,
    PageQuery,
    Said,
    Text,
    Units,
)
from workflows.messages import ReturnDetails


class RequestedLineBody(Incoming):
    line_id: Id
    quantity: Units
    reason: Reason


class ReturnDetailsBody(Incoming):
    """``refund_to``: back as it was paid, unless the customer asks for store credit."""

    refund_to: Literal[RefundTo.ORIGINAL, RefundTo.STORE_CREDIT] = RefundTo.ORIGINAL


class CaseBody(Incoming):
    """The request that opens a case. A line stands once: equal rows are added up, two reasons are refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [CASE_EXAMPLE]})

    kind: CaseKind
    order_id: Id
    channel: Code = "web"
    note: Text = ""
    lines: Annotated[list[RequestedLineBody], Field(min_length=1, max_length=1000)]
    details: ReturnDetailsBody = ReturnDetailsBody()

    def to_request(self) -> CaseRequest:
        """Return the request in domain values.

        Raises:
            InvalidArgument: If a line stands with two reasons.
        """
        return CaseRequest(
            kind=self.kind,
            order_id=OrderId(self.order_id),
            channel=self.channel,
            note=self.note,
            lines=(lines := _merged(self.lines)),
            rows=tuple(_first_row(self.lines, line) for line in lines),
            return_=ReturnDetails(self.details.refund_to),
        )


def _merged(rows: list[RequestedLineBody]) -> tuple[RequestedLine, ...]:
    lines: dict[LineId, RequestedLine] = {}
    for index, row in enumerate(rows):
        line_id = LineId(row.line_id)
        known = lines.get(line_id, RequestedLine(line_id, 0, row.reason))
        if known.reason is not row.reason:
            problem = FieldProblem(f"/lines/{index}/line_id", "duplicate", "one reason per line and case")
            raise InvalidArgument("a line stands with two reasons", problems=(problem,))
        lines[line_id] = RequestedLine(line_id, known.quantity + row.quantity, row.reason)
    return tuple(lines.values())


def _first_row(rows: list[RequestedLineBody], line: RequestedLine) -> int:
    return next(index for index, row in enumerate(rows) if row.line_id == line.line_id)


class ParcelBody(Incoming):
    carrier: Name
    tracking_number: Name


class MessageBody(Incoming):
    text: Said


class ChoiceBody(Incoming):
    option_id: Id


class ConfirmBody(Incoming):
    """``score`` is the satisfaction, from 1 to 5."""

    ok: Flag
    score: Annotated[StrictInt, Field(ge=1, le=5)] | None = None
    comment: Text = ""


class ReasonBody(Incoming):
    reason: Said


class CaseQuery(PageQuery):
    """Which cases; members that are not given do not filter."""

    order_id: Annotated[Line, Field(max_length=100)] = ""
    customer_id: Annotated[Line, Field(max_length=100)] = ""
    kind: CaseKind | None = None
    status: CaseStatus | None = None
    phase: ReturnPhase | None = None
    waiting_on: Party | None = None
    owner: Annotated[Line, Field(max_length=100)] = ""
    due_before: Instant | None = None
    q: Line = ""


class WithdrawalLineBody(Incoming):
    line_id: Id
    quantity: Units


class WithdrawalBody(Incoming):
    """The customer's declaration; without ``lines``, of all that is left of the order."""

    order_id: Id
    lines: Annotated[list[WithdrawalLineBody], Field(min_length=1, max_length=1000)] | None = None
