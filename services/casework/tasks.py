"""The inbox: what people are asked, who has taken it, and what they answered. Exactly one answer is taken."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.casework import cursors
from services.domain.case import Actor, TaskState
from services.domain.errors import (
    ActionNotAllowed,
    FieldProblem,
    InvalidArgument,
    TaskAlreadyCompleted,
    TaskClaimedByOther,
)
from services.domain.inbox import InboxTask, TaskFilter


@dataclass(frozen=True, slots=True)
class TaskChange:
    """What becomes of a task; ``lease`` is how long it is held from now on."""

    state: TaskState
    assignee: str | None = None
    outcome: str | None = None
    note: str = ""
    lease: timedelta | None = None


# Decides on a task as it stands, a lapsed claim counting as none; None leaves it alone.
Step = Callable[[InboxTask], TaskChange | None]


class TaskStore(Protocol):
    """Where tasks are kept; every method is one transaction."""

    async def open(self, task: InboxTask) -> InboxTask: ...
    async def find(self, store_id: str, task_id: str) -> InboxTask: ...
    async def page(
        self, wanted: TaskFilter, after: tuple[datetime, str] | None, limit: int
    ) -> list[InboxTask]: ...
    async def change(self, store_id: str, task_id: str, step: Step) -> InboxTask:
        """Apply ``step`` while nobody else changes the task; returns the task thereafter."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """A claim is a ``lease`` by the wall's clock: whoever forgets a task does not keep it."""

    store: TaskStore
    lease: timedelta

    async def page(self, wanted: TaskFilter, cursor: str, limit: int) -> tuple[list[InboxTask], str]:
        """Return a page, the soonest due first, and the cursor of the next (empty on the last)."""
        tasks = await self.store.page(wanted, cursors.read_instant(cursor), limit + 1)
        page = tasks[:limit]
        return page, cursors.after_instant(page[-1].due_at, page[-1].task_id) if len(tasks) > limit else ""

    async def claim(self, store_id: str, task_id: str, actor: Actor) -> InboxTask:
        """Take a task for one person; the same person again renews the lease."""

        def step(task: InboxTask) -> TaskChange:
            _check_not_done(task)
            _check_not_others(task, actor)
            return TaskChange(TaskState.CLAIMED, assignee=actor.actor_id, lease=self.lease)

        return await self.store.change(store_id, task_id, step)

    async def release(self, store_id: str, task_id: str, actor: Actor) -> InboxTask:
        """Give a task back to its queue; one that nobody holds stays there."""

        def step(task: InboxTask) -> TaskChange:
            _check_not_done(task)
            _check_not_others(task, actor)
            return TaskChange(TaskState.OPEN)

        return await self.store.change(store_id, task_id, step)

    async def complete(self, store_id: str, task_id: str, actor: Actor, outcome: str, note: str) -> InboxTask:
        """Take the answer to a task that belongs to no case; a case takes its answers itself.

        Raises:
            TaskAlreadyCompleted: With who did; the same person's same outcome is a repeat.
        """

        def step(task: InboxTask) -> TaskChange | None:
            if task.state is TaskState.COMPLETED and (task.assignee, task.outcome) == (
                actor.actor_id,
                outcome,
            ):
                return None
            _check_not_done(task)
            if task.case_id is not None:
                raise ActionNotAllowed(f"case {task.case_id} takes the answer")
            _check_not_others(task, actor)
            _check_outcome(task, outcome)
            return TaskChange(TaskState.COMPLETED, assignee=actor.actor_id, outcome=outcome, note=note)

        return await self.store.change(store_id, task_id, step)


def _check_not_done(task: InboxTask) -> None:
    if task.state is TaskState.COMPLETED:
        raise TaskAlreadyCompleted(f"already completed by {task.assignee or 'the case itself'}")
    if task.state is TaskState.CANCELED:
        raise TaskAlreadyCompleted("the case does not ask any more")


def _check_not_others(task: InboxTask, actor: Actor) -> None:
    if task.state is TaskState.CLAIMED and task.assignee != actor.actor_id:
        raise TaskClaimedByOther(f"{task.assignee} has it")


def _check_outcome(task: InboxTask, outcome: str) -> None:
    if task.outcomes and outcome not in task.outcomes:
        problem = FieldProblem("/outcome", "unknown_value", f"one of {', '.join(task.outcomes)}")
        raise InvalidArgument("the task takes no such outcome", problems=(problem,))
