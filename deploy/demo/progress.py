"""How far the demo is: bars on a terminal, and plain lines where there is none."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

REMIND_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.05


class Progress(Protocol):
    """Whoever shows how far it is; stages come one after the other."""

    def begin(self, stage: str, total: int) -> None: ...
    def advance(self) -> None: ...


@asynccontextmanager
async def progress_on(console: Console) -> AsyncIterator[Progress]:
    """Show progress for as long as the block lasts."""
    if console.is_terminal:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with RichProgress(*columns, console=console) as bars:
            yield _Bars(bars)
        return
    lines = Lines(lambda line: console.print(line, markup=False, highlight=False))
    reminding = asyncio.create_task(lines.remind())
    try:
        yield lines
    finally:
        reminding.cancel()
        with suppress(asyncio.CancelledError):
            await reminding


@dataclass(slots=True)
class _Bars:
    _bars: RichProgress
    _stage: TaskID | None = None

    def begin(self, stage: str, total: int) -> None:
        self._stage = self._bars.add_task(f"{stage:<28}", total=total)

    def advance(self) -> None:
        if self._stage is not None:
            self._bars.advance(self._stage)


@dataclass(slots=True)
class Lines:
    """A line when a stage begins, every few seconds, and when it is done."""

    say: Callable[[str], None]
    _stage: str = ""
    _done: int = 0
    _total: int = 0
    _began_at: float = field(default_factory=time.monotonic)
    _said_at: float = field(default_factory=time.monotonic)

    def begin(self, stage: str, total: int) -> None:
        self._stage, self._done, self._total, self._began_at = stage, 0, total, time.monotonic()
        self._tell()

    def advance(self) -> None:
        self._done += 1
        if self._done == self._total:
            self._tell()

    async def remind(self) -> None:
        """Tell how far it is, until cancelled."""
        while True:
            await asyncio.sleep(max(self._said_at + REMIND_SECONDS - time.monotonic(), _LOOK_SECONDS))
            if self._done < self._total and time.monotonic() >= self._said_at + REMIND_SECONDS:
                self._tell()

    def _tell(self) -> None:
        self._said_at = time.monotonic()
        took = self._said_at - self._began_at
        self.say(f"{self._stage:<28} {self._done:>3} of {self._total:>3}, {took:.0f} s")
