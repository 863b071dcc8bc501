"""Running cases in memory: they decide, hold units, and publish to a register, as a return does at its start.

What a case does later is not here: the gateway only carries commands to it and its answer back.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.domain.case import (
    Action,
    Actor,
    CaseKind,
    CaseLine,
    CaseSnapshot,
    CaseStatus,
    Party,
    Then,
    WaitingOn,
)
from services.domain.decision import Verdict
from services.domain.eligibility import check_request, decide_return
from services.domain.errors import ActionNotAllowed, CaseClosed, CaseNotFound, RecourseError
from services.domain.ids import CaseId, derived_id
from services.domain.order import UnitClaim
from services.domain.return_phases import ReturnPhase
from workflows.activities.opening import LookUp, OpeningActivities
from workflows.case_file import CaseFile
from workflows.messages import CompleteTask, OpenCase
from workflows.tasks import Ask, TaskDesk


@dataclass
class _Running:
    file: CaseFile
    desk: TaskDesk
    waiting_on: WaitingOn
    now: datetime
    lines: tuple[CaseLine, ...]


@dataclass
class FakeCases:
    """``given`` are the commands that were taken, by their id: a repeated id is taken once."""

    ground: OpeningActivities
    claims: Any
    register: Any
    given: dict[str, tuple[str, object]] = field(default_factory=dict)
    opened: list[CaseId] = field(default_factory=list)
    _running: dict[str, _Running] = field(default_factory=dict)
    _refused: dict[str, RecourseError] = field(default_factory=dict)
    _starting: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def open(self, request: OpenCase) -> CaseSnapshot:
        # A workflow starts once: who asks meanwhile waits for its first decision.
        async with self._starting.setdefault(request.case_id, asyncio.Lock()):
            if request.case_id in self._refused:
                raise self._refused[request.case_id]
            if request.case_id not in self._running:
                try:
                    await self._start(request)
                except RecourseError as error:
                    self._refused[request.case_id] = error
                    raise
        return self._snapshot(request.case_id)

    async def _start(self, request: OpenCase) -> None:
        now = datetime.now(UTC)
        line_ids = tuple(line.line_id for line in request.lines)
        ground = await self.ground.look_up(LookUp(request.store_id, request.order_id, line_ids))
        check_request(ground.order, request.lines)
        decision = decide_return(ground.order, request.lines, ground.policy, now=now)
        if decision.verdict is not Verdict.DENY:
            claims = tuple(UnitClaim(line.line_id, line.quantity) for line in request.lines)
            claim_id = derived_id(request.case_id, "claim-1")
            await self.claims.claim(request.store_id, request.order_id, request.case_id, claim_id, claims)
        phase = {
            Verdict.ALLOW: ReturnPhase.AWAITING_PARCEL,
            Verdict.REVIEW: ReturnPhase.MERCHANT_REVIEW,
            Verdict.DENY: ReturnPhase.REFUSED,
        }[decision.verdict]
        file = CaseFile(request, now, phase, now)
        file.decision = decision
        file.record("opened", request.opened_by, now)
        desk = TaskDesk(request.case_id)
        if decision.verdict is Verdict.REVIEW:
            ask = Ask("review_return", "agent", "Review a return request", ("approve", "refuse"))
            desk.open(ask, now + timedelta(days=2))
        waiting = WaitingOn(
            Party.CUSTOMER, Action.SEND_PARCEL, now + timedelta(days=14), Then.CLOSE_UNRETURNED
        )
        lines = tuple(CaseLine(line.line_id, line.quantity, line.reason) for line in request.lines)
        self._running[request.case_id] = _Running(file, desk, waiting, now, lines)
        self.opened.append(request.case_id)
        await self._publish(request.case_id)

    async def command(
        self, kind: CaseKind, case_id: str, name: str, command: object, command_id: str
    ) -> CaseSnapshot:
        case = self._running.get(case_id)
        if case is None:
            raise CaseNotFound("no such case runs")
        if command_id not in self.given:
            self._take(case, name, command)
            self.given[command_id] = (name, command)
            await self._publish(case_id)
        return self._snapshot(case_id)

    def _take(self, case: _Running, name: str, command: Any) -> None:
        actor: Actor = command.actor
        if isinstance(command, CompleteTask):
            case.desk.check(command.task_id, command.outcome)
            case.desk.complete(command.task_id, command.outcome, actor)
        elif case.file.status is CaseStatus.CLOSED:
            raise CaseClosed(f"the case is closed: {case.file.outcome}")
        if name == "choose":
            raise ActionNotAllowed(f"not possible while the case is {case.file.phase}")
        said = getattr(command, "text", getattr(command, "reason", ""))
        what = {"add_message": "message", "add_note": "note"}.get(name, name)
        case.file.record(what, actor, case.now, said)
        if name == "withdraw":
            case.file.phase = ReturnPhase.WITHDRAWN
            case.file.close("withdrawn", case.now)

    async def now(self, kind: CaseKind, case_id: str) -> datetime:
        case = self._running.get(case_id)
        if case is None:
            raise CaseNotFound("no such case runs")
        if case.file.status is CaseStatus.CLOSED:
            raise CaseClosed(f"the case is closed: {case.file.outcome}")
        return case.now

    async def advance(self, kind: CaseKind, case_id: str, by: timedelta) -> datetime:
        case = self._running.get(case_id)
        if case is None:
            raise CaseNotFound("no such case runs")
        case.now += by
        if case.now >= case.waiting_on.until and case.file.status is CaseStatus.OPEN:
            case.file.phase = ReturnPhase.EXPIRED
            case.file.close("expired", case.now)
            await self._publish(case_id)
        return case.now

    def _snapshot(self, case_id: str) -> CaseSnapshot:
        case = self._running[case_id]
        open_now = case.file.status is CaseStatus.OPEN
        return case.file.snapshot(case.lines, case.waiting_on if open_now else None)

    async def _publish(self, case_id: str) -> None:
        case = self._running[case_id]
        open_now = case.file.status is CaseStatus.OPEN
        waiting_on = case.waiting_on if open_now else None
        snapshot = case.file.publication(case.lines, waiting_on, case.desk.take_unpublished())
        await self.register.publish(snapshot)
