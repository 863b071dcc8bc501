"""A case is never lost: it is in Temporal, in the register, or in the sweep's report."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from services.domain.case import CaseSnapshot, CaseStatus
from services.domain.errors import CaseNotFound
from services.domain.inbox import CaseFilter, InboxTask
from tests.fakes.casework import FakeRegister
from tests.fixtures.temporal import Stage
from workflows.activities.sweeping import SweepActivities, SweepReport
from workflows.sweeps.directory import TemporalDirectory


@dataclass
class SweptRegister:
    """The register's read side, over what the cases have published."""

    register: FakeRegister

    async def get(self, store_id: str, case_id: str) -> CaseSnapshot:
        if case_id not in self.register.cases:
            raise CaseNotFound("there is no such case")
        return self.register.cases[case_id]  # type: ignore[index]

    async def list(self, wanted: CaseFilter, cursor: str, limit: int) -> tuple[list[CaseSnapshot], str]:
        cases = sorted(self.register.cases.values(), key=lambda case: case.case_id)
        left = [case for case in cases if case.status == wanted.status and case.case_id > cursor]
        return left[:limit], left[limit - 1].case_id if len(left) > limit else ""

    async def publish(self, snapshot: CaseSnapshot) -> None:
        await self.register.publish(snapshot)

    async def open_task(self, task: InboxTask) -> InboxTask:
        return await self.register.open_task(task)


@dataclass
class OwnDirectory(TemporalDirectory):
    """Temporal's directory, narrowed to the stage's case: other tests run on the same server."""

    def __init__(self, client: Client, stage: Stage) -> None:
        super().__init__(client)
        self._stage = stage

    async def running(self) -> AsyncIterator[tuple[object, object]]:  # type: ignore[override]
        if await self.is_running(self._stage.kind, self._stage.case_id):
            yield self._stage.kind, self._stage.case_id


async def sweep(stage: Stage) -> SweepReport:
    activities = SweepActivities(OwnDirectory(stage.client, stage), SweptRegister(stage.world.register))
    return await ActivityEnvironment().run(activities.sweep_register)


async def test_a_case_the_register_misses_is_published_again(stage: Stage) -> None:
    """The register lost a running case (an old backup): the sweep brings it back as it stands."""
    await stage.sell()
    opened = await stage.open()
    stage.world.register.cases.clear()
    report = await sweep(stage)

    assert report.published == (stage.case_id,)
    assert stage.world.register.cases[stage.case_id].phase == opened.phase
    assert await sweep(stage) == SweepReport(running=1)


async def test_an_open_case_that_nothing_runs_becomes_a_task_once(stage: Stage) -> None:
    """Somebody terminated the workflow: the report names the case, and a person is asked, once."""
    await stage.sell()
    opened = await stage.open()
    await stage.client.get_workflow_handle(f"return/{stage.case_id}").terminate("by mistake")
    reports = [await sweep(stage) for _ in range(2)]

    assert [report.lost for report in reports] == [(stage.case_id,)] * 2
    assert stage.open_tasks() == ["case_lost"]
    assert stage.task("case_lost").context["was_due"] == opened.waiting_on.until.isoformat()


async def test_a_closed_case_is_nobodys_business(stage: Stage) -> None:
    """A case that has ended is neither missing nor lost."""
    await stage.sell(delivered_days_ago=15)
    await stage.open()
    await stage.advance(days=7, minutes=1)
    closed = await stage.until("denied")

    assert closed.status is CaseStatus.CLOSED
    assert (await sweep(stage)).lost == ()
