"""How long money may take, and when its provider is asked meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

# When a pending refund is asked about: soon, then ever more rarely (hours after the first half hour).
_ASK_AFTER_MINUTES = (1, 5, 10, 20, 30)
_ASK_EVERY = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a provider may keep us waiting, and how long a customer's choice stays open, by policy."""

    pending_for: timedelta
    choice_for: timedelta


@dataclass(frozen=True, slots=True)
class Watch:
    """One refund's time: its provider is asked ``since`` it was sent, finance at ``until``."""

    since: datetime
    until: datetime

    def asks(self) -> Iterator[datetime]:
        """Go through when its provider is asked."""
        for minutes in _ASK_AFTER_MINUTES:
            yield self.since + timedelta(minutes=minutes)
        at = self.since + timedelta(minutes=_ASK_AFTER_MINUTES[-1]) + _ASK_EVERY
        while at < self.until:
            yield at
            at += _ASK_EVERY
