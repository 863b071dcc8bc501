"""The order service in memory: units are numbered, and each is in at most one live claim."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.domain.amounts import count_of
from services.domain.errors import (
    IdempotencyConflict,
    OrderNotFound,
    OrderVersionConflict,
    UnknownOrderLine,
)
from services.domain.ids import LineId
from services.domain.logistics import ParcelStatus, TrackingEvent
from services.domain.order import (
    Customer,
    HeldUnits,
    LineUnits,
    Order,
    OrderAsSold,
    PolicyRef,
    Shipment,
    UnitClaim,
    UnitRange,
    UnitSettlement,
    check_order,
)
from services.order.claims import Claim, settle, take
from services.order.orders import check_claims, delivered_lines
from tests.fakes.switchboard import Switchboard

Key = tuple[str, str]


@dataclass
class _Claimed:
    """A claim as it was asked for, and how each of its lines stands."""

    asked: tuple[object, ...]
    lines: dict[LineId, Claim]


@dataclass
class FakeOrders:
    board: Switchboard
    _orders: dict[Key, Order] = field(default_factory=dict)
    _claims: dict[str, _Claimed] = field(default_factory=dict)
    _delivered: dict[Key, datetime] = field(default_factory=dict)

    async def put(self, sold: OrderAsSold, policy: PolicyRef) -> tuple[Order, bool]:
        with self.board.call("order", "put", sold.order_id):
            check_order(sold)
            key = (sold.store_id, sold.order_id)
            known = self._orders.get(key)
            if known is None:
                units = tuple(
                    LineUnits(line.line_id, free=(UnitRange(0, line.quantity),)) for line in sold.lines
                )
                self._orders[key] = Order(sold, policy, units)
            elif known.sold != sold:
                if known.sold.version >= sold.version:
                    raise OrderVersionConflict(f"version {known.sold.version} is stored")
                self._orders[key] = replace(known, sold=sold)
            return self._orders[key], known is None

    async def get(self, store_id: str, order_id: str) -> Order:
        with self.board.call("order", "get", order_id):
            return self._find(store_id, order_id)

    async def contact(self, store_id: str, order_id: str) -> Customer:
        with self.board.call("order", "contact", order_id):
            return self._find(store_id, order_id).sold.customer

    async def ship(self, store_id: str, order_id: str, shipment: Shipment) -> Shipment:
        with self.board.call("order", "ship", shipment.shipment_id):
            order = self._find(store_id, order_id)
            if shipment not in order.shipments:
                self._orders[(store_id, order_id)] = replace(order, shipments=(*order.shipments, shipment))
            return shipment

    async def track(self, store_id: str, event: TrackingEvent) -> tuple[bool, bool]:
        with self.board.call("order", "track", event.event_id):
            key, is_new = (store_id, event.tracking_number), False
            if event.status is ParcelStatus.DELIVERED:
                known = self._delivered.get(key)
                is_new = known is None or event.occurred_at < known
                self._delivered[key] = event.occurred_at if known is None else min(known, event.occurred_at)
            return is_new, any(
                shipment.tracking_number == event.tracking_number
                for (store, _), order in self._orders.items()
                if store == store_id
                for shipment in order.shipments
            )

    async def claim(
        self, store_id: str, order_id: str, case_id: str, claim_id: str, claims: tuple[UnitClaim, ...]
    ) -> tuple[HeldUnits, ...]:
        with self.board.call("order", "claim", claim_id):
            order = self._find(store_id, order_id)
            asked = (store_id, order_id, case_id, claims)
            known = self._claims.get(claim_id)
            if known is None:
                known = self._claims[claim_id] = _Claimed(asked, _pick(order, claims))
                for claim in known.lines.values():
                    self._move(order, claim.line_id, in_case=claim.held, takes=claim.units)
                self.board.done("order", "claimed", claim_id)
            elif known.asked != asked:
                raise IdempotencyConflict("the claim was made with other units")
            return tuple(HeldUnits(line_id, claim.units) for line_id, claim in sorted(known.lines.items()))

    async def settle(
        self,
        store_id: str,
        order_id: str,
        case_id: str,
        claim_id: str,
        settlements: tuple[UnitSettlement, ...],
        *,
        release_rest: bool,
    ) -> None:
        with self.board.call("order", "settle", claim_id):
            claimed = self._claims.get(claim_id)
            if claimed is None:
                return
            totals = {settlement.line_id: settlement for settlement in settlements}
            before = dict(claimed.lines)
            for line_id, claim in before.items():
                total = totals.get(line_id, UnitSettlement(line_id, claim.returned, claim.refunded))
                claimed.lines[line_id] = self._settle(
                    self._find(store_id, order_id), claim, total, release=release_rest
                )
            if claimed.lines != before:
                self.board.done("order", "settled", claim_id)

    def _settle(self, order: Order, claim: Claim, total: UnitSettlement, *, release: bool) -> Claim:
        change = settle(claim, total, release=release)
        self._move(
            order,
            LineId(claim.line_id),
            returned=change.returned,
            refunded=change.refunded,
            in_case=change.in_case,
            gives=change.gives,
        )
        return replace(
            claim,
            returned=claim.returned + change.returned,
            refunded=claim.refunded + change.refunded,
            is_released=release or claim.is_released,
        )

    def _move(  # noqa: PLR0913 — one number per column of a line
        self,
        order: Order,
        line_id: str,
        *,
        returned: int = 0,
        refunded: int = 0,
        in_case: int = 0,
        takes: tuple[UnitRange, ...] = (),
        gives: tuple[UnitRange, ...] = (),
    ) -> None:
        key = (order.sold.store_id, order.sold.order_id)
        stands = self._orders[key]
        old = stands.units_of(LineId(line_id))
        new = replace(
            old,
            returned=old.returned + returned,
            refunded=old.refunded + refunded,
            in_case=old.in_case + in_case,
            free=_ranges((_numbers(old.free) - _numbers(takes)) | _numbers(gives)),
        )
        units = tuple(new if one.line_id == line_id else one for one in stands.units)
        self._orders[key] = replace(stands, units=units)

    def _find(self, store_id: str, order_id: str) -> Order:
        order = self._orders.get((store_id, order_id))
        if order is None:
            raise OrderNotFound("there is no such order")
        shipments = tuple(
            replace(one, delivered_at=self._delivered.get((store_id, one.tracking_number)))
            for one in order.shipments
        )
        delivered = delivered_lines(shipments)
        units = tuple(replace(one, delivered_at=delivered.get(one.line_id)) for one in order.units)
        return replace(order, shipments=shipments, units=units)


def _pick(order: Order, claims: tuple[UnitClaim, ...]) -> dict[LineId, Claim]:
    check_claims(claims)
    picked = {}
    for claim in claims:
        if order.sold.line(claim.line_id) is None:
            raise UnknownOrderLine(f"the order has no line {claim.line_id}")
        units = take(claim.line_id, order.units_of(claim.line_id).free, claim.quantity)
        assert count_of(units) == claim.quantity
        picked[claim.line_id] = Claim(claim.line_id, units, returned=0, refunded=0, is_released=False)
    return picked


def _numbers(ranges: Iterable[UnitRange]) -> set[int]:
    return {number for part in ranges for number in range(part.first, part.first + part.count)}


def _ranges(numbers: set[int]) -> tuple[UnitRange, ...]:
    parts: list[UnitRange] = []
    for number in sorted(numbers):
        if parts and number == parts[-1].first + parts[-1].count:
            parts[-1] = replace(parts[-1], count=parts[-1].count + 1)
        else:
            parts.append(UnitRange(number, 1))
    return tuple(parts)
