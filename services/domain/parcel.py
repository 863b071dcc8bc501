"""A parcel as its carrier's scans tell it, in whatever order and however often they come."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.domain.logistics import ParcelStatus, TrackingEvent

# Neither a printed label nor a carrier that never saw the parcel proves that anybody handed it over.
_NO_PROOF: Final = frozenset({ParcelStatus.INFO_RECEIVED, ParcelStatus.EXPIRED})
# Of two scans at the same instant the further one counts, whichever is heard first.
_RANK: Final = {status: rank for rank, status in enumerate(ParcelStatus)}


@dataclass(frozen=True, slots=True)
class Parcel:
    """``scanned_at`` is the newest scan's time by the carrier, ``learned_at`` when the case heard of it.

    ``handed_over_at`` is the first scan that proves dispatch; ``delivered_at`` is when the case first heard
    of a delivery.
    """

    carrier: str = ""
    tracking_number: str = ""
    registered_at: datetime | None = None
    status: ParcelStatus | None = None
    scanned_at: datetime | None = None
    learned_at: datetime | None = None
    delivered_at: datetime | None = None
    handed_over_at: datetime | None = None

    def registered(self, carrier: str, tracking_number: str, at: datetime) -> "Parcel":
        """Note how the customer says the goods travel; their time counts from the first word of it."""
        first = self.registered_at or at
        return replace(self, carrier=carrier, tracking_number=tracking_number, registered_at=first)

    def scanned(self, event: TrackingEvent, learned_at: datetime) -> "Parcel":
        """Take a scan; an older one than is known adds at most a delivery."""
        is_newer = (
            self.scanned_at is None
            or self.status is None
            or (event.occurred_at, _RANK[event.status]) > (self.scanned_at, _RANK[self.status])
        )
        is_proof = event.status not in _NO_PROOF
        handed_over = min(
            (at for at in (self.handed_over_at, event.occurred_at if is_proof else None) if at), default=None
        )
        is_delivery = event.status is ParcelStatus.DELIVERED and self.delivered_at is None
        return replace(
            self,
            carrier=self.carrier or event.carrier,
            tracking_number=self.tracking_number or event.tracking_number,
            status=event.status if is_newer else self.status,
            scanned_at=event.occurred_at if is_newer else self.scanned_at,
            learned_at=learned_at if is_newer else self.learned_at,
            delivered_at=learned_at if is_delivery else self.delivered_at,
            handed_over_at=handed_over,
        )

    @property
    def is_handed_over(self) -> bool:
        """Whether the carrier has it: proof of dispatch."""
        return self.handed_over_at is not None

    @property
    def is_on_its_way(self) -> bool:
        return self.is_handed_over or self.registered_at is not None
