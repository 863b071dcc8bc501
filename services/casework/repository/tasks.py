"""Tasks in PostgreSQL: one method, one transaction, one step of a task."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.casework import queries
from services.casework.tasks import Step
from services.domain.case import TaskState
from services.domain.errors import IdempotencyConflict, TaskNotFound
from services.domain.ids import CaseId, StoreId, TaskId
from services.domain.inbox import InboxTask, TaskFilter, completion_form
from services.platform.database import Pool, transaction

_PLAIN = ("store_id", "queue", "assignee", "case_id", "due_before")


class TaskRepository:
    """Satisfies `services.casework.tasks.TaskStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open(self, task: InboxTask) -> InboxTask:
        """Keep a new task; the same again is the task as it stands."""
        asked = (
            task.task_id,
            task.store_id,
            task.case_id,
            task.queue,
            task.kind,
            task.title,
            task.due_at,
            list(task.outcomes),
            dict(task.context),
        )
        await self._pool.execute(queries.OPEN_TASK, *asked)
        try:
            known = await self.find(task.store_id, task.task_id)
        except TaskNotFound as error:
            raise IdempotencyConflict("the task id stands for another store's task") from error
        unmoved = replace(task, state=known.state, assignee=known.assignee, outcome=known.outcome)
        if replace(unmoved, form_json=known.form_json) != known:
            raise IdempotencyConflict("the task was opened otherwise")
        return known

    async def find(self, store_id: str, task_id: str) -> InboxTask:
        row = await self._pool.fetchrow(queries.FIND_TASK, store_id, task_id)
        if row is None:
            raise TaskNotFound("there is no such task")
        return _to_task(row)

    async def page(
        self, wanted: TaskFilter, after: tuple[datetime, str] | None, limit: int
    ) -> list[InboxTask]:
        given: dict[str, tuple[object, ...]] = {
            name: (value,) for name in _PLAIN if (value := getattr(wanted, name))
        }
        given[wanted.state or "live"] = ()
        if after is not None:
            given["after"] = after
        query, arguments = queries.narrowed(queries.LIST_TASKS, queries.TASK_CONDITIONS, given, limit)
        return [_to_task(row) for row in await self._pool.fetch(query, *arguments)]

    async def change(self, store_id: str, task_id: str, step: Step) -> InboxTask:
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(queries.LOCK_TASK, store_id, task_id)
            if row is None:
                raise TaskNotFound("there is no such task")
            task = _to_task(row)
            change = step(task)
            if change is None:
                return task
            await connection.execute(
                queries.CHANGE_TASK,
                task_id,
                change.state,
                change.assignee,
                change.outcome,
                change.note,
                change.lease,
            )
        return replace(task, state=change.state, assignee=change.assignee, outcome=change.outcome)


def _to_task(row: Any) -> InboxTask:
    outcomes = tuple(row["outcomes"])
    return InboxTask(
        task_id=TaskId(row["task_id"]),
        store_id=StoreId(row["store_id"]),
        queue=row["queue"],
        kind=row["kind"],
        title=row["title"],
        due_at=row["due_at"],
        state=TaskState(row["state"]),
        case_id=CaseId(row["case_id"]) if row["case_id"] else None,
        assignee=row["assignee"],
        form_json=completion_form(outcomes),
        context=row["context"],
        outcome=row["outcome"],
        outcomes=outcomes,
    )
