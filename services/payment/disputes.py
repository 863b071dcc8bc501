"""Disputes as their provider tells them: kept, worked out, booked.

What to do about a dispute is its case's business; here is only where it stands and what it does to the money.
"""

from dataclasses import dataclass
from datetime import datetime

from services.domain.dispute import DisputeStatus, Telling


@dataclass(frozen=True, slots=True)
class ProviderDispute:
    """A dispute as its provider tells it, in minor units of ``currency``.

    ``withdrawn`` and ``fee`` are what it has taken from us for it so far, in ``movements`` steps.
    """

    provider_dispute_id: str
    provider_ref: str
    status: DisputeStatus
    amount: int
    currency: str
    opened_at: datetime
    withdrawn: int = 0
    fee: int = 0
    movements: int = 0
    reason: str = ""
    due_by: datetime | None = None

    def told(self, telling_id: str, at: datetime) -> Telling:
        """Return it as something said at one time."""
        return Telling(
            telling_id=telling_id,
            status=self.status,
            told_at=at,
            amount=self.amount,
            withdrawn=self.withdrawn,
            fee=self.fee,
            movements=self.movements,
            reason=self.reason,
            due_by=self.due_by,
        )


@dataclass(frozen=True, slots=True)
class KnownDispute:
    """Where we believe that a dispute stands."""

    dispute_id: str
    provider: str
    provider_dispute_id: str
    status: DisputeStatus
