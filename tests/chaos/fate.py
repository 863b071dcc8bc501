"""When a process dies: at which step of which case, before or after it, and who.

Fates lie as files in one folder that the tests write and every process reads. A process notes each step that
it passes for a case, so that the steps of a case that nobody kills can be told afterwards.
"""

import hashlib
import json
import os
import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from deploy.local.places import StatePlaces
from deploy.local.status import StackStatus
from services.domain.ids import rma_for

_CASE_ID = re.compile(r"RT-[0-9A-Z]{4}-[0-9A-Z]{4}")


class Kind(StrEnum):
    """What a step is, seen from the process that takes it."""

    ACTIVITY = "activity"  # run by the worker
    SIGNAL = "signal"  # sent to a case by the relay
    UPDATE = "update"  # sent to a case by the gateway
    CALL = "call"  # made by the gateway to a service, or by a service to the sandbox
    RPC = "rpc"  # served by a service
    HTTP = "http"  # served by the sandbox
    MAIL = "mail"  # a letter's text, handed to the mail server


class Moment(StrEnum):
    """``AFTER``: it is done, and nobody has been told."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """The ``nth`` step (from 1) of its name that a process takes for one case; a repeat is the same step."""

    process: str
    kind: Kind
    name: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.process} {self.kind} {self.name} {self.nth}"


@dataclass(frozen=True, slots=True, order=True)
class Death:
    """``victim`` dies once, at that moment of that step of a case."""

    step: Step
    moment: Moment
    victim: str

    def __str__(self) -> str:
        return f"{self.victim}, {self.moment} {self.step}"


@dataclass(frozen=True, slots=True)
class Fates:
    """The fates of the cases of a stack, each under the name of its order."""

    places: StatePlaces

    @property
    def _folder(self) -> Path:
        return self.places.root / "fates"

    def decree(self, order_id: str, death: Death | None) -> None:
        """From now on the steps of the order's case are noted, and at one of them ``death`` strikes."""
        (self._folder / f"{order_id}.names").mkdir(parents=True)
        (self._folder / f"{order_id}.names" / order_id).touch()
        fate = None
        if death is not None:
            step = death.step
            at = [step.process, step.kind, step.name, step.nth]
            fate = {"step": at, "moment": death.moment, "victim": death.victim}
        partial = self._folder / f"{order_id}.partial"
        partial.write_text(json.dumps(fate))
        partial.replace(self._folder / f"{order_id}.json")

    def lift(self, order_id: str) -> None:
        """No step is noted for the case any more."""
        (self._folder / f"{order_id}.json").unlink(missing_ok=True)

    def has_struck(self, order_id: str) -> bool:
        return (self._folder / f"{order_id}.struck").exists()

    def steps(self, order_id: str) -> list[Step]:
        """Return the steps that were taken for the case."""
        return sorted(
            Step(process.name, Kind(kind.name), name.name, int(file.name.partition("-")[0]))
            for process in (self._folder / f"{order_id}.steps").iterdir()
            for kind in process.iterdir()
            for name in kind.iterdir()
            for file in name.iterdir()
        )

    def come_to(self, process: str, kind: Kind, name: str, identity: str, text: str) -> "Passing":
        """Note that a process takes a step: what tells it from others of its name, and all that it names."""
        steps = []
        for file in self._folder.glob("*.json"):
            if self._is_about(file.stem, text):
                number = self._noted(file.stem, process, kind, name, identity)
                steps.append((file, Step(process, kind, name, number)))
        return Passing(self, steps)

    def _is_about(self, order_id: str, text: str) -> bool:
        """Tell whether a step is of the order's case, by a name that it has been met under."""
        names = self._folder / f"{order_id}.names"
        if not any(name.name in text for name in names.iterdir()):
            return False
        for case_id in _CASE_ID.findall(text):
            (names / case_id).touch()
            (names / rma_for(case_id)).touch()
        return True

    def _noted(self, order_id: str, process: str, kind: Kind, name: str, identity: str) -> int:
        """Return the number of a step, counting each once however often it is repeated."""
        folder = self._folder / f"{order_id}.steps" / process / kind / name
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        numbers = dict(reversed(file.name.split("-")) for file in folder.iterdir())
        if digest in numbers:
            return int(numbers[digest])
        number = len(numbers) + 1
        (folder / f"{number}-{digest}").touch()
        return number

    def strike(self, order_id: str, victim: str, me: str) -> None:
        """Kill the victim, once; it may be the process that calls, ``me``.

        Nobody is struck while the victim is down already, by the death of another case.
        """
        pid = os.getpid() if victim == me else self._pid_of(victim)
        if pid is None:
            return
        struck = self._folder / f"{order_id}.struck"
        with suppress(FileExistsError):
            with struck.open("x") as file:
                file.write(f"{victim} {pid}")
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                struck.unlink()

    def _pid_of(self, name: str) -> int | None:
        """Return the process of that name, if it lives."""
        status = StackStatus.read(self.places)
        pid = status.processes[name].pid if status is not None else None
        with suppress(psutil.NoSuchProcess):
            if pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return pid
        return None

    def dead(self) -> dict[str, set[int]]:
        """Return the processes that were killed, by name; two cases may have met in one death."""
        dead: dict[str, set[int]] = {}
        for file in self._folder.glob("*.struck"):
            victim, pid = file.read_text().split()
            dead.setdefault(victim, set()).add(int(pid))
        return dead


@dataclass(frozen=True, slots=True)
class Passing:
    """A step under way."""

    fates: Fates
    _steps: list[tuple[Path, Step]]

    def at(self, moment: Moment) -> None:
        """Die here if that is one's fate."""
        for file, step in self._steps:
            try:
                fate = json.loads(file.read_text())
            except FileNotFoundError:
                continue
            at = [step.process, step.kind, step.name, step.nth]
            if fate is not None and (fate["step"], fate["moment"]) == (at, moment):
                self.fates.strike(file.stem, fate["victim"], me=step.process)
