"""The running cases on a Temporal server that may be away."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.converter import PayloadCodec
from temporalio.service import RPCError

from services.domain.errors import DependencyUnavailable
from services.gateway.casebook import CaseBook
from services.gateway.connecting import Lazy
from services.gateway.settings import GatewaySettings
from services.platform.secrets import Secrets
from workflows.names import TASK_QUEUE
from workflows.starter import Cases
from workflows.temporal.client import connect
from workflows.temporal.codec import SealedPayloads
from workflows.temporal.time_travel import TestClock

_HEALTH: Final = timedelta(seconds=2)
# A worker with nothing to do asks for work once a minute, and the server remembers it for five.
_LONGEST_POLL: Final = timedelta(seconds=75)


@dataclass(frozen=True, slots=True)
class DistantTemporal:
    """A check raises while what it is named after is away; ``codec`` opens what histories keep sealed."""

    cases: Lazy[CaseBook]
    check_server: Callable[[], Awaitable[None]]
    check_worker: Callable[[], Awaitable[None]]
    codec: PayloadCodec


def distant_temporal(
    settings: GatewaySettings, secrets: Secrets, longest_poll: timedelta = _LONGEST_POLL
) -> DistantTemporal:
    """Return the server of the settings, to be connected at first use."""

    async def connect_client() -> Client:
        return await connect(settings.temporal_address, secrets, settings.temporal_namespace)

    client = Lazy("temporal", connect_client)

    async def connect_cases() -> CaseBook:
        connected = await client.get()
        return Cases(connected, TestClock(connected) if settings.test_clock else None)

    async def check_server() -> None:
        connected = await client.get()
        try:
            is_serving = await connected.service_client.check_health(timeout=_HEALTH)
        except RPCError as error:
            raise DependencyUnavailable("temporal does not answer") from error
        if not is_serving:
            raise DependencyUnavailable("temporal does not serve")

    async def check_worker() -> None:
        try:
            polled_at = await _last_poll(await client.get())
        except DependencyUnavailable:
            # Of a server that is away nothing is known of workers; it is named itself.
            return
        if polled_at is None or polled_at < datetime.now(UTC) - longest_poll:
            raise DependencyUnavailable("no worker asks for work")

    cases = Lazy("cases", connect_cases)
    return DistantTemporal(cases, check_server, check_worker, SealedPayloads.of(secrets))


async def _last_poll(client: Client) -> datetime | None:
    """Return when a worker last asked for a case to work on, as far as the server remembers."""
    asked = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        queue = await client.workflow_service.describe_task_queue(asked, timeout=_HEALTH)
    except RPCError as error:
        raise DependencyUnavailable("temporal does not answer") from error
    return max((poller.last_access_time.ToDatetime(UTC) for poller in queue.pollers), default=None)
