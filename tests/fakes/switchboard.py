"""Which services answer, and what was really done: shared by all fakes of a world."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.domain.errors import DependencyUnavailable

# Effectively until told otherwise.
_ALWAYS = 1_000_000


@dataclass(frozen=True, slots=True)
class Effect:
    """Something a service did: ``payment`` ``moved`` ``<refund id>``."""

    service: str
    what: str
    key: str


@dataclass
class Switchboard:
    """``calls`` are what was asked, ``effects`` what changed; a repeated call adds no effect."""

    calls: list[Effect] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    _refuses: dict[str, int] = field(default_factory=dict)
    _mumbles: dict[str, int] = field(default_factory=dict)

    def down(self, service: str, calls: int = _ALWAYS) -> None:
        """Let the next ``calls`` of a service fail before anything is done."""
        self._refuses[service] = calls

    def up(self, service: str) -> None:
        self._refuses.pop(service, None)
        self._mumbles.pop(service, None)

    def lose_answers(self, service: str, calls: int = 1) -> None:
        """Let the next ``calls`` of a service be done, and their answers get lost."""
        self._mumbles[service] = calls

    @contextmanager
    def call(self, service: str, what: str, key: str) -> Iterator[None]:
        """Stand around one call of a service.

        Raises:
            DependencyUnavailable: Before it, when the service is down; after it, when its answer is lost.
        """
        self.calls.append(Effect(service, what, key))
        if _use_up(self._refuses, service):
            raise DependencyUnavailable(f"{service} is down")
        yield
        if _use_up(self._mumbles, service):
            raise DependencyUnavailable(f"{service} did not answer in time")

    def done(self, service: str, what: str, key: str) -> None:
        """Note an effect."""
        self.effects.append(Effect(service, what, key))


def _use_up(counts: dict[str, int], service: str) -> bool:
    left = counts.get(service, 0)
    counts[service] = max(0, left - 1)
    return left > 0
