"""The stack from outside: start it, find it, stop it, kill a part of it. Calls block; none is quick."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.local.facts import StackFacts
from deploy.local.launch import Launch, environment
from deploy.local.narration import Narration
from deploy.local.places import StatePlaces
from deploy.local.ports import elsewhere
from deploy.local.postgres import Place
from deploy.local.processes import Manner
from deploy.local.status import (
    Condition,
    ProcessStatus,
    StackStatus,
    current_status,
    is_supervised,
)
from deploy.local.supervisor import StartFailed

# Longer than the supervisor waits for all of its processes to end.
_STOP_SECONDS: Final = 150.0
_LOOK_SECONDS: Final = 0.05
_SUPERVISOR: Final = (sys.executable, "-m", "deploy.local.supervision")


class NotRunning(Exception):
    """There is no stack in this state folder, or it has no such process."""


@dataclass(slots=True)
class Stack:
    """The stack whose state is in one folder, running or not. ``supervisor`` is the command that keeps it."""

    places: StatePlaces
    supervisor: tuple[str, ...] = _SUPERVISOR
    _launches: list[Launch] = field(default_factory=list)

    @classmethod
    def at(cls, state: Path) -> "Stack":
        return cls(StatePlaces(state.resolve()))

    @classmethod
    @contextmanager
    def throwaway(
        cls, state: Path, *, in_memory: bool = False, env: Mapping[str, str] | None = None
    ) -> "Iterator[Stack]":
        """Run a hasty stack with its own state folder for as long as the block lasts; nothing of it stays."""
        stack = cls.at(state)
        try:
            stack.start(Manner(in_memory=in_memory, hasty=True), with_parent=True, env=env)
            yield stack
        finally:
            stack.forget()

    def is_running(self) -> bool:
        return is_supervised(self.places)

    def status(self) -> StackStatus | None:
        """Return how the stack does; None when it is not running, or has only just begun."""
        return current_status(self.places)

    def start(
        self,
        manner: Manner = Manner(),  # noqa: B008 — frozen
        *,
        with_parent: bool = False,
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> StackFacts:
        """Start the stack, or find the running one, and return when everything is ready.

        ``with_parent`` ends it when the calling thread ends, however that happens; else it outlives it.
        ``env`` is added to the environment of every process. ``say`` is told of progress,
        and of servers that are not on their usual ports.

        Raises:
            StartFailed: If a process does not come up; nothing is left running.
        """
        try:
            self.places.make()
        except OSError as error:
            raise StartFailed(f"this cannot be the stack's state folder: {error}") from error
        command = [*self.supervisor, "--state", str(self.places.root), *manner.flags]
        launch = Launch(self.places, command, environment(env or {}), with_parent=with_parent)
        self._launches.append(launch)
        narration = Narration(say)
        try:
            while (status := launch.look()) is None or status.state is not Condition.READY:
                narration.show(status)
                time.sleep(_LOOK_SECONDS)
        except BaseException:
            # Also when the person who waits has had enough: what was started here, ends.
            launch.give_up()
            raise
        narration.show(status)
        if not manner.hasty:
            for line in elsewhere(self.places.ports):
                say(line)
        return self.facts()

    def facts(self) -> StackFacts:
        """Return the facts of the running stack.

        Raises:
            NotRunning: If it does not run, or is not ready.
        """
        status = self.status()
        if status is None or status.state is not Condition.READY:
            raise NotRunning(f"no stack is running in {self.places.root}")
        return StackFacts.read(self.places.facts)

    def process(self, name: str) -> ProcessStatus:
        """Return how one process does.

        Raises:
            NotRunning: If there is none of this name.
        """
        status = self.status()
        if status is None or name not in status.processes:
            raise NotRunning(f"no {name} is running in {self.places.root}")
        return status.processes[name]

    def stop(self) -> bool:
        """Stop the stack in order; its state stays. False when none was running."""
        stopped = self._supervisor_pid()
        if stopped is not None:
            _send(stopped, signal.SIGTERM)
            kill_at = time.monotonic() + _STOP_SECONDS
            # Another supervisor is somebody else's start, which has waited for this end.
            while (status := self.status()) is not None and status.supervisor == stopped:
                if time.monotonic() > kill_at:
                    _send(stopped, signal.SIGKILL)
                time.sleep(_LOOK_SECONDS)
        for launch in self._launches:
            launch.reap(stopped)
        return stopped is not None

    def _supervisor_pid(self) -> int | None:
        """Return who keeps the stack, if anybody does."""
        while self.is_running():
            if (status := self.status()) is not None:
                return status.supervisor
            time.sleep(_LOOK_SECONDS)
        # One that was killed has left them behind.
        self.places.facts.unlink(missing_ok=True)
        return None

    def forget(self) -> None:
        """Stop the stack and remove all its state; other folders are left alone."""
        self.stop()
        if not self.places.is_ours:
            return
        place = Place.for_state(self.places.root)
        place.await_end_of_predecessor()
        place.forget()
        shutil.rmtree(self.places.root, ignore_errors=True)

    def kill(self, name: str) -> None:
        """End one process as a crash would (SIGKILL), and return when its supervisor has noticed.

        Raises:
            NotRunning: If it is not running at the moment.
        """
        before = self.process(name)
        if before.pid is None:
            raise NotRunning(f"{name} is {before.state}")
        _send(before.pid, signal.SIGKILL)
        while self.process(name).pid == before.pid:
            time.sleep(_LOOK_SECONDS / 5)

    def wait_ready(self, name: str, seconds: float = 120.0) -> ProcessStatus:
        """Return when a process is ready.

        Raises:
            StartFailed: If that takes too long.
        """
        give_up_at = time.monotonic() + seconds
        while (known := self.process(name)).state is not Condition.READY:
            if time.monotonic() > give_up_at:
                raise StartFailed(f"{name} is {known.state} after {seconds:.0f} s; its log: {known.log}")
            time.sleep(_LOOK_SECONDS)
        return known


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
