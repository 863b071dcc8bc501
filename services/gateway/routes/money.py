"""Money, for finance."""

import asyncio
import csv
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from io import StringIO
from typing import Annotated

from fastapi import Path, Query
from fastapi.responses import StreamingResponse

from services.domain.refund import LedgerEntry
from services.gateway.access import Role
from services.gateway.routes.secured import TheCaller, TheGateway, may, secured_router
from services.gateway.schemas.fields import Id, Page, PageQuery
from services.gateway.schemas.money import (
    LEDGER_COLUMNS,
    LedgerDocument,
    LedgerPeriod,
    PaymentDocument,
    ReconciliationDocument,
    TrialBalanceDocument,
    TrialBalanceQuery,
    ledger_row,
)

router = secured_router("money")
_FINANCE = [may(Role.FINANCE, Role.SUPERVISOR, Role.MANAGER, Role.OPS)]
PaymentIdPath = Annotated[Id, Path()]


@router.get("/payments/{payment_id}", dependencies=_FINANCE)
async def get_payment(payment_id: PaymentIdPath, caller: TheCaller, gateway: TheGateway) -> PaymentDocument:
    """Say what of a payment was captured, went back, and may still go back, and who disputes it."""
    balance, disputes = await asyncio.gather(
        gateway.payments.balance(caller.store_id, payment_id),
        gateway.payments.disputes(caller.store_id, payment_id),
    )
    return PaymentDocument.of(balance, disputes)


@router.get("/payments/{payment_id}/ledger", dependencies=_FINANCE)
async def get_ledger(
    payment_id: PaymentIdPath,
    query: Annotated[PageQuery, Query()],
    caller: TheCaller,
    gateway: TheGateway,
) -> Page[LedgerDocument]:
    """List a payment's postings, oldest first."""
    await gateway.payments.balance(caller.store_id, payment_id)
    entries, cursor = await gateway.payments.ledger(caller.store_id, payment_id, query.cursor, query.limit)
    return Page(data=[LedgerDocument.of(entry) for entry in entries], next_cursor=cursor or None)


@router.get("/ledger/trial-balance", dependencies=_FINANCE)
async def get_trial_balance(
    query: Annotated[TrialBalanceQuery, Query()], caller: TheCaller, gateway: TheGateway
) -> TrialBalanceDocument:
    """Say what stood on every account of the store at an instant."""
    as_of = query.as_of or datetime.now(UTC)
    accounts = await gateway.payments.trial_balance(caller.store_id, as_of, query.clock)
    return TrialBalanceDocument.of(as_of, query.clock, accounts)


@router.get(
    "/ledger.csv",
    dependencies=_FINANCE,
    response_class=StreamingResponse,
    responses={200: {"description": "One posting a line, oldest first.", "content": {"text/csv": {}}}},
)
async def export_ledger(
    query: Annotated[LedgerPeriod, Query()], caller: TheCaller, gateway: TheGateway
) -> StreamingResponse:
    """Return the store's postings of a period as CSV; what is away mid-way breaks the answer off."""
    pages = gateway.payments.postings(caller.store_id, query.since, query.before)
    # What is away at the start is a clear answer, not an empty file.
    first = await anext(pages)
    headers = {"Content-Disposition": 'attachment; filename="ledger.csv"'}
    return StreamingResponse(_lines(first, pages), media_type="text/csv", headers=headers)


async def _lines(first: list[LedgerEntry], rest: AsyncIterator[list[LedgerEntry]]) -> AsyncIterator[str]:
    yield _csv([LEDGER_COLUMNS, *map(ledger_row, first)])
    async for page in rest:
        yield _csv(map(ledger_row, page))


def _csv(rows: Iterable[Iterable[str | int]]) -> str:
    written = StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


@router.get("/reconciliation", dependencies=_FINANCE)
async def reconcile(caller: TheCaller, gateway: TheGateway) -> ReconciliationDocument:
    """Check the invariants of money against our records and the provider's own list."""
    return ReconciliationDocument.of(await gateway.payments.reconcile(caller.store_id))
