"""Tasks at a member of staff's desk: taken, given back, completed through the case that asked for them."""

from dataclasses import dataclass, replace
from typing import Protocol

from services.domain.case import Actor, CaseSnapshot, TaskState
from services.domain.errors import (
    CaseClosed,
    CaseNotFound,
    TaskAlreadyCompleted,
    TaskClaimedByOther,
    TaskNotFound,
)
from services.domain.inbox import InboxTask
from services.gateway.access import Caller
from services.gateway.commands import Commands
from workflows.messages import CompleteTask


class Inbox(Protocol):
    async def task(self, store_id: str, task_id: str) -> InboxTask: ...
    async def claim_task(self, store_id: str, task_id: str, actor: Actor) -> InboxTask: ...
    async def release_task(self, store_id: str, task_id: str, actor: Actor) -> InboxTask: ...
    async def complete_task(
        self, store_id: str, task_id: str, actor: Actor, outcome: str, note: str
    ) -> InboxTask: ...


@dataclass(frozen=True, slots=True)
class Completion:
    """A person's answer; ``command_id`` makes it one however often it is sent."""

    outcome: str
    note: str
    command_id: str


@dataclass(frozen=True, slots=True)
class Desk:
    inbox: Inbox
    commands: Commands

    async def find(self, caller: Caller, task_id: str) -> InboxTask:
        """Return a task of one of the caller's stores, of a queue the caller works in.

        Raises:
            TaskNotFound, PermissionDenied: If there is none, or it is others' work.
        """
        for store_id in sorted(caller.possible_stores):
            try:
                task = await self.inbox.task(store_id, task_id)
            except TaskNotFound:
                continue
            caller.check_works(task.queue)
            return task
        raise TaskNotFound("there is no such task")

    async def claim(self, caller: Caller, task_id: str) -> InboxTask:
        task = await self.find(caller, task_id)
        return await self.inbox.claim_task(task.store_id, task_id, caller.actor)

    async def release(self, caller: Caller, task_id: str) -> InboxTask:
        task = await self.find(caller, task_id)
        return await self.inbox.release_task(task.store_id, task_id, caller.actor)

    async def complete(
        self, caller: Caller, task: InboxTask, given: Completion
    ) -> tuple[InboxTask, CaseSnapshot | None]:
        """Give the answer; exactly one is taken per task.

        Raises:
            TaskClaimedByOther, TaskAlreadyCompleted, InvalidArgument: As the case or the inbox says.
        """
        actor = caller.actor
        if task.case_id is None:
            done = await self.inbox.complete_task(
                task.store_id, task.task_id, actor, given.outcome, given.note
            )
            return done, None
        if task.state is TaskState.CLAIMED and task.assignee != actor.actor_id:
            raise TaskClaimedByOther("a colleague has it")
        command = CompleteTask(actor, task.task_id, given.outcome, given.note)
        try:
            snapshot = await self.commands.give(
                caller, task.case_id, "complete_task", command, given.command_id
            )
        except (CaseClosed, CaseNotFound) as error:
            raise TaskAlreadyCompleted("the case does not ask any more") from error
        done = replace(task, state=TaskState.COMPLETED, outcome=given.outcome, assignee=actor.actor_id)
        return done, snapshot
