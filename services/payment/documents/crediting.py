"""The notes that refunds need: written by themselves, soon after, and never in a refund's way.

What settles a refund leaves a row in the same transaction. This works the rows off, one transaction each:
whoever dies in between leaves the row.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import structlog

from services.domain.ids import RefundId
from services.domain.invoice import Document
from services.platform.database import NOT_NOW

log = structlog.get_logger()

# How soon what could not be done is tried again at first; then twice as long, up to 64 times.
RETRY: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Due:
    """A refund that was looked at: the note it needed, if any, or why there is none yet."""

    refund_id: RefundId
    document: Document | None
    problem: str | None = None


class Dues(Protocol):
    async def take(self) -> Due | None: ...


@dataclass(frozen=True, slots=True)
class Crediting:
    """Works off what is due; several processes may."""

    dues: Dues
    seconds: float

    async def run(self) -> None:
        """Look again and again, for as long as the process lives."""
        while True:
            try:
                await self.work_off()
            except NOT_NOW as error:
                log.warning("notes.delayed", problem=type(error).__name__)
            except Exception:
                log.exception("notes.failed")
            await asyncio.sleep(self.seconds)

    async def work_off(self) -> None:
        """Do all that is due now."""
        while (due := await self.dues.take()) is not None:
            if due.document is not None:
                log.info("document.issued", number=due.document.number, kind=due.document.draft.kind)
            elif due.problem is not None:
                log.warning("note.refused", refund_id=due.refund_id, problem=due.problem)
