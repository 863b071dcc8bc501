"""Orders in PostgreSQL: one method, one transaction, one business fact."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from services.domain.amounts import count_of
from services.domain.errors import (
    FieldProblem,
    IdempotencyConflict,
    OrderNotFound,
    OrderVersionConflict,
    QuantityExceedsRemaining,
    UnknownOrderLine,
)
from services.domain.ids import LineId
from services.domain.order import (
    Customer,
    HeldUnits,
    LineUnits,
    Order,
    OrderAsSold,
    OrderFilter,
    PolicyRef,
    Shipment,
    UnitClaim,
    UnitRange,
    UnitSettlement,
)
from services.order import queries
from services.order.claims import Claim, settle, take
from services.order.orders import ClaimRequest, SettleRequest, delivered_lines
from services.platform.database import Connection, Pool, transaction
from services.platform.documents import fingerprint, from_json, to_json


class OrderRepository:
    """Satisfies what the use cases of `services.order.orders` need."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, sold: OrderAsSold, policy: PolicyRef) -> bool:
        """Store a version; True when the order is new."""
        body_hash = fingerprint(sold)
        async with transaction(self._pool) as connection:
            if await self._insert(connection, sold, policy, body_hash):
                return True
            await self._replace(connection, sold, body_hash)
            return False

    async def _insert(
        self, connection: Connection, sold: OrderAsSold, policy: PolicyRef, body_hash: bytes
    ) -> bool:
        inserted = await connection.fetchval(
            queries.INSERT_ORDER,
            sold.store_id,
            sold.order_id,
            sold.version,
            to_json(sold),
            body_hash,
            policy.policy_id,
            policy.version,
            sold.customer.customer_id,
            sold.customer.phone,
            _search_text(sold),
            sold.placed_at,
        )
        if inserted:
            await self._add_units(connection, sold, {line.line_id for line in sold.lines})
        return bool(inserted)

    async def _add_units(self, connection: Connection, sold: OrderAsSold, line_ids: set[LineId]) -> None:
        lines = [line for line in sold.lines if line.line_id in line_ids]
        await connection.execute(
            queries.INSERT_UNITS,
            sold.store_id,
            sold.order_id,
            [line.line_id for line in lines],
            [line.quantity for line in lines],
        )

    async def _replace(self, connection: Connection, sold: OrderAsSold, body_hash: bytes) -> None:
        key = (sold.store_id, sold.order_id)
        known = await connection.fetchrow(queries.LOCK_ORDER, *key)
        if known is None:
            raise OrderNotFound("the order went away")
        if known["version"] == sold.version and known["body_hash"] == body_hash:
            return
        if known["version"] >= sold.version:
            problem = FieldProblem("/version", "conflict", f"{known['version']} is stored")
            raise OrderVersionConflict(
                f"version {known['version']} is stored, {sold.version} came", problems=(problem,)
            )
        await self._resize(connection, sold)
        await connection.execute(
            queries.UPDATE_ORDER,
            *key,
            sold.version,
            to_json(sold),
            body_hash,
            sold.customer.customer_id,
            sold.customer.phone,
            _search_text(sold),
            sold.placed_at,
        )

    async def _resize(self, connection: Connection, sold: OrderAsSold) -> None:
        key = (sold.store_id, sold.order_id)
        wanted = {line.line_id: line.quantity for line in sold.lines}
        known = {row["line_id"]: row for row in await connection.fetch(queries.LOCK_UNITS, *key)}
        for line_id, row in known.items():
            free = _ranges(row["free"])
            keeps = wanted.get(line_id, 0)
            going = sum(
                min(part.first + part.count, row["quantity"]) - max(part.first, keeps)
                for part in free
                if part.first + part.count > keeps
            )
            if going < row["quantity"] - keeps:
                raise QuantityExceedsRemaining(
                    f"line {line_id}: units that a case holds would go", problems=(_held_back(sold, line_id),)
                )
            if keeps == 0:
                await connection.execute(queries.DELETE_UNITS, *key, line_id)
            elif keeps != row["quantity"]:
                await connection.execute(queries.RESIZE_UNITS, *key, line_id, keeps)
        await self._add_units(connection, sold, set(wanted) - set(known))

    async def get(self, store_id: str, order_id: str) -> Order:
        row = await self._pool.fetchrow(queries.GET_ORDER, store_id, order_id)
        if row is None:
            raise OrderNotFound("there is no such order")
        return _to_order(row)

    async def contact(self, store_id: str, order_id: str) -> Customer:
        row = await self._pool.fetchrow(queries.GET_CONTACT, store_id, order_id)
        if row is None:
            raise OrderNotFound("there is no such order")
        return from_json(row["customer"], Customer)

    async def list(self, wanted: OrderFilter, after: tuple[datetime, str] | None, limit: int) -> list[Order]:
        rows = await self._pool.fetch(
            queries.LIST_ORDERS,
            wanted.store_id,
            wanted.customer_id,
            wanted.phone,
            _escaped(wanted.text.lower()),
            wanted.placed_after,
            wanted.placed_before,
            after[0] if after else None,
            after[1] if after else "",
            limit,
        )
        return [_to_order(row) for row in rows]

    async def claim(self, request: ClaimRequest) -> tuple[HeldUnits, ...]:
        body_hash = fingerprint(request)
        try:
            return await self._claim(request, body_hash)
        except asyncpg.UniqueViolationError:
            # The same claim came at the same instant, and was first.
            return _held(await self._pool.fetch(queries.GET_CLAIM, request.claim_id), body_hash)

    async def _claim(self, request: ClaimRequest, body_hash: bytes) -> tuple[HeldUnits, ...]:
        key = (request.store_id, request.order_id)
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(queries.LOCK_FOR_CLAIM, *key, request.claim_id)
            if not rows:
                raise OrderNotFound("there is no such order")
            known = [row for row in rows if row["body_hash"] is not None]
            if known:
                return _held(known, body_hash)
            free = {row["line_id"]: _ranges(row["free"]) for row in rows}
            held = [_pick(claim, free) for claim in request.claims]
            await connection.execute(
                queries.TAKE_UNITS,
                *key,
                [units.line_id for units in held],
                [_text_of_ranges(units.ranges) for units in held],
                [count_of(units.ranges) for units in held],
                request.claim_id,
                request.case_id,
                body_hash,
            )
        return tuple(sorted(held, key=lambda units: units.line_id))

    async def settle(self, request: SettleRequest) -> None:
        totals = {settlement.line_id: settlement for settlement in request.settlements}
        key = (request.store_id, request.order_id, request.claim_id)
        async with transaction(self._pool) as connection:
            changes = []
            for row in await connection.fetch(queries.LOCK_CLAIM, *key):
                claim = _to_claim(row)
                line_id = LineId(claim.line_id)
                total = totals.get(line_id, UnitSettlement(line_id, claim.returned, claim.refunded))
                changes.append((line_id, settle(claim, total, release=request.release_rest)))
            if not changes:
                return
            await connection.execute(
                queries.SETTLE_CLAIM,
                *key,
                request.release_rest,
                [line_id for line_id, _ in changes],
                [change.returned for _, change in changes],
                [change.refunded for _, change in changes],
                [change.in_case for _, change in changes],
                [_text_of_ranges(change.gives) for _, change in changes],
            )

    async def ship(self, store_id: str, order_id: str, shipment: Shipment) -> Shipment:
        body_hash = fingerprint(shipment)
        async with transaction(self._pool) as connection:
            units = await connection.fetch(queries.LOCK_UNITS, store_id, order_id)
            if not units:
                raise OrderNotFound("there is no such order")
            known = await connection.fetchrow(queries.GET_SHIPMENT, store_id, shipment.shipment_id)
            if known is not None:
                if (known["order_id"], known["body_hash"]) != (order_id, body_hash):
                    raise IdempotencyConflict("the shipment was recorded otherwise")
                return shipment
            shipped = {
                row["line_id"]: row["shipped"]
                for row in await connection.fetch(queries.SHIPPED_UNITS, store_id, order_id)
            }
            _check_shipped(shipment, {row["line_id"]: row["quantity"] for row in units}, shipped)
            is_new = await connection.fetchval(
                queries.INSERT_SHIPMENT,
                store_id,
                shipment.shipment_id,
                order_id,
                shipment.carrier,
                shipment.tracking_number,
                to_json(shipment),
                body_hash,
            )
            if not is_new:
                raise IdempotencyConflict("the shipment was recorded for another order")
        return shipment

    async def record_delivery(self, store_id: str, tracking_number: str, at: datetime) -> tuple[bool, bool]:
        """Date a parcel's arrival; says whether that is news, and whether it is one of ours to a customer."""
        row = await self._pool.fetchrow(queries.RECORD_DELIVERY, store_id, tracking_number, at)
        assert row is not None
        return row["is_new"], row["is_outbound"]

    async def is_outbound(self, store_id: str, tracking_number: str) -> bool:
        return bool(await self._pool.fetchval(queries.IS_OUTBOUND, store_id, tracking_number))


