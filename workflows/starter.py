"""Cases from outside: open one, give it commands, tell it facts. The one way into a workflow."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from services.domain.case import CaseKind, CaseSnapshot
from services.domain.errors import (
    CaseClosed,
    CaseNotFound,
    DependencyUnavailable,
    RecourseError,
    ResourceExhausted,
    error_for_reason,
)
from services.domain.facts import Fact
from services.domain.ids import derived_id
from workflows.cases.return_case import ReturnCase
from workflows.messages import CaseResult, OpenCase
from workflows.names import TASK_QUEUE, workflow_id
from workflows.temporal.time_travel import TestClock

# A signal or a query is one round trip to the server next door.
_RPC: Final = timedelta(seconds=5)
WORKFLOWS: Final = {CaseKind.RETURN: ReturnCase}


class Cases:
    """Every method raises what the case refuses as the domain's errors."""

    def __init__(self, client: Client, clock: TestClock | None = None, task_queue: str = TASK_QUEUE) -> None:
        self._client = clock.client if clock else client
        self._clock = clock
        self._task_queue = task_queue

    async def open(self, request: OpenCase) -> CaseSnapshot:
        """Open a case and return it once it has decided; a repeat returns what the first was answered.

        Raises:
            RecourseError: Why it cannot be opened at all.
            DependencyUnavailable: If Temporal, or the case, does not answer; open it again with the same id.
        """
        case = WORKFLOWS[request.kind]
        start = WithStartWorkflowOperation(
            case.run,
            request,
            id=workflow_id(request.kind, request.case_id),
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=_attributes(request),
            static_summary=f"{request.kind} of order {request.order_id}, store {request.store_id}",
        )
        with _translated():
            try:
                return await self._client.execute_update_with_start_workflow(
                    case.open, start_workflow_operation=start, id=derived_id(request.case_id, "open")
                )
            except WorkflowAlreadyStartedError:
                return await self._ended(request.kind, request.case_id)

    async def command(
        self, kind: CaseKind, case_id: str, name: str, command: object, command_id: str
    ) -> CaseSnapshot:
        """Give a case the command of that name (`workflows.messages`), once per ``command_id``.

        Raises:
            RecourseError: Why the case does not take it now; ``CaseClosed`` when it has ended.
            DependencyUnavailable: If Temporal, or the case, does not answer; repeat with the same id.
        """
        handle = self._handle(kind, case_id)
        with _translated():
            try:
                snapshot: CaseSnapshot = await handle.execute_update(
                    name, command, id=command_id, result_type=CaseSnapshot
                )
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                await self._check_exists(handle)
                raise CaseClosed("the case has ended") from error
        return snapshot

    async def tell(self, kind: CaseKind, case_id: str, fact: Fact) -> bool:
        """Tell a running case a fact; False when the case has ended, or never was."""
        with _translated():
            try:
                await self._handle(kind, case_id).signal("learn", fact, rpc_timeout=_RPC)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return False
        return True

    async def now(self, kind: CaseKind, case_id: str) -> datetime:
        """Return the time by a running case's own clock.

        Raises:
            CaseNotFound, CaseClosed: If there is no such running case.
        """
        handle = self._handle(kind, case_id)
        with _translated():
            await self._check_runs(handle)
            now: datetime = await handle.query("now", result_type=datetime, rpc_timeout=_RPC)
        return now

    async def advance(self, kind: CaseKind, case_id: str, by: timedelta) -> datetime:
        """Move a case's own clock forward; returns its time thereafter (its end, if it ended on the way).

        Raises:
            CaseNotFound, CaseClosed: If there is no such running case.
            DependencyUnavailable: If this server's clocks cannot be moved, or the case waits for a service
                and its clock with it.
        """
        if self._clock is None:
            raise DependencyUnavailable("this server's clocks cannot be moved")
        handle = self._handle(kind, case_id)
        with _translated():
            await self._check_runs(handle)
            now = await self._clock.advance(handle, by)
            if now is None:
                now = (await handle.describe(rpc_timeout=_RPC)).close_time
        if now is None:
            raise DependencyUnavailable("the case waits for a service, and its clock with it; try again")
        return now

    def _handle(self, kind: CaseKind, case_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(f"{kind}/{case_id}")

    async def _ended(self, kind: CaseKind, case_id: str) -> CaseSnapshot:
        """Return a case that ended before, or raise again why it never opened."""
        handle = self._handle(kind, case_id)
        result = await self._client.get_workflow_handle(handle.id, result_type=CaseResult).result()
        if isinstance(result, CaseResult) and result.refused:
            raise _expected(result.refused, result.detail)
        snapshot: CaseSnapshot = await handle.query("current", result_type=CaseSnapshot, rpc_timeout=_RPC)
        return snapshot

    async def _check_exists(self, handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
        try:
            return (await handle.describe(rpc_timeout=_RPC)).status
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise CaseNotFound("there is no such case") from error
            raise

    async def _check_runs(self, handle: WorkflowHandle[Any, Any]) -> None:
        if await self._check_exists(handle) is not WorkflowExecutionStatus.RUNNING:
            raise CaseClosed("the case has ended")


def _attributes(request: OpenCase) -> TypedSearchAttributes:
    values = {
        "CaseKind": request.kind.value,
        "CasePhase": "verifying",
        "StoreId": request.store_id,
        "OrderId": request.order_id,
        "WaitingOn": "nobody",
    }
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in values.items()]
    )


def _expected(reason: str | None, detail: str) -> RecourseError:
    known = error_for_reason(reason or "")
    return known(detail) if known else DependencyUnavailable(f"the case failed: {reason}")


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what Temporal and the case say as the domain's errors."""
    try:
        yield
    except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
        cause = error.cause
        if isinstance(cause, ApplicationError):
            raise _expected(cause.type, cause.message) from error
        raise DependencyUnavailable("the case did not take it; try again") from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise DependencyUnavailable("the case did not answer in time") from error
    except RPCError as error:
        if error.status is RPCStatusCode.RESOURCE_EXHAUSTED:
            raise ResourceExhausted("the case is told too much at once") from error
        raise DependencyUnavailable(f"Temporal does not answer: {error.status.name.lower()}") from error
