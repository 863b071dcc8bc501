"""Webhooks to stores in PostgreSQL: one method, one transaction, one business fact."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.domain.ids import CaseId, StoreId
from services.gateway import subscription_queries as queries
from services.gateway.connecting import Lazy, reached
from services.gateway.subscriptions import Delivery, DeliveryState, Endpoint, News, ToldCase
from services.platform.database import Pool, transaction


class SubscriptionRepository:
    """Satisfies what `subscriptions` and `telling` need."""

    def __init__(self, database: Lazy[Pool]) -> None:
        self._database = database

    async def put_endpoint(self, endpoint: Endpoint) -> tuple[Endpoint, bool]:
        """Keep an endpoint; one that is known keeps its secret and takes the events."""
        async with reached(self._database) as pool:
            row = await pool.fetchrow(
                queries.PUT_ENDPOINT,
                endpoint.endpoint_id,
                endpoint.store_id,
                endpoint.url,
                list(endpoint.events),
                endpoint.secret,
                endpoint.created_at,
            )
        return _to_endpoint(row), bool(row and row["is_new"])

    async def endpoints(self, store_id: StoreId) -> list[Endpoint]:
        async with reached(self._database) as pool:
            rows = await pool.fetch(queries.ENDPOINTS, store_id)
        return [_to_endpoint(row) for row in rows]

    async def all_endpoints(self) -> list[Endpoint]:
        async with reached(self._database) as pool:
            rows = await pool.fetch(queries.ALL_ENDPOINTS)
        return [_to_endpoint(row) for row in rows]

    async def drop_endpoint(self, store_id: StoreId, endpoint_id: str) -> bool:
        async with reached(self._database) as pool:
            return bool(await pool.fetchval(queries.DROP_ENDPOINT, store_id, endpoint_id))

    async def position(self) -> str:
        async with reached(self._database) as pool:
            return str(await pool.fetchval(queries.POSITION))

    async def told(self, case_ids: Sequence[str]) -> dict[str, ToldCase]:
        async with reached(self._database) as pool:
            rows = await pool.fetch(queries.TOLD, list(case_ids))
        return {
            row["case_id"]: ToldCase(
                CaseId(row["case_id"]), row["sequence"], row["status"], json.loads(row["refunds"])
            )
            for row in rows
        }

    async def queue(
        self, before: str, after: str, told: Sequence[ToldCase], deliveries: Sequence[Delivery]
    ) -> bool:
        """Keep what is to be told; False when another gateway was faster."""
        async with reached(self._database) as pool, transaction(pool) as connection:
            if not await connection.fetchval(queries.MOVE_POSITION, before, after):
                return False
            await connection.execute(
                queries.TELL,
                [case.case_id for case in told],
                [case.sequence for case in told],
                [case.status for case in told],
                [json.dumps(dict(case.refunds)) for case in told],
            )
            if deliveries:
                await connection.execute(
                    queries.QUEUE,
                    [delivery.delivery_id for delivery in deliveries],
                    [delivery.endpoint_id for delivery in deliveries],
                    [delivery.event for delivery in deliveries],
                    [delivery.case_id for delivery in deliveries],
                    [delivery.payload for delivery in deliveries],
                )
        return True

    async def lease(
        self, limit: int, lasts: timedelta, most_attempts: int
    ) -> list[tuple[Delivery, Endpoint]]:
        async with reached(self._database) as pool:
            rows = await pool.fetch(queries.LEASE, limit, lasts, most_attempts)
        return [(_to_delivery(row), _to_endpoint(row)) for row in rows]

    async def delivered(self, delivery_id: str, answer: str) -> None:
        async with reached(self._database) as pool:
            await pool.execute(queries.DELIVERED, delivery_id, answer)

    async def undelivered(self, delivery_id: str, answer: str, retry_in: timedelta | None) -> None:
        async with reached(self._database) as pool:
            await pool.execute(queries.UNDELIVERED, delivery_id, answer, retry_in)

    async def deliveries(self, store_id: StoreId, state: DeliveryState | None, limit: int) -> list[Delivery]:
        async with reached(self._database) as pool:
            rows = await pool.fetch(queries.DELIVERIES, store_id, state or "", limit)
        return [_to_delivery(row) for row in rows]

    async def replay(self, store_id: StoreId, delivery_id: str) -> bool:
        async with reached(self._database) as pool:
            return bool(await pool.fetchval(queries.REPLAY, store_id, delivery_id))


def _to_endpoint(row: Any) -> Endpoint:
    return Endpoint(
        endpoint_id=row["endpoint_id"],
        store_id=StoreId(row["store_id"]),
        url=row["url"],
        events=tuple(News(event) for event in row["events"]),
        secret=row["secret"],
        created_at=row["created_at"],
    )


def _to_delivery(row: Any) -> Delivery:
    return Delivery(
        delivery_id=row["delivery_id"],
        endpoint_id=row["endpoint_id"],
        event=News(row["event"]),
        case_id=CaseId(row["case_id"]),
        payload=row["payload"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        last_answer=row["last_answer"],
        queued_at=row["queued_at"],
    )
