"""The client of `EventService`, which every service that learns facts mounts."""

from collections.abc import Sequence
from typing import Final

import grpc

from recourse.events.v1 import events_pb2 as pb
from recourse.events.v1 import events_pb2_grpc
from services.domain.facts import Fact
from services.platform.grpc_channel import call
from services.platform.wire import from_wire

_SECONDS: Final = 5.0


class EventClient:
    """Pulls the facts of one service, and says which were delivered."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = events_pb2_grpc.EventServiceStub(channel)

    async def pull(
        self, limit: int, lease_seconds: int, wait_seconds: int, delivered: Sequence[str] = ()
    ) -> list[Fact]:
        """Acknowledge what was ``delivered`` (event ids), and lease up to ``limit`` facts, oldest first.

        Waits ``wait_seconds`` for the first to come.
        """
        request = pb.PullEventsRequest(
            max_events=limit,
            lease_seconds=lease_seconds,
            wait_seconds=wait_seconds,
            delivered_event_ids=delivered,
        )
        answer = await call(
            self._stub.PullEvents, request, pb.PullEventsResponse, seconds=wait_seconds + _SECONDS
        )
        return [from_wire(leased.fact, Fact) for leased in answer.events]