def _held_back(sold: OrderAsSold, line_id: str) -> FieldProblem:
    """Point at the line that would lose units, or at all of them when it is the one that is missing."""
    index = next((index for index, line in enumerate(sold.lines) if line.line_id == line_id), None)
    pointer = "/lines" if index is None else f"/lines/{index}/quantity"
    return FieldProblem(pointer, "exceeds_remaining", f"a case holds units of line {line_id}")


def _held(rows: Sequence[Any], body_hash: bytes) -> tuple[HeldUnits, ...]:
    """Return what a known claim holds, if it is the one that is asked for."""
    if not rows or rows[0]["body_hash"] != body_hash:
        raise IdempotencyConflict("the claim was made with other units")
    return tuple(HeldUnits(row["line_id"], _ranges(row["units"])) for row in rows)


def _pick(claim: UnitClaim, free: dict[str, tuple[UnitRange, ...]]) -> HeldUnits:
    if claim.line_id not in free:
        raise UnknownOrderLine(f"the order has no line {claim.line_id}")
    return HeldUnits(claim.line_id, take(claim.line_id, free[claim.line_id], claim.quantity))


def _to_claim(row: Any) -> Claim:
    return Claim(row["line_id"], _ranges(row["units"]), row["returned"], row["refunded"], row["is_released"])


