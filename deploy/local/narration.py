"""What whoever waits for a start is told: every change, and now and then what is still waited for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from deploy.local.status import Condition, StackStatus

REMIND_SECONDS: Final = 10.0
_WORTH_SAYING: Final = frozenset({Condition.STARTING, Condition.READY, Condition.RESTARTING})


@dataclass(slots=True)
class Narration:
    """One start, told line by line; silence never lasts longer than ``REMIND_SECONDS``."""

    say: Callable[[str], None]
    _shown: dict[str, Condition] = field(default_factory=dict)
    _began_at: float = field(default_factory=time.monotonic)
    _said_at: float = field(default_factory=time.monotonic)

    def show(self, status: StackStatus | None) -> None:
        """Tell what has changed since the last look."""
        for name, process in (status.processes if status else {}).items():
            if self._shown.get(name) is not process.state:
                self._shown[name] = process.state
                if process.state in _WORTH_SAYING:
                    self._tell(f"{name:<13} {process.state}")
        if time.monotonic() - self._said_at >= REMIND_SECONDS:
            missing = [name for name, state in self._shown.items() if state is not Condition.READY]
            waits_for = ", ".join(missing) or "the supervisor"
            self._tell(f"{time.monotonic() - self._began_at:.0f} s: still waiting for {waits_for}")

    def _tell(self, line: str) -> None:
        self.say(line)
        self._said_at = time.monotonic()
