"""Tracking events: one carrier's word, for whichever store the parcel is of.

An event names no store, and a carrier signs for all of them. So every store is asked, unless the address the
carrier was given names one; only the store that knows the parcel acts on it.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from services.domain.errors import FieldProblem, InvalidArgument
from services.domain.ids import StoreId
from services.domain.logistics import TrackingEvent


class OutboundParcels(Protocol):
    async def track(self, store_id: str, event: TrackingEvent) -> tuple[bool, bool]: ...
    async def is_outbound(self, store_id: str, tracking_number: str) -> bool: ...


class InboundParcels(Protocol):
    async def track(self, store_id: str, event: TrackingEvent) -> tuple[bool, bool]: ...


@dataclass(frozen=True, slots=True)
class Tracked:
    """``is_new`` is False for a scan that changed nothing: a repeat, or of no use to anybody."""

    is_new: bool
    is_known: bool


@dataclass(frozen=True, slots=True)
class Tracking:
    orders: OutboundParcels
    warehouse: InboundParcels
    stores: tuple[StoreId, ...]

    async def pass_on(self, event: TrackingEvent, store_id: str | None) -> Tracked:
        """Tell the services of a scan; they keep it also while nobody knows the parcel.

        Raises:
            InvalidArgument: If a store is named that is none of ours.
        """
        stores = [store for store in self.stores if store_id in {None, store}]
        if not stores:
            raise InvalidArgument("there is no such store")
        told = await asyncio.gather(*(self._tell(store, event) for store in stores))
        return Tracked(any(t.is_new for t in told), any(t.is_known for t in told))

    async def _tell(self, store_id: StoreId, event: TrackingEvent) -> Tracked:
        is_new, is_outbound = await self.orders.track(store_id, event)
        if is_outbound:
            # The dock keeps every scan it hears of; this one must not be there to be taken for a return's.
            return Tracked(is_new, is_known=True)
        return Tracked(*await self.warehouse.track(store_id, event))

    async def check_inbound(self, store_id: StoreId, tracking_number: str) -> None:
        """Refuse a return's parcel that the store itself has sent: its delivery would pass for the return's.

        Raises:
            InvalidArgument: Naming the member.
        """
        if await self.orders.is_outbound(store_id, tracking_number):
            problem = FieldProblem(
                "/tracking_number", "outbound_parcel", "the parcel that goods come back in"
            )
            raise InvalidArgument("the store has sent this parcel to a customer", problems=(problem,))
