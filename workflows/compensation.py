"""Undo: pushed before the deed, run newest first, past failures, also under cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from temporalio import workflow
from temporalio.exceptions import FailureError


@dataclass
class Compensations:
    """What would have to be undone. Each step is harmless when its deed was never done."""

    _steps: list[tuple[str, Callable[[], Awaitable[None]]]] = field(default_factory=list)

    def push(self, name: str, undo: Callable[[], Awaitable[None]]) -> None:
        """Register ``undo`` before the deed named ``name`` is tried."""
        self._steps.append((name, undo))

    def discard(self) -> None:
        """Forget all: the point of no return is passed."""
        self._steps.clear()

    async def run(self) -> list[str]:
        """Undo everything, newest first, and return the names of the steps that could not be undone."""
        return await asyncio.shield(self._run())

    async def _run(self) -> list[str]:
        failed: list[str] = []
        while self._steps:
            name, undo = self._steps.pop()
            try:
                await undo()
            except FailureError as error:
                workflow.logger.warning("compensation.failed", extra={"step": name, "error": str(error)})
                failed.append(name)
        return failed
