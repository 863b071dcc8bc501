"""The register held against Temporal: no case is lost, whatever died."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from temporalio import activity

from services.domain.case import CaseKind, CaseSnapshot, CaseStatus
from services.domain.errors import CaseNotFound
from services.domain.ids import CaseId, StoreId, TaskId, derived_id
from services.domain.inbox import CaseFilter, InboxTask
from workflows.activities.errors import translated

_PAGE: Final = 100
_EXAMPLES: Final = 20
_PERSON_ANSWERS_WITHIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep saw: running cases, those it published again, and open ones that no workflow runs."""

    running: int = 0
    published: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Directory(Protocol):
    """The cases as Temporal knows them."""

    def running(self) -> AsyncIterator[tuple[CaseKind, CaseId]]: ...
    async def is_running(self, kind: CaseKind, case_id: str) -> bool: ...
    async def current(self, kind: CaseKind, case_id: str) -> CaseSnapshot: ...


class Register(Protocol):
    """The cases as everybody reads them."""

    async def get(self, store_id: str, case_id: str) -> CaseSnapshot: ...
    async def list(self, wanted: CaseFilter, cursor: str, limit: int) -> tuple[list[CaseSnapshot], str]: ...
    async def publish(self, snapshot: CaseSnapshot) -> None: ...
    async def open_task(self, task: InboxTask) -> InboxTask: ...


@dataclass
class SweepActivities:
    directory: Directory
    register: Register

    @activity.defn
    async def sweep_register(self) -> SweepReport:
        """Publish again what the register misses, and ask about open cases that nothing runs."""
        with translated():
            running, published = 0, []
            async for kind, case_id in self.directory.running():
                running += 1
                activity.heartbeat(running)
                if await self._is_missing(case_id):
                    await self.register.publish(await self.directory.current(kind, case_id))
                    published.append(case_id)
            lost = [case async for case in self._lost()]
            for case in lost:
                await self.register.open_task(_task_about(case))
        ids = tuple(case.case_id for case in lost)
        return SweepReport(running, tuple(published[:_EXAMPLES]), ids[:_EXAMPLES])

    async def _is_missing(self, case_id: str) -> bool:
        try:
            await self.register.get("", case_id)
        except CaseNotFound:
            return True
        return False

    async def _lost(self) -> AsyncIterator[CaseSnapshot]:
        cursor = ""
        wanted = CaseFilter(store_id=StoreId(""), status=CaseStatus.OPEN)
        while True:
            page, cursor = await self.register.list(wanted, cursor, _PAGE)
            for case in page:
                activity.heartbeat(case.case_id)
                if not await self.directory.is_running(case.kind, case.case_id):
                    yield case
            if not cursor:
                return


def _task_about(case: CaseSnapshot) -> InboxTask:
    """Return the task that a lost case becomes, once per state it was lost in."""
    waiting = case.waiting_on
    context = {"case_id": case.case_id, "order_id": case.order_id, "phase": case.phase}
    if waiting is not None:
        context["was_due"] = waiting.until.isoformat()
    return InboxTask(
        task_id=TaskId(derived_id(case.case_id, "lost", str(case.sequence))),
        store_id=case.store_id,
        queue="supervisor",
        kind="case_lost",
        title="An open case is run by nothing: see the runbook",
        due_at=case.updated_at + _PERSON_ANSWERS_WITHIN,
        context=context,
        outcomes=("done",),
    )
