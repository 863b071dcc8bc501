"""The cases as Temporal knows them, for the sweep to read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from services.domain.case import CaseKind, CaseSnapshot
from services.domain.ids import CaseId
from workflows.names import WORKFLOW_TYPES

_RPC: Final = timedelta(seconds=5)


class TemporalDirectory:
    """Satisfies `workflows.activities.sweeping.Directory`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def running(self) -> AsyncIterator[tuple[CaseKind, CaseId]]:
        """Go through the running cases; visibility may be some seconds behind."""
        types = " OR ".join(f"WorkflowType = '{name}'" for name in WORKFLOW_TYPES.values())
        async for found in self._client.list_workflows(f"({types}) AND ExecutionStatus = 'Running'"):
            kind, _, case_id = found.id.partition("/")
            yield CaseKind(kind), CaseId(case_id)

    async def is_running(self, kind: CaseKind, case_id: str) -> bool:
        handle = self._client.get_workflow_handle(f"{kind}/{case_id}")
        try:
            status = (await handle.describe(rpc_timeout=_RPC)).status
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return status is WorkflowExecutionStatus.RUNNING

    async def current(self, kind: CaseKind, case_id: str) -> CaseSnapshot:
        handle = self._client.get_workflow_handle(f"{kind}/{case_id}")
        snapshot: CaseSnapshot = await handle.query("current", result_type=CaseSnapshot, rpc_timeout=_RPC)
        return snapshot
