"""Running cases survive a deploy: what was recorded replays, and commands keep their place."""

import json

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from tests.fixtures.temporal import Stage, a_secrets
from tests.workflows.scenarios import HISTORIES, SCENARIOS, fingerprint, history_of
from workflows.hosting import case_worker, sandbox
from workflows.starter import WORKFLOWS
from workflows.temporal.client import data_converter

RECORDED = sorted(path.stem for path in HISTORIES.glob("*.json") if path.stem != "fingerprints")


def a_replayer() -> Replayer:
    return Replayer(
        workflows=list(WORKFLOWS.values()),
        data_converter=data_converter(a_secrets()),
        workflow_runner=sandbox(),
    )


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_case_replays(name: str) -> None:
    """Ended or in the middle of it: today's code takes every recorded case to where it was."""
    history = WorkflowHistory.from_json(f"return/{name}", (HISTORIES / f"{name}.json").read_text())
    replayed = await a_replayer().replay_workflow(history, raise_on_replay_failure=False)

    assert replayed.replay_failure is None


def test_every_scenario_is_recorded() -> None:
    """A scenario without a recording would not be replayed."""
    assert set(SCENARIOS) <= set(RECORDED)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_commands_come_in_the_recorded_order(stage: Stage, name: str) -> None:
    """A change of command order is a decision: it needs a patch, and a new recording."""
    await SCENARIOS[name](stage)
    fingerprints = json.loads((HISTORIES / "fingerprints.json").read_text())

    assert fingerprint(await history_of(stage)) == fingerprints[name]


@pytest.mark.parametrize("name", ["rated", "late_after_expiry", "rejected", "settled_after_polls"])
async def test_a_worker_that_remembers_nothing_comes_to_the_same(temporal: Client, name: str) -> None:
    """Without a cache every workflow task replays the case from its beginning."""
    stage = Stage(temporal)
    async with case_worker(temporal, stage.outside(), task_queue=stage.task_queue, max_cached_workflows=0):
        await SCENARIOS[name](stage)

    assert stage.world.register.cases[stage.case_id].outcome in {"refunded", "partially_refunded"}
