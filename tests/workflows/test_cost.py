"""What a case costs: Temporal's actions, events and bytes, exactly."""

import asyncio
import re
import urllib.request
from uuid import uuid4

from tests.fixtures.temporal import Stage, TemporalServer
from tests.workflows.scenarios import history_of, refunded

_START = "grpc_StartWorkflowExecution"
# What the test itself asks for.
_ASIDE = {_START, "grpc_QueryWorkflow"}


def counted(server: TemporalServer) -> dict[str, float]:
    """Return the billable actions the server has counted so far, by kind."""
    text = urllib.request.urlopen(server.metrics, timeout=60).read().decode()
    counts: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("action{") and 'namespace="default"' in line:
            kind = re.search(r'action_type="([^"]*)"', line)
            counts[kind[1] if kind else ""] = counts.get(kind[1] if kind else "", 0) + float(line.split()[-1])
    return counts


async def settled(stage: Stage, server: TemporalServer) -> dict[str, float]:
    """Return the counts once the server has reported everything until now.

    It reports now and then. When it reports a start that came after all else, a report is under way; when it
    reports another, that one is over; and with the third, so is the one after it, which has everything.
    """
    for _ in range(3):
        seen = counted(server).get(_START, 0)
        await stage.client.start_workflow("Nothing", id=str(uuid4()), task_queue="nobody")
        while counted(server).get(_START, 0) == seen:
            await asyncio.sleep(0.1)
    counts = counted(server)
    return {kind: count for kind, count in counts.items() if kind not in _ASIDE}


async def test_the_happy_return_costs_seventeen_actions(
    stage: Stage, temporal_server: TemporalServer
) -> None:
    """From opening to the money moved and the follow-up timer set, as the server itself counts."""
    before = await settled(stage, temporal_server)
    await refunded(stage)
    await history_of(stage)
    after = await settled(stage, temporal_server)

    spent = {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)}
    assert spent == {
        "grpc_ExecuteMultiOperation": 1,
        "message_UpdateWorkflowExecution_Acceptance": 1,
        "grpc_SignalWorkflowExecution": 2,
        "command_ScheduleActivityTask": 2,
        "command_BatchMarkers": 5,
        "command_StartTimer": 3,
        "command_UpsertWorkflowSearchAttributes": 3,
    }
    assert sum(spent.values()) == 17


async def test_the_happy_return_leaves_forty_six_events(stage: Stage) -> None:
    """History events exactly; bytes within a band."""
    await refunded(stage)
    history = await history_of(stage)

    assert len(history.events) == 46
    size = (await stage.client.get_workflow_handle(f"return/{stage.case_id}").describe()).raw_description
    assert 10_000 < size.workflow_execution_info.history_size_bytes < 25_000
