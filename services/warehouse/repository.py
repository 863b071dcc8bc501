"""Returns and stock in PostgreSQL: one method, one transaction, one business fact."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from services.domain.errors import (
    IdempotencyConflict,
    InspectionExceedsReceived,
    ReturnNotFound,
    StockExceeded,
)
from services.domain.ids import Rma, StoreId, derived_id
from services.domain.logistics import (
    Disposition,
    ExpectedReturn,
    InboundReturn,
    Inspection,
    Receipt,
    StockLevel,
    TrackingEvent,
)
from services.platform.database import Pool, transaction
from services.platform.documents import fingerprint, from_json, to_json
from services.platform.outbox import record
from services.warehouse import queries
from services.warehouse.returns import inspection_fact, receipt_fact, tracking_fact

_ANY_TIME: Final = datetime.fromtimestamp(0, UTC)
_ON_SHELF: Final = frozenset({Disposition.RESTOCK})
_KEPT_ASIDE: Final = frozenset({Disposition.REFURBISH, Disposition.RETURN_TO_CUSTOMER})


class WarehouseRepository:
    """Satisfies what the use cases of `services.warehouse.returns` need."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, rma: str) -> ExpectedReturn | None:
        row = await self._pool.fetchrow(queries.FIND_RETURN, rma)
        return _to_return(row) if row else None

    async def authorize(self, wanted: ExpectedReturn, made: ExpectedReturn) -> ExpectedReturn:
        """Store ``made``, unless ``wanted`` was authorised before."""
        body_hash = fingerprint(wanted)
        inserted = await self._pool.fetchval(
            queries.INSERT_RETURN,
            wanted.rma,
            wanted.store_id,
            wanted.case_id,
            wanted.order_id,
            to_json(made),
            body_hash,
            made.label_url,
            made.carrier,
            made.tracking_number,
            [line.line_id for line in wanted.lines],
            [line.sku for line in wanted.lines],
            [line.quantity for line in wanted.lines],
        )
        if inserted:
            return made
        row = await self._pool.fetchrow(queries.FIND_RETURN, wanted.rma)
        if row is None or row["body_hash"] != body_hash:
            raise IdempotencyConflict("the return was authorised otherwise")
        return _to_return(row)

    async def close(self, rma: str) -> bool:
        """Stop expecting; True when a label was bought that nobody has used."""
        return bool(await self._pool.fetchval(queries.CLOSE_RETURN, rma))

    async def register(self, rma: str, carrier: str, tracking_number: str) -> ExpectedReturn:
        """Link a parcel; scans that came before, of this return's parcel, are told to the case now."""
        async with transaction(self._pool) as connection:
            await connection.execute(queries.LOCK_PARCEL, tracking_number)
            row = await connection.fetchrow(queries.REGISTER_PARCEL, rma, carrier, tracking_number)
            if row is None:
                raise ReturnNotFound("there is no such return")
            expected = _to_return(row)
            for event in from_json(row["scans"] or "[]", tuple[TrackingEvent, ...]):
                fact = tracking_fact(expected.store_id, event, expected)
                await record(connection, fact)
        return expected

    async def inbound(self, scan: str, store_id: str) -> InboundReturn:
        row = await self._pool.fetchrow(queries.FIND_INBOUND, scan, store_id)
        if row is None:
            raise ReturnNotFound("there is no such return")
        return InboundReturn(
            expected=_to_return(row),
            receipts=from_json(row["receipts"] or "[]", tuple[Receipt, ...]),
            inspections=from_json(row["inspections"] or "[]", tuple[Inspection, ...]),
            received=json.loads(row["received"]),
            inspected=json.loads(row["inspected"]),
        )

    async def receive(self, store_id: StoreId, receipt: Receipt) -> tuple[Receipt, ExpectedReturn | None]:
        """Keep a receipt and tell its case, also of a closed or unknown return; returns what is kept."""
        # When it was told of is no part of what was told: a repeat may come at any time.
        body_hash = fingerprint(replace(receipt, received_at=_ANY_TIME))
        expected = await self._by_scan(store_id, receipt.scan)
        fact = receipt_fact(store_id, receipt, expected)
        is_new = await self._pool.fetchval(
            queries.KEEP_RECEIPT,
            store_id,
            receipt.receipt_id,
            expected.rma if expected else None,
            to_json(receipt),
            body_hash,
            [item.line_id for item in receipt.lines],
            [item.sku for item in receipt.lines],
            [item.quantity for item in receipt.lines],
            fact.event_id,
            to_json(fact),
        )
        if is_new:
            return receipt, expected
        known = await self._pool.fetchrow(queries.KNOWN_RECEIPT, store_id, receipt.receipt_id)
        if known is None or known["body_hash"] != body_hash:
            raise IdempotencyConflict("the receipt was recorded otherwise")
        return from_json(known["body"], Receipt), expected

    async def _by_scan(self, store_id: StoreId, scan: str) -> ExpectedReturn | None:
        row = await self._pool.fetchrow(queries.FIND_BY_SCAN, store_id, scan)
        return _to_return(row) if row else None

    async def inspect(self, store_id: StoreId, inspection: Inspection) -> Inspection:
        """Keep a judgement, restock what is to be restocked, and tell the case; returns what is kept."""
        body_hash = fingerprint(replace(inspection, inspected_at=_ANY_TIME))
        expected = await self._by_scan(store_id, inspection.rma)
        if expected is None or expected.rma != inspection.rma:
            raise ReturnNotFound("there is no such return")
        if {judged.line_id for judged in inspection.lines} - {line.line_id for line in expected.lines}:
            raise InspectionExceedsReceived("a line is judged that is not expected back")
        if await self._judge(store_id, inspection, expected, body_hash):
            return inspection
        known = await self._pool.fetchrow(queries.KNOWN_INSPECTION, store_id, inspection.inspection_id)
        if known is None or known["body_hash"] != body_hash:
            raise IdempotencyConflict("the inspection was recorded otherwise")
        return from_json(known["body"], Inspection)

    async def _judge(
        self, store_id: StoreId, inspection: Inspection, expected: ExpectedReturn, body_hash: bytes
    ) -> bool:
        """Keep and count a judgement; False when its id is known."""
        lines, key = inspection.lines, (store_id, inspection.inspection_id)
        fact = inspection_fact(store_id, inspection, expected.case_id, expected.order_id)
        try:
            return bool(
                await self._pool.fetchval(
                    queries.KEEP_INSPECTION,
                    *key,
                    inspection.rma,
                    to_json(inspection),
                    body_hash,
                    [judged.line_id for judged in lines],
                    [judged.quantity for judged in lines],
                    [judged.quantity if judged.disposition in _ON_SHELF else 0 for judged in lines],
                    [judged.quantity if judged.disposition in _KEPT_ASIDE else 0 for judged in lines],
                    [derived_id("restock", *key, str(index)) for index in range(len(lines))],
                    fact.event_id,
                    to_json(fact),
                )
            )
        except asyncpg.CheckViolationError as error:
            raise InspectionExceedsReceived("more units are judged than have come") from error

    async def track(self, store_id: StoreId, event: TrackingEvent) -> tuple[bool, bool]:
        """Keep a scan and tell its case; says whether it is new, and whether it is of a return's parcel."""
        fact = tracking_fact(store_id, event)
        async with transaction(self._pool) as connection:
            await connection.execute(queries.LOCK_PARCEL, event.tracking_number)
            row = await connection.fetchrow(
                queries.KEEP_SCAN,
                store_id,
                event.carrier,
                event.event_id,
                event.tracking_number,
                to_json(event),
                event.occurred_at,
                fact.event_id,
                to_json(fact),
            )
        assert row is not None
        return row["is_new"], row["is_inbound"]

    async def stock(self, store_id: StoreId, sku: str) -> StockLevel:
        row = await self._pool.fetchrow(queries.GET_STOCK, store_id, sku)
        if row is None:
            return StockLevel(sku, 0, 0, 0, 0)
        on_hand, reserved = row["on_hand"], row["reserved"]
        return StockLevel(sku, on_hand, reserved, on_hand - reserved, row["quarantined"])

    async def set_stock(self, store_id: StoreId, sku: str, on_hand: int) -> StockLevel:
        async with transaction(self._pool) as connection:
            await connection.execute(queries.ENSURE_STOCK, store_id, sku)
            known = await connection.fetchrow(queries.LOCK_STOCK, store_id, sku)
            if known is None:
                raise ReturnNotFound("the stock went away")
            if on_hand < known["reserved"]:
                raise StockExceeded(f"{known['reserved']} units of {sku} are reserved")
            if on_hand != known["on_hand"]:
                await connection.execute(queries.ADJUST_STOCK, store_id, sku, on_hand - known["on_hand"])
        return await self.stock(store_id, sku)


def _to_return(row: Any) -> ExpectedReturn:
    made = from_json(row["body"], ExpectedReturn)
    return replace(
        made,
        rma=Rma(made.rma),
        label_url=row["label_url"],
        carrier=row["carrier"],
        tracking_number=row["tracking_number"],
        is_open=row["is_open"],
    )
