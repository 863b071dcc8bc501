"""The test clock: a case's own time, moved forward. Only where the Temporal server is a local one."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Request
from pydantic import Field, StrictInt

from services.domain.case import CaseSnapshot, CaseStatus
from services.domain.errors import DependencyUnavailable
from services.gateway.access import Caller, Role
from services.gateway.clock import Advance
from services.gateway.commands import kind_of
from services.gateway.keys import command_id
from services.gateway.routes.cases import shown
from services.gateway.routes.secured import (
    IdempotencyKey,
    TheCaller,
    TheGateway,
    key_use,
    may,
    secured_router,
)
from services.gateway.schemas.case_document import CaseDocument
from services.gateway.schemas.fields import Id, Incoming, Outgoing
from services.gateway.wiring import Gateway

router = secured_router("test clock")
_LONGEST_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_FIVE_YEARS: Final = 5 * 366 * 24 * 3600


class AdvanceBody(Incoming):
    case_id: Id
    seconds: Annotated[StrictInt, Field(ge=1, le=_FIVE_YEARS)]


class AdvancedDocument(Outgoing):
    """The case's time thereafter, and the case once everything due by then has happened."""

    now: datetime
    case: CaseDocument


@router.post("/test-clock/advance", dependencies=[may(Role.OPS)])
async def advance(
    body: AdvanceBody, request: Request, caller: TheCaller, gateway: TheGateway, key: IdempotencyKey = None
) -> AdvancedDocument:
    """Move a case's clock, and answer once the register shows what was due by then (30 s at most)."""
    kind = kind_of(body.case_id)
    store_id = await gateway.opening.store_of(caller, body.case_id)
    once = await command_id(gateway.records, key_use(request, caller, store_id, key, body))
    wanted = Advance(once, store_id, timedelta(seconds=body.seconds), caller.actor.actor_id)
    now = await gateway.test_clock.advance(kind, body.case_id, wanted)
    snapshot = await _caught_up(gateway, caller, body.case_id, now)
    return AdvancedDocument(now=now, case=shown(gateway, caller, snapshot))


async def _caught_up(gateway: Gateway, caller: Caller, case_id: str, now: datetime) -> CaseSnapshot:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _LONGEST_SECONDS
    seen: CaseSnapshot | None = None
    while loop.time() < give_up_at:
        snapshot = await gateway.opening.find(caller, case_id)
        if seen is not None and seen.sequence == snapshot.sequence and _is_at_rest(snapshot, now):
            return snapshot
        seen = snapshot
        await asyncio.sleep(_LOOK_SECONDS)
    raise DependencyUnavailable("the register does not show it yet")


def _is_at_rest(snapshot: CaseSnapshot, now: datetime) -> bool:
    """Tell whether nothing is shown that was due by ``now``."""
    waiting = snapshot.waiting_on
    return snapshot.status is CaseStatus.CLOSED or waiting is None or waiting.until > now
