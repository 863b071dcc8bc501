"""Launching a stack: a supervisor in the background, unless there is one, watched until all is ready."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from deploy.local.children import on_leash
from deploy.local.places import ROOT, StatePlaces
from deploy.local.status import TAKEN, Condition, StackStatus, current_status, is_supervised
from deploy.local.supervisor import StartFailed

# Longer than the supervisor waits for anything, so that it is the one that says what went wrong.
_LONGEST_SECONDS: Final = 600.0
_LAST_WORDS: Final = 8


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment and ``added``, for the supervisor and all that it starts.

    Where Python is told not to keep what it compiles, it would compile everything again for each process.
    """
    environ = {**os.environ, **added}
    if environ.pop("PYTHONDONTWRITEBYTECODE", None):
        environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".build" / "pycache"))
    return environ


class Launch:
    """One wait for a running stack, whoever started it."""

    def __init__(
        self, places: StatePlaces, command: Sequence[str], env: Mapping[str, str], *, with_parent: bool
    ) -> None:
        self._places = places
        self._command = command
        self._env = env
        self._with_parent = with_parent
        self._launched: subprocess.Popen[bytes] | None = None
        self._watched: int | None = None
        self._give_up_at = time.monotonic() + _LONGEST_SECONDS

    def look(self) -> StackStatus | None:
        """Return what the living supervisor tells, if it does already; start one unless one lives.

        Raises:
            StartFailed: If the one that was waited for has given up, or nothing helps.
        """
        if time.monotonic() > self._give_up_at:
            raise StartFailed(f"not ready after {_LONGEST_SECONDS:.0f} s; the logs: {self._places.logs}")
        status = current_status(self._places)
        if status is not None:
            self._watched = status.supervisor
            if self._launched is not None and self._launched.pid != status.supervisor:
                # Somebody else's was quicker; this one ends by itself.
                self._launched.wait(_LONGEST_SECONDS)
        elif not is_supervised(self._places):
            self._check_not_over()
            if self._launched is None or self._launched.poll() is not None:
                self._launched = self._launch()
        return status

    def give_up(self) -> None:
        """End what was started here."""
        if self._launched is not None and self._launched.poll() is None:
            self._launched.terminate()
            self._launched.wait(_LONGEST_SECONDS)

    def reap(self, ended: int | None) -> None:
        """Take note of the end of the supervisor with this process id, if it was started here."""
        if self._launched is not None and self._launched.poll() is None and self._launched.pid == ended:
            self._launched.wait(_LONGEST_SECONDS)

    def _check_not_over(self) -> None:
        """Refuse to go on when the supervisor that was waited for is no more."""
        ours = self._launched.pid if self._launched else None
        last = StackStatus.read(self._places)
        if last is not None and last.supervisor in {ours, self._watched}:
            # A stack that somebody stops is waited for, and then started.
            if last.state is not Condition.ENDED:
                raise StartFailed(last.failure or self._words("the supervisor died"))
            if last.supervisor == ours:
                raise StartFailed("it was stopped while it started")
        if self._launched is not None and self._launched.poll() not in {None, TAKEN}:
            raise StartFailed(self._words("the supervisor did not start"))

    def _words(self, what: str) -> str:
        log = self._places.log("supervisor")
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join([what, *(f"  {line}" for line in lines[-_LAST_WORDS:]), f"its log: {log}"])

    def _launch(self) -> "subprocess.Popen[bytes]":
        with self._places.log("supervisor").open("ab") as log:
            return subprocess.Popen(
                on_leash(self._command) if self._with_parent else self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self._env,
                start_new_session=True,
            )
