"""Errands: effects nobody has to wait for, run at once or caught up with when a service is down."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.effects import refusal
from workflows.options import PATIENT, QUICK

Subject = TypeVar("Subject")
Argument = TypeVar("Argument")


@dataclass
class Errands:
    """What is still being caught up with; a case ends only when nothing is."""

    _behind: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def run(
        self,
        activity: Callable[[Subject, Argument], Coroutine[Any, Any, None]],
        argument: Argument,
        *,
        after: "asyncio.Task[None] | None" = None,
    ) -> None:
        """Run an idempotent activity now, or leave it behind to be done when its service is back.

        While ``after`` is not done, the errand waits behind for it. What the service refuses is logged and
        dropped: an errand never stops a case.
        """
        if after is not None and not after.done():
            self._leave_behind(_catch_up(activity, argument, after))
            return
        try:
            await workflow.execute_local_activity_method(activity, argument, **QUICK)
        except FailureError as error:
            if refused := refusal(error):
                workflow.logger.error("errand.refused", extra={"reason": refused.type})
                return
            self._leave_behind(_catch_up(activity, argument, None))

    def _leave_behind(self, errand: Coroutine[Any, Any, None]) -> None:
        behind = asyncio.create_task(errand)
        self._behind.add(behind)
        behind.add_done_callback(self._behind.discard)

    async def done(self) -> None:
        """Wait until everything left behind is done."""
        await workflow.wait_condition(lambda: not self._behind)


async def _catch_up(
    activity: Callable[[Subject, Argument], Coroutine[Any, Any, None]],
    argument: Argument,
    after: "asyncio.Task[None] | None",
) -> None:
    if after is not None:
        await workflow.wait_condition(after.done)
    try:
        await workflow.execute_activity_method(activity, argument, **PATIENT)
    except FailureError as error:
        workflow.logger.error("errand.failed", extra={"error": str(error.cause)})
