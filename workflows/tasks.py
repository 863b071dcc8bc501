"""Tasks: what a case asks people to do. Exactly one answer is taken per task."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.domain.case import Actor, CaseTask, TaskState
from services.domain.errors import InvalidArgument, TaskAlreadyCompleted, TaskNotFound
from services.domain.ids import CaseId, TaskId, task_id_for


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask whom; ``outcomes`` are the answers the case takes."""

    kind: str
    queue: str
    title: str
    outcomes: tuple[str, ...]
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass
class TaskDesk:
    """A case's tasks, open and done, and which of them have changed since they were last published."""

    case_id: CaseId
    _tasks: dict[TaskId, CaseTask] = field(default_factory=dict)
    _unpublished: list[TaskId] = field(default_factory=list)
    _asked: int = 0

    def open(self, ask: Ask, due_at: datetime) -> CaseTask:
        """Ask a person."""
        task = CaseTask(
            task_id=self.next_id(ask.kind),
            queue=ask.queue,
            kind=ask.kind,
            title=ask.title,
            due_at=due_at,
            outcomes=ask.outcomes,
            context=ask.context,
        )
        self._put(task)
        return task

    def next_id(self, kind: str) -> TaskId:
        """Return the id of the next task: derived from the case, its kind and how many were asked before."""
        self._asked += 1
        return task_id_for(self.case_id, f"{kind}-{self._asked}")

    def check(self, task_id: str, outcome: str) -> CaseTask:
        """Return the task, or refuse an answer that cannot be taken.

        Raises:
            TaskNotFound, TaskAlreadyCompleted, InvalidArgument: See each.
        """
        task = self._tasks.get(TaskId(task_id))
        if task is None:
            raise TaskNotFound("the case has no such task")
        if task.state is not TaskState.OPEN:
            by = task.completed_by.actor_id if task.completed_by else "the case itself"
            raise TaskAlreadyCompleted(f"already completed by {by}")
        if outcome not in task.outcomes:
            raise InvalidArgument(f"outcome is one of {', '.join(task.outcomes)}")
        return task

    def complete(self, task_id: str, outcome: str, by: Actor) -> CaseTask:
        """Take the answer; ``check`` must have passed."""
        task = replace(
            self._tasks[TaskId(task_id)],
            state=TaskState.COMPLETED,
            outcome=outcome,
            completed_by=by,
        )
        self._put(task)
        return task

    def is_open(self, task: CaseTask) -> bool:
        """Tell whether ``task`` still waits for its answer."""
        return self._tasks[task.task_id].state is TaskState.OPEN

    def cancel(self, task: CaseTask) -> None:
        """Withdraw a question that no longer matters; one that was answered stays answered."""
        if self.is_open(task):
            self._put(replace(self._tasks[task.task_id], state=TaskState.CANCELED))

    def cancel_open(self) -> None:
        """Withdraw all questions."""
        for task in list(self._tasks.values()):
            self.cancel(task)

    def outcome_of(self, task: CaseTask) -> str | None:
        """Return the answer to ``task``, or None while there is none."""
        return self._tasks[task.task_id].outcome

    def answered_by(self, task: CaseTask) -> str:
        """Return who answered, as an account's id."""
        actor = self._tasks[task.task_id].completed_by
        return actor.actor_id if actor else "nobody"

    def take_unpublished(self) -> tuple[CaseTask, ...]:
        """Return what has changed since this was last called."""
        changed = tuple(self._tasks[task_id] for task_id in dict.fromkeys(self._unpublished))
        self._unpublished.clear()
        return changed

    def _put(self, task: CaseTask) -> None:
        self._tasks[task.task_id] = task
        self._unpublished.append(task.task_id)
