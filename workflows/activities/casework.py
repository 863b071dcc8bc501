"""The register: a case's snapshot, published whenever it falls asleep."""

from dataclasses import dataclass
from typing import Protocol

from temporalio import activity

from services.domain.case import CaseSnapshot
from services.domain.inbox import InboxTask
from workflows.activities.errors import translated


class Register(Protocol):
    async def publish(self, snapshot: CaseSnapshot) -> None: ...
    async def open_task(self, task: InboxTask) -> InboxTask: ...


@dataclass
class CaseworkActivities:
    register: Register

    @activity.defn
    async def publish_case(self, snapshot: CaseSnapshot) -> None:
        """Make the snapshot what everybody reads."""
        with translated():
            await self.register.publish(snapshot)

    @activity.defn
    async def open_task(self, task: InboxTask) -> None:
        """Ask people for something that outlives the case."""
        with translated():
            await self.register.open_task(task)
