"""What may be done with orders: keep them as sold, ship them, claim and settle their units."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from services.domain.errors import InvalidArgument
from services.domain.ids import CaseId, LineId, OrderId, StoreId
from services.domain.logistics import ParcelStatus, TrackingEvent
from services.domain.order import (
    Customer,
    HeldUnits,
    Order,
    OrderAsSold,
    OrderFilter,
    PolicyRef,
    Shipment,
    UnitClaim,
    UnitSettlement,
    check_order,
)


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    store_id: StoreId
    order_id: OrderId
    case_id: CaseId
    claims: tuple[UnitClaim, ...]
    claim_id: str


def check_claims(claims: Sequence[UnitClaim]) -> None:
    """Refuse a claim that names a line twice.

    Raises:
        InvalidArgument: With the line.
    """
    seen = set()
    for claim in claims:
        if claim.line_id in seen:
            raise InvalidArgument(f"line {claim.line_id} is claimed twice")
        seen.add(claim.line_id)


@dataclass(frozen=True, slots=True)
class SettleRequest:
    store_id: StoreId
    order_id: OrderId
    case_id: CaseId
    settlements: tuple[UnitSettlement, ...]
    release_rest: bool
    claim_id: str


class OrderStore(Protocol):
    """Where orders are kept; every method is one transaction."""

    async def put(self, sold: OrderAsSold, policy: PolicyRef) -> bool: ...
    async def get(self, store_id: str, order_id: str) -> Order: ...
    async def contact(self, store_id: str, order_id: str) -> Customer: ...
    async def list(
        self, wanted: OrderFilter, after: tuple[datetime, str] | None, limit: int
    ) -> list[Order]: ...
    async def claim(self, request: ClaimRequest) -> tuple[HeldUnits, ...]: ...
    async def settle(self, request: SettleRequest) -> None: ...
    async def ship(self, store_id: str, order_id: str, shipment: Shipment) -> Shipment: ...
    async def record_delivery(
        self, store_id: str, tracking_number: str, at: datetime
    ) -> tuple[bool, bool]: ...
    async def is_outbound(self, store_id: str, tracking_number: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Orders:
    """The use cases that are more than one call of the store."""

    store: OrderStore

    async def put(self, sold: OrderAsSold, policy: PolicyRef) -> tuple[Order, bool]:
        """Store the order as sold, under ``policy`` unless it has one already."""
        check_order(sold)
        is_new = await self.store.put(sold, policy)
        return await self.store.get(sold.store_id, sold.order_id), is_new

    async def claim(self, request: ClaimRequest) -> tuple[HeldUnits, ...]:
        """Take units for a case, all or none."""
        check_claims(request.claims)
        return await self.store.claim(request)

    async def page(self, wanted: OrderFilter, cursor: str, limit: int) -> tuple[list[Order], str]:
        """Return a page, newest first, and the cursor of the next (empty on the last)."""
        orders = await self.store.list(wanted, _read_cursor(cursor), limit + 1)
        page = orders[:limit]
        return page, _write_cursor(page[-1]) if len(orders) > limit else ""

    async def track(self, store_id: StoreId, event: TrackingEvent) -> tuple[bool, bool]:
        """Take a carrier's scan; says whether it dated anything, and whether it is of a parcel to a customer.

        Of such a parcel nothing but its delivery is kept.
        """
        if event.status is ParcelStatus.DELIVERED:
            return await self.store.record_delivery(store_id, event.tracking_number, event.occurred_at)
        return False, await self.store.is_outbound(store_id, event.tracking_number)


def delivered_lines(shipments: Iterable[Shipment]) -> dict[LineId, datetime]:
    """Return when each line was delivered in full: with the last of its parcels, if all have arrived."""
    parcels: dict[LineId, list[datetime | None]] = {}
    for shipment in shipments:
        for part in shipment.lines:
            parcels.setdefault(part.line_id, []).append(shipment.delivered_at)
    return {
        line_id: max(at for at in dates if at is not None)
        for line_id, dates in parcels.items()
        if all(at is not None for at in dates)
    }


def _write_cursor(order: Order) -> str:
    text = f"{order.sold.placed_at.isoformat()} {order.sold.order_id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    try:
        at, _, order_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        return datetime.fromisoformat(at).replace(tzinfo=UTC), order_id
    except (ValueError, binascii.Error) as error:
        raise InvalidArgument("the cursor is not one of ours") from error
