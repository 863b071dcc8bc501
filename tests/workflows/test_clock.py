"""A case's clock that does not arrive: the case has ended on the way, or it waits for a service."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from services.domain.case import CaseStatus
from services.domain.errors import CaseClosed, DependencyUnavailable
from tests.fixtures.temporal import Stage
from workflows.starter import Cases
from workflows.temporal import time_travel


class HeldUp(time_travel.TestClock):
    """A clock that the server cannot move: something is asked for again and again."""

    async def advance(self, handle: WorkflowHandle[Any, Any], by: timedelta) -> None:
        """Do not arrive."""


async def test_a_clock_that_is_held_up_does_not_say_that_the_case_has_ended(stage: Stage) -> None:
    """The case is open, and its clock can be moved later."""
    await stage.sell()
    await stage.open()
    stage.cases = Cases(stage.client, HeldUp(stage.client), stage.task_queue)
    with pytest.raises(DependencyUnavailable):
        await stage.advance(days=1)

    assert (await stage.now()).status is CaseStatus.OPEN


async def test_the_clock_of_a_case_that_ended_stands(stage: Stage) -> None:
    """A case that is over has no time to move."""
    await stage.sell(delivered_days_ago=15)
    await stage.open()
    await stage.advance(days=7, minutes=1)
    await stage.client.get_workflow_handle(f"{stage.kind}/{stage.case_id}").result()
    with pytest.raises(CaseClosed):
        await stage.advance(days=1)
