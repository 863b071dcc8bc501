"""Withdrawing from a contract in two steps."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Request, Response

from services.domain.ids import LineId, OrderId
from services.gateway.keys import command_id
from services.gateway.routes.cases import OPENERS, shown_new
from services.gateway.routes.secured import (
    CREATED,
    IdempotencyKey,
    Now,
    TheCaller,
    TheGateway,
    body_hash,
    key_use,
    may,
    secured_router,
)
from services.gateway.schemas.case_document import CaseDocument
from services.gateway.schemas.cases import WithdrawalBody
from services.gateway.schemas.fields import Outgoing
from services.gateway.withdrawals import Declaration, WithdrawnLine

router = secured_router("withdrawals")


class WithdrawalDocument(Outgoing):
    """The statement that confirming will declare."""

    withdrawal_id: str
    statement: str
    declared_at: datetime


@router.post("/withdrawals", status_code=201, dependencies=[may(*OPENERS)])
async def declare_withdrawal(
    body: WithdrawalBody,
    request: Request,
    caller: TheCaller,
    gateway: TheGateway,
    at: Now,
    key: IdempotencyKey = None,
) -> WithdrawalDocument:
    """Take the first step; nothing is withdrawn before it is confirmed."""
    lines = tuple(WithdrawnLine(LineId(line.line_id), line.quantity) for line in body.lines or ())
    declaration = Declaration(OrderId(body.order_id), lines)
    withdrawal_id = await command_id(gateway.records, key_use(request, caller, caller.store_id, key, body))
    digest = body_hash(request, body)
    made = await gateway.withdrawals.declare(caller, declaration, withdrawal_id, digest, at)
    return WithdrawalDocument(
        withdrawal_id=made.withdrawal_id, statement=made.statement, declared_at=made.declared_at
    )


@router.post(
    "/withdrawals/{withdrawal_id}/confirm",
    status_code=201,
    dependencies=[may(*OPENERS)],
    responses={
        200: {"description": "A repeat: the case as it stands.", "model": CaseDocument},
        201: CREATED,
    },
)
async def confirm_withdrawal(
    withdrawal_id: Annotated[UUID, Path()],
    caller: TheCaller,
    gateway: TheGateway,
    at: Now,
    response: Response,
) -> CaseDocument:
    """Take the second step: the return is opened, and a receipt with date and time goes out."""
    snapshot, is_new = await gateway.withdrawals.confirm(caller, str(withdrawal_id), at)
    return shown_new(gateway, caller, snapshot, response, is_new=is_new)
