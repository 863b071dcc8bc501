"""Returns at the dock: expect them, find them, receive them, and tell their cases."""

from dataclasses import dataclass, replace
from typing import Protocol

from services.domain.errors import InvalidArgument
from services.domain.facts import Fact, FactKind, ParcelTracked
from services.domain.ids import CaseId, EventId, OrderId, StoreId, derived_id
from services.domain.logistics import (
    Disposition,
    ExpectedReturn,
    InboundReturn,
    Inspection,
    ParcelDirection,
    Receipt,
    StockLevel,
    TrackingEvent,
)
from services.domain.order import Address


@dataclass(frozen=True, slots=True)
class Label:
    """A paid label; ``tracking_number`` is the parcel's that will carry it."""

    label_url: str
    carrier: str
    tracking_number: str


class Carrier(Protocol):
    """The company that brings parcels back."""

    async def buy_label(self, expected: ExpectedReturn, ship_to: Address) -> Label:
        """Buy a label at most once per RMA.

        Raises:
            DependencyUnavailable: If the carrier does not answer; ask again.
        """

    async def void_label(self, rma: str) -> None:
        """Give the label back; one that was never bought, or is void already, stays so.

        Raises:
            DependencyUnavailable: If the carrier does not answer; ask again.
        """


class ReturnStore(Protocol):
    """Where returns are kept; every method is one transaction."""

    async def find(self, rma: str) -> ExpectedReturn | None: ...
    async def authorize(self, wanted: ExpectedReturn, made: ExpectedReturn) -> ExpectedReturn: ...
    async def close(self, rma: str) -> bool: ...
    async def register(self, rma: str, carrier: str, tracking_number: str) -> ExpectedReturn: ...
    async def inbound(self, scan: str, store_id: str) -> InboundReturn: ...
    async def receive(self, store_id: StoreId, receipt: Receipt) -> tuple[Receipt, ExpectedReturn | None]: ...
    async def inspect(self, store_id: StoreId, inspection: Inspection) -> Inspection: ...
    async def track(self, store_id: StoreId, event: TrackingEvent) -> tuple[bool, bool]: ...
    async def stock(self, store_id: StoreId, sku: str) -> StockLevel: ...
    async def set_stock(self, store_id: StoreId, sku: str, on_hand: int) -> StockLevel: ...


@dataclass(frozen=True, slots=True)
class Returns:
    """The use cases that are more than one call of the store."""

    store: ReturnStore
    carrier: Carrier
    ship_to: Address

    async def authorize(self, wanted: ExpectedReturn) -> ExpectedReturn:
        """Expect goods, with a label if it is prepaid; the label is bought outside any transaction."""
        made = replace(wanted, ship_to=self.ship_to)
        if wanted.prepaid_label and await self.store.find(wanted.rma) is None:
            label = await self.carrier.buy_label(wanted, self.ship_to)
            made = replace(
                made,
                label_url=label.label_url,
                carrier=label.carrier,
                tracking_number=label.tracking_number,
            )
        return await self.store.authorize(wanted, made)

    async def close(self, rma: str) -> None:
        """Expect nothing more, and give back a label that nothing came under."""
        if await self.store.close(rma):
            await self.carrier.void_label(rma)

    async def inspect(self, store_id: StoreId, inspection: Inspection) -> Inspection:
        """Record a judgement: a rejected unit is not the shop's to sell, an accepted one not sent back."""
        for index, row in enumerate(inspection.lines):
            if row.disposition is Disposition.RESTOCK and not row.accepted:
                raise InvalidArgument(f"lines/{index}: a rejected unit cannot be restocked")
            if row.disposition is Disposition.RETURN_TO_CUSTOMER and row.accepted:
                raise InvalidArgument(f"lines/{index}: an accepted unit does not go back to the customer")
        return await self.store.inspect(store_id, inspection)


def receipt_fact(store_id: StoreId, receipt: Receipt, of: ExpectedReturn | None) -> Fact:
    """Return what the case (or, of an unknown parcel, the inbox) is told of a receipt."""
    return Fact(
        event_id=EventId(derived_id("receipt", store_id, receipt.receipt_id)),
        kind=FactKind.GOODS_RECEIVED,
        occurred_at=receipt.received_at,
        store_id=store_id,
        case_id=of.case_id if of else None,
        order_id=of.order_id if of else None,
        receipt=receipt,
    )


def inspection_fact(store_id: StoreId, inspection: Inspection, case_id: CaseId, order_id: OrderId) -> Fact:
    return Fact(
        event_id=EventId(derived_id("inspection", store_id, inspection.inspection_id)),
        kind=FactKind.GOODS_INSPECTED,
        occurred_at=inspection.inspected_at,
        store_id=store_id,
        case_id=case_id,
        order_id=order_id,
        inspection=inspection,
    )


def tracking_fact(store_id: StoreId, event: TrackingEvent, of: ExpectedReturn | None = None) -> Fact:
    """Return what a case is told of a scan; whose parcel it is may be filled in when it is kept."""
    return Fact(
        event_id=EventId(derived_id("tracking", store_id, event.carrier, event.event_id)),
        kind=FactKind.PARCEL_TRACKED,
        occurred_at=event.occurred_at,
        store_id=store_id,
        case_id=of.case_id if of else None,
        order_id=of.order_id if of else None,
        parcel=ParcelTracked(ParcelDirection.INBOUND, event),
    )
