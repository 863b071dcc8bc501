"""The supervisor: starts the processes in order, watches them, restarts what dies, ends them in reverse.

Its children die with it, however it dies: the kernel sees to that.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.local.children import spawn
from deploy.local.places import ROOT, StatePlaces
from deploy.local.processes import Process
from deploy.local.status import Condition, ProcessStatus, StackStatus

_LOOK_SECONDS: Final = 0.1
_LAST_WORDS: Final = 8


class StartFailed(Exception):
    """The stack did not start; the message says which process, why, and where its log is."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the supervisor waits for what, in seconds (a log's longest is in bytes).

    A process that dies is started again after ``first_back_off``, doubled each time up to
    ``longest_back_off``; having lived for ``steady``, it counts as sound again.
    """

    ready_within: float = 150.0
    end_within: float = 10.0
    first_back_off: float = 1.0
    longest_back_off: float = 30.0
    steady: float = 60.0
    longest_log: int = 10 * 1024 * 1024

    def back_off(self, last: float | None, lived: float) -> float:
        """Return how long to wait before a restart, given the wait before the last one."""
        if last is None or lived >= self.steady:
            return self.first_back_off
        return min(last * 2, self.longest_back_off)


@dataclass
class Child:
    """One process of the table, and how it does."""

    process: Process
    places: StatePlaces
    running: "subprocess.Popen[bytes] | None" = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    state: Condition = Condition.WAITING
    restarts: int = 0
    since: float | None = None
    _log_start: int = 0

    def start(self, longest_log: int) -> None:
        """Start it, with a fresh log if the old one has grown long.

        Raises:
            OSError: If it cannot be run at all.
        """
        process, log = self.process, self.places.log(self.process.name)
        if log.exists() and log.stat().st_size > longest_log:
            log.replace(log.with_suffix(".log.1"))
        self._log_start = log.stat().st_size if log.exists() else 0
        if process.ready_file is not None:
            process.ready_file.unlink(missing_ok=True)
        self.running = spawn(
            process.command,
            log,
            process.env or None,
            process.user,
            process.cwd or str(ROOT),
            dies_on=process.dies_on,
        )
        self.state, self.since = Condition.STARTING, time.time()

    @property
    def is_alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def last_words(self) -> str:
        """Return the end of what this run has logged."""
        log = self.places.log(self.process.name)
        written = log.read_bytes()[self._log_start :] if log.exists() else b""
        lines = written.decode(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_LAST_WORDS:]) or "  (it has said nothing)"

    def status(self) -> ProcessStatus:
        pid = self.running.pid if self.running is not None and self.is_alive else None
        return ProcessStatus(
            pid=pid,
            state=self.state,
            restarts=self.restarts,
            since=self.since if pid else None,
            log=str(self.places.log(self.process.name)),
        )


class Supervisor:
    """Runs a table of processes; ``publish`` is given their pids once all are ready, and at every change."""

    def __init__(
        self,
        places: StatePlaces,
        processes: Sequence[Process],
        publish: Callable[[Mapping[str, int]], None],
        pace: Pace,
    ) -> None:
        self._places = places
        self._children = {process.name: Child(process, places) for process in processes}
        self._publish = publish
        self._pace = pace
        self._stopping = asyncio.Event()
        self._state = Condition.STARTING

    def stop(self) -> None:
        """Ask for the end."""
        self._stopping.set()

    async def run(self) -> None:
        """Start everything, keep it running until asked to stop, end it in reverse.

        Raises:
            StartFailed: If a process is not ready in time, or dies before everything is.
        """
        keepers = [asyncio.create_task(self._keep(child)) for child in self._children.values()]
        stopping = asyncio.create_task(self._stopping.wait())
        started = asyncio.create_task(self._started())
        try:
            done, _ = await asyncio.wait([*keepers, stopping, started], return_when=asyncio.FIRST_COMPLETED)
            if done == {started}:
                self._state = Condition.READY
                self._say()
                done, _ = await asyncio.wait([*keepers, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*keepers, stopping, started):
                task.cancel()
            await asyncio.gather(*keepers, stopping, started, return_exceptions=True)
            await self._end_all()

    async def _started(self) -> None:
        for child in self._children.values():
            await child.ready.wait()

    async def _keep(self, child: Child) -> None:
        """Start one process after those it needs, and again whenever it dies."""
        for name in child.process.after:
            await self._children[name].ready.wait()
        back_off: float | None = None
        while True:
            started_at = time.monotonic()
            try:
                await self._live(child)
            except OSError as error:
                if self._state is Condition.STARTING:
                    raise StartFailed(f"{child.process.name} cannot be run: {error}") from error
            back_off = self._pace.back_off(back_off, time.monotonic() - started_at)
            child.ready.clear()
            child.state, child.restarts = Condition.RESTARTING, child.restarts + 1
            self._say()
            await asyncio.sleep(back_off)

    async def _live(self, child: Child) -> None:
        """Start a process and return when it has ended."""
        child.start(self._pace.longest_log)
        self._say()
        give_up_at = time.monotonic() + self._pace.ready_within
        while child.is_alive and not await child.process.is_ready():
            if time.monotonic() > give_up_at and self._state is Condition.STARTING:
                raise self._failed(child, f"is not ready after {self._pace.ready_within:.0f} s")
            await asyncio.sleep(_LOOK_SECONDS)
        if child.is_alive:
            child.state = Condition.READY
            child.ready.set()
            self._say()
        while child.is_alive:
            await asyncio.sleep(_LOOK_SECONDS)
        if self._state is Condition.STARTING:
            code = child.running.returncode if child.running is not None else None
            raise self._failed(child, f"ended while the stack was starting (exit status {code})")

    def _failed(self, child: Child, what: str) -> StartFailed:
        log = self._places.log(child.process.name)
        return StartFailed(f"{child.process.name} {what}\n{child.last_words()}\nits log: {log}")

    async def _end_all(self) -> None:
        """End every process, those that use others first."""
        self._state = Condition.STOPPING
        self._places.facts.unlink(missing_ok=True)
        self._say()
        for child in reversed(self._children.values()):
            await self._end(child)
            child.state = Condition.ENDED
            self._say()

    async def _end(self, child: Child) -> None:
        if child.running is None or not child.is_alive:
            return
        child.state = Condition.STOPPING
        child.running.send_signal(child.process.ends_on)
        give_up_at = time.monotonic() + self._pace.end_within
        while child.is_alive and time.monotonic() < give_up_at:
            await asyncio.sleep(_LOOK_SECONDS)
        if child.is_alive:
            child.running.send_signal(signal.SIGKILL)
        child.running.wait()

    def _say(self) -> None:
        """Write down how everything is, for whoever asks."""
        processes = {name: child.status() for name, child in self._children.items()}
        try:
            if self._state is Condition.READY:
                self._publish({name: status.pid for name, status in processes.items() if status.pid})
            StackStatus(supervisor=os.getpid(), state=self._state, processes=processes).write(self._places)
        except OSError as error:
            # A full disk is no reason to end what runs.
            print(f"cannot tell how things are: {error}", flush=True)
