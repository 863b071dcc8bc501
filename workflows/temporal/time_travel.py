"""A case's own clock, moved forward: Temporal's time skipping, kept behind this one module.

It is experimental at Temporal and exists only where the server allows it (a local one); nothing else in the
project imports it.
"""

from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from services.domain.errors import Conflict


class TestClock:
    """Cases started through ``client`` have a clock of their own, at rest until it is moved."""

    def __init__(self, client: Client) -> None:
        self._skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))

    @property
    def client(self) -> Client:
        """The client through which cases with a movable clock are started."""
        return self._skipper.client

    async def advance(self, handle: WorkflowHandle[Any, Any], by: timedelta) -> datetime | None:
        """Move one case's clock; returns its time thereafter, None when the case ended on the way.

        Raises:
            Conflict: If somebody else moves it at the same time; the later one wins.
        """
        try:
            has_arrived = await self._skipper.fast_forward(handle, by)
        except RuntimeError as error:
            raise Conflict("the case's clock is being moved by another request") from error
        if not has_arrived:
            return None
        now: datetime = await handle.query("now", result_type=datetime)
        return now
