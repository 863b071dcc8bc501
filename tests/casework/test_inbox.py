"""The inbox: what people are asked, who has taken it, and that exactly one answer is taken."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from services.clients.casework import CaseworkClient
from services.domain.case import Actor, ActorKind, TaskState
from services.domain.errors import (
    ActionNotAllowed,
    IdempotencyConflict,
    InvalidArgument,
    TaskAlreadyCompleted,
    TaskClaimedByOther,
    TaskNotFound,
)
from services.domain.ids import StoreId
from services.domain.inbox import TaskFilter
from tests.builders import NOW, STORE
from tests.casework.papers import AGENT, CASE, SENIOR, a_case_task, a_loose_task, a_snapshot

LOOSE = a_loose_task().task_id
ASKED = a_case_task().task_id
LAPSE = "UPDATE tasks SET claimed_until = now() - interval '1 second' WHERE task_id = $1"
LEASES = "SELECT claimed_until - now() AS left FROM tasks WHERE task_id = $1"


@pytest.fixture
async def inbox(casework: CaseworkClient) -> CaseworkClient:
    """A task of a case, and one without."""
    await casework.open_task(a_loose_task())
    await casework.publish(a_snapshot(tasks=(a_case_task(),)))
    return casework


@pytest.fixture
async def crowded(inbox: CaseworkClient) -> CaseworkClient:
    """The same with all its connections open, so that those who come at once really meet."""
    for _ in range(3):
        await asyncio.gather(*(inbox.task(STORE, LOOSE) for _ in range(40)))
    return inbox


def people(count: int) -> list[Actor]:
    return [Actor(ActorKind.STAFF, f"agent-{number}", ("agent",)) for number in range(count)]


async def test_a_case_asks_through_the_inbox(inbox):
    """What a snapshot asks is a task: whose, of whom, until when, and the form of its answer."""
    task = await inbox.task(STORE, ASKED)

    assert (task.case_id, task.queue, task.kind) == (CASE, "agents", "review")
    assert (task.title, task.due_at) == (a_case_task().title, a_case_task().due_at)
    assert (task.state, task.assignee, task.outcomes) == (TaskState.OPEN, None, ("approve", "deny"))
    assert task.context == {"order_id": "536365"}
    form = json.loads(task.form_json)
    assert form["properties"]["outcome"]["enum"] == ["approve", "deny"]
    assert form["required"] == ["outcome"]


async def test_opening_a_task_again_changes_nothing(inbox):
    """The same task is one, however far it is; another body is a conflict."""
    await inbox.claim_task(STORE, LOOSE, AGENT)

    again = await inbox.open_task(a_loose_task())

    assert (again.state, again.assignee) == (TaskState.CLAIMED, "agent-1")
    with pytest.raises(IdempotencyConflict):
        await inbox.open_task(a_loose_task(title="Something else"))
    with pytest.raises(IdempotencyConflict):
        await inbox.open_task(a_loose_task(store_id=StoreId("other")))


@pytest.mark.parametrize("task_id", [LOOSE, ASKED])
async def test_of_twenty_who_claim_a_task_one_has_it(crowded, task_id):
    """The others are told who."""
    outcomes = await asyncio.gather(
        *(crowded.claim_task(STORE, task_id, who) for who in people(20)), return_exceptions=True
    )

    winner = (await crowded.task(STORE, task_id)).assignee
    refused = [outcome for outcome in outcomes if isinstance(outcome, TaskClaimedByOther)]
    assert len(refused) == 19
    assert all(winner in str(refusal) for refusal in refused)


@pytest.mark.parametrize("task_id", [LOOSE, ASKED])
async def test_a_claim_is_a_lease_of_a_quarter_of_an_hour(inbox, database, task_id):
    """The same person renews it; once it has lapsed, the task is open to anybody."""
    behind = await database("casework")
    await inbox.claim_task(STORE, task_id, AGENT)
    await behind.execute(LAPSE, task_id)
    lapsed = await inbox.task(STORE, task_id)
    taken = await inbox.claim_task(STORE, task_id, SENIOR)
    renewed = await inbox.claim_task(STORE, task_id, SENIOR)
    left = await behind.fetchval(LEASES, task_id)

    assert (lapsed.state, lapsed.assignee) == (TaskState.OPEN, None)
    assert (taken.state, taken.assignee) == (TaskState.CLAIMED, "senior-1")
    assert renewed == taken
    assert timedelta(minutes=14, seconds=30) < left <= timedelta(minutes=15)


@pytest.mark.parametrize("task_id", [LOOSE, ASKED])
async def test_only_who_has_a_task_gives_it_back(inbox, task_id):
    """Giving back what nobody holds is harmless."""
    await inbox.claim_task(STORE, task_id, AGENT)
    with pytest.raises(TaskClaimedByOther):
        await inbox.release_task(STORE, task_id, SENIOR)

    released = [await inbox.release_task(STORE, task_id, AGENT) for _ in range(2)]

    assert [(task.state, task.assignee) for task in released] == [(TaskState.OPEN, None)] * 2
    assert (await inbox.claim_task(STORE, task_id, SENIOR)).assignee == "senior-1"


async def test_of_twenty_who_complete_a_task_one_does(crowded):
    """The others are told that it is done, and by whom."""
    outcomes = await asyncio.gather(
        *(crowded.complete_task(STORE, LOOSE, who, "matched", "") for who in people(20)),
        return_exceptions=True,
    )

    task = await crowded.task(STORE, LOOSE)
    refused = [outcome for outcome in outcomes if isinstance(outcome, TaskAlreadyCompleted)]
    assert (task.state, task.outcome, len(refused)) == (TaskState.COMPLETED, "matched", 19)
    assert all(task.assignee in str(refusal) for refusal in refused)


async def test_the_same_answer_again_is_a_repeat(inbox):
    """Of the same person; another answer, or another person, comes too late."""
    first = await inbox.complete_task(STORE, LOOSE, AGENT, "matched", "RT-7K3M-9QX1")
    again = await inbox.complete_task(STORE, LOOSE, AGENT, "matched", "RT-7K3M-9QX1")

    assert again == first
    for who, outcome in ((AGENT, "returned_to_sender"), (SENIOR, "matched")):
        with pytest.raises(TaskAlreadyCompleted, match="agent-1"):
            await inbox.complete_task(STORE, LOOSE, who, outcome, "")
    with pytest.raises(TaskAlreadyCompleted, match="agent-1"):
        await inbox.claim_task(STORE, LOOSE, SENIOR)
    with pytest.raises(TaskAlreadyCompleted, match="agent-1"):
        await inbox.release_task(STORE, LOOSE, AGENT)


async def test_what_one_person_holds_no_other_completes(inbox):
    """Until the claim lapses."""
    await inbox.claim_task(STORE, LOOSE, SENIOR)

    with pytest.raises(TaskClaimedByOther, match="senior-1"):
        await inbox.complete_task(STORE, LOOSE, AGENT, "matched", "")
    done = await inbox.complete_task(STORE, LOOSE, SENIOR, "matched", "")

    assert (done.state, done.assignee) == (TaskState.COMPLETED, "senior-1")


async def test_only_the_answers_of_the_form_are_taken(inbox):
    """Anything else is bad input, and the task stays open."""
    with pytest.raises(InvalidArgument):
        await inbox.complete_task(STORE, LOOSE, AGENT, "burnt", "")

    assert (await inbox.task(STORE, LOOSE)).state is TaskState.OPEN


async def test_a_case_takes_its_answers_itself(inbox):
    """The inbox refuses, so that the workflow is never passed by."""
    with pytest.raises(ActionNotAllowed):
        await inbox.complete_task(STORE, ASKED, AGENT, "approve", "")

    assert (await inbox.task(STORE, ASKED)).state is TaskState.OPEN


async def test_a_claim_outlives_the_case_going_on(inbox):
    """While the case still asks, whoever has the task keeps it; a new due time arrives all the same."""
    await inbox.claim_task(STORE, ASKED, AGENT)
    later = a_case_task(due_at=NOW + timedelta(days=5))

    await inbox.publish(a_snapshot(sequence=2, tasks=(later,)))

    task = await inbox.task(STORE, ASKED)
    assert (task.state, task.assignee, task.due_at) == (TaskState.CLAIMED, "agent-1", later.due_at)


async def test_a_task_is_as_the_newest_snapshot_asks(inbox):
    """An older one that arrives late changes nothing of it."""
    newest = a_case_task(title="Decide at once", due_at=NOW + timedelta(hours=1))
    await inbox.publish(a_snapshot(sequence=4, tasks=(newest,)))
    await inbox.publish(a_snapshot(sequence=3, tasks=(a_case_task(),)))

    task = await inbox.task(STORE, ASKED)

    assert (task.title, task.due_at) == (newest.title, newest.due_at)


@pytest.mark.parametrize("state", [TaskState.COMPLETED, TaskState.CANCELED])
async def test_what_a_case_has_done_with_is_never_reopened(inbox, state):
    """Neither by an older snapshot that arrives late, nor by a repeat."""
    await inbox.claim_task(STORE, ASKED, AGENT)
    answer = {"outcome": "approve", "completed_by": SENIOR} if state is TaskState.COMPLETED else {}
    done = a_case_task(state=state, **answer)
    await inbox.publish(a_snapshot(sequence=4, tasks=(done,)))
    for sequence in (2, 4, 5):
        await inbox.publish(a_snapshot(sequence=sequence, tasks=(a_case_task(),)))

    task = await inbox.task(STORE, ASKED)

    assert (task.state, task.outcome) == (state, answer.get("outcome"))
    with pytest.raises(TaskAlreadyCompleted, match="senior-1" if answer else "case"):
        await inbox.claim_task(STORE, ASKED, AGENT)


async def test_an_answered_task_may_arrive_before_its_question(casework):
    """The snapshot that asked is overtaken by the one that has the answer."""
    done = a_case_task(state=TaskState.COMPLETED, outcome="deny", completed_by=SENIOR)
    await casework.publish(a_snapshot(sequence=2, tasks=(done,)))
    await casework.publish(a_snapshot(sequence=1, tasks=(a_case_task(),)))

    assert (await casework.task(STORE, ASKED)).state is TaskState.COMPLETED


async def test_a_question_of_an_overtaken_snapshot_is_not_lost(casework):
    """A snapshot brings only what is new: the task of an older one is known from it alone."""
    await casework.publish(a_snapshot(sequence=2))
    await casework.publish(a_snapshot(sequence=1, tasks=(a_case_task(),)))

    assert (await casework.task(STORE, ASKED)).state is TaskState.OPEN


@pytest.mark.parametrize("act", ["task", "claim_task", "release_task", "complete_task"])
async def test_another_stores_task_does_not_exist(inbox, act):
    """Nor does one that nobody opened."""
    arguments = {"task": (), "claim_task": (AGENT,), "release_task": (AGENT,)}
    for store_id, task_id in (("other", LOOSE), (STORE, "no-such-task")):
        with pytest.raises(TaskNotFound):
            await getattr(inbox, act)(store_id, task_id, *arguments.get(act, (AGENT, "matched", "")))


@pytest.fixture
async def queues(casework: CaseworkClient) -> CaseworkClient:
    """Six tasks, one a day: agent-1 holds 2, has done 3, and once held 4; a case asks the last."""
    for number in range(5):
        due_at = NOW + timedelta(days=number)
        await casework.open_task(a_loose_task(str(number), queue=f"q{number % 2}", due_at=due_at))
    for number in (2, 3, 4):
        await casework.claim_task(STORE, a_loose_task(str(number)).task_id, AGENT)
    await casework.complete_task(STORE, a_loose_task("3").task_id, AGENT, "matched", "")
    await casework.publish(a_snapshot(tasks=(a_case_task(due_at=NOW + timedelta(days=5)),)))
    return casework


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2, 4, 5]),
        ({"queue": "q0"}, [0, 2, 4]),
        ({"state": TaskState.OPEN}, [0, 1, 4, 5]),
        ({"state": TaskState.CLAIMED}, [2]),
        ({"state": TaskState.COMPLETED}, [3]),
        ({"state": TaskState.CANCELED}, []),
        ({"assignee": "agent-1"}, [2]),
        ({"assignee": "agent-1", "state": TaskState.COMPLETED}, [3]),
        ({"case_id": CASE}, [5]),
        ({"due_before": NOW + timedelta(days=2)}, [0, 1]),
        ({"queue": "q1", "due_before": NOW + timedelta(days=2)}, [1]),
    ],
)
async def test_a_list_of_tasks_is_narrowed(queues, database, wanted, found):
    """Soonest due first; done ones only when asked for; a lapsed claim is none."""
    await (await database("casework")).execute(LAPSE, a_loose_task("4").task_id)

    tasks, cursor = await queues.tasks(TaskFilter(STORE, **wanted), "", 50)

    assert ([(task.due_at - NOW).days for task in tasks], cursor) == (found, "")


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_a_list_of_tasks_goes_on_where_its_page_ended(queues, limit):
    """No task twice, none left out, also among those due at the same instant."""
    twins = [a_loose_task(f"twin-{number}", due_at=NOW) for number in range(3)]
    for twin in twins:
        await queues.open_task(twin)
    seen, cursor = [], ""
    while True:
        page, cursor = await queues.tasks(TaskFilter(STORE), cursor, limit)
        seen += page
        if not cursor:
            break

    assert len({task.task_id for task in seen}) == len(seen) == 8
    assert [task.due_at for task in seen] == sorted(task.due_at for task in seen)


async def test_a_store_lists_its_own_tasks(queues):
    """Another store has another inbox."""
    await queues.open_task(replace(a_loose_task("theirs"), store_id=StoreId("other")))

    tasks, _ = await queues.tasks(TaskFilter(StoreId("other")), "", 50)

    assert [task.task_id for task in tasks] == [a_loose_task("theirs").task_id]
