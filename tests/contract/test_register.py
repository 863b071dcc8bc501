"""The register shows the newest that a case has published, and keeps all that it has told."""

from dataclasses import replace

import pytest

from services.domain.case import TaskState
from services.domain.errors import CaseNotFound, IdempotencyConflict, TaskNotFound
from services.domain.ids import derived_id
from tests.builders import STORE
from tests.casework.papers import AGENT, CASE, a_case_task, a_loose_task, a_snapshot, an_entry


async def test_the_newest_snapshot_is_shown(register, told):
    """One that was overtaken changes nothing, but what it tells is not lost; a repeat is harmless."""
    first = a_snapshot(sequence=1, timeline=(an_entry(1),))
    second = a_snapshot(sequence=2, phase="in_transit", timeline=(an_entry(2),))
    for snapshot in (second, first, second, first):
        await register.publish(snapshot)

    assert await register.get(STORE, CASE) == replace(second, timeline=())
    assert await told(CASE) == [f"{CASE}/1", f"{CASE}/2"]


async def test_a_case_is_seen_by_its_store(register):
    """Nobody else's, and none that was never published; services need no store."""
    await register.publish(a_snapshot())

    assert (await register.get("", CASE)).case_id == CASE
    for store, case_id in (("other", CASE), (STORE, "RT-0000-0000")):
        with pytest.raises(CaseNotFound):
            await register.get(store, case_id)


async def test_a_task_is_as_its_case_last_said(register):
    """Asked, answered; an older snapshot that comes late does not ask again."""
    asked = a_case_task()
    done = replace(asked, state=TaskState.COMPLETED, outcome="approve", completed_by=AGENT)
    for snapshot in (
        a_snapshot(sequence=1, tasks=(asked,)),
        a_snapshot(sequence=3, tasks=(done,)),
        a_snapshot(sequence=2, tasks=(asked,)),
    ):
        await register.publish(snapshot)

    task = await register.task(STORE, asked.task_id)
    assert (task.state, task.outcome, task.case_id) == (TaskState.COMPLETED, "approve", CASE)
    assert (task.queue, task.outcomes) == (asked.queue, asked.outcomes)


async def test_a_task_without_a_case_is_opened_once(register):
    """The same task again is the same one; another body is a conflict."""
    wanted = a_loose_task()
    first = await register.open_task(wanted)

    assert await register.open_task(wanted) == first
    assert await register.task(STORE, wanted.task_id) == first
    assert '"enum"' in first.form_json
    with pytest.raises(IdempotencyConflict):
        await register.open_task(replace(wanted, title="Something else"))
    with pytest.raises(TaskNotFound):
        await register.task(STORE, derived_id("unknown"))