def _check_shipped(shipment: Shipment, sold: dict[str, int], shipped: dict[str, int]) -> None:
    adding: dict[str, int] = {}
    for part in shipment.lines:
        adding[part.line_id] = adding.get(part.line_id, 0) + part.quantity
    for line_id, quantity in adding.items():
        if line_id not in sold:
            raise UnknownOrderLine(f"the order has no line {line_id}")
        if shipped.get(line_id, 0) + quantity > sold[line_id]:
            raise QuantityExceedsRemaining(f"line {line_id}: more shipped than sold")


def _search_text(sold: OrderAsSold) -> str:
    words = [sold.order_id, *(f"{line.sku} {line.title}" for line in sold.lines)]
    return "\n".join(words).lower()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _ranges(multirange: "Sequence[asyncpg.Range[int]]") -> tuple[UnitRange, ...]:
    bounds = [(part.lower or 0, part.upper or 0) for part in multirange]
    return tuple(UnitRange(low, high - low) for low, high in bounds)


def _text_of_ranges(ranges: Sequence[UnitRange]) -> str:
    """Write a multirange as PostgreSQL reads it: ``{[0,1),[3,6)}``."""
    return "{" + ",".join(f"[{part.first},{part.first + part.count})" for part in ranges) + "}"


def _ranges_of_text(text: str) -> tuple[UnitRange, ...]:
    """Parse a multirange as PostgreSQL prints it: ``{[0,1),[3,6)}``."""
    parts = [part.strip("[)").split(",") for part in text.strip("{}").split("),") if part]
    return tuple(UnitRange(int(low), int(high) - int(low)) for low, high in parts)


def _to_order(row: Any) -> Order:
    sold = from_json(row["sold"], OrderAsSold)
    shipments = tuple(_to_shipment(item) for item in json.loads(row["shipments"] or "[]"))
    delivered = delivered_lines(shipments)
    units = tuple(
        LineUnits(
            line_id=item["line_id"],
            returned=item["returned"],
            refunded=item["refunded"],
            in_case=item["in_case"],
            delivered_at=delivered.get(item["line_id"]),
            free=_ranges_of_text(item["free"]),
        )
        for item in json.loads(row["units"] or "[]")
    )
    return Order(sold, PolicyRef(row["policy_id"], row["policy_version"]), units, shipments)


def _to_shipment(item: dict[str, Any]) -> Shipment:
    return from_json(json.dumps({**item["shipment"], "delivered_at": item["delivered_at"]}), Shipment)
