"""The outbox: facts stored in the transaction that learned them, handed out until acknowledged.

A fact is leased, delivered, acknowledged. Whoever dies in between loses only the lease: the fact comes
again, and its receiver knows it by ``event_id``.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from recourse.events.v1 import events_pb2, events_pb2_grpc
from services.domain.facts import Fact
from services.platform.database import Connection, Pool
from services.platform.documents import from_json, to_json
from services.platform.grpc_server import Context, Mounted
from services.platform.listening import Listener
from services.platform.wire import to_wire

_CHANNEL = "outbox"
# A notification may be lost with its connection; what was missed is found by looking this often.
_LOOK_SECONDS = 1.0
# Long enough to hand facts out again to a Temporal that was restored from a backup.
_KEPT = timedelta(days=7)
_BATCH = 1000

# A statement that keeps what it learned may do this in the same breath (a WITH of its own).
RECORD = """
INSERT INTO outbox (event_id, fact)
VALUES ($1, $2::text::jsonb)
    ON CONFLICT (event_id) DO NOTHING
RETURNING pg_notify('outbox', '')
"""
# SKIP LOCKED lets several relays pull at once; the lease keeps a fact with one of them for its time.
LEASE = """
WITH due AS MATERIALIZED (
    SELECT position
      FROM outbox
     WHERE acked_at IS NULL AND leased_until < now()
     ORDER BY position
     LIMIT $1
       FOR UPDATE SKIP LOCKED)
UPDATE outbox
   SET leased_until = now() + $2::interval, attempts = attempts + 1
  FROM due
 WHERE outbox.position = due.position
RETURNING outbox.position, fact::text AS fact, recorded_at, attempts
"""
ACK = "UPDATE outbox SET acked_at = now() WHERE event_id = ANY($1::text[]) AND acked_at IS NULL"
# From the oldest on, a batch of positions at a time: what is old stands in front, so this never looks at much
# more than it removes.
FORGET = """
WITH batch AS MATERIALIZED (
    SELECT position, recorded_at FROM outbox WHERE position > $1 ORDER BY position LIMIT $2),
gone AS (
    DELETE FROM outbox
     USING batch
     WHERE outbox.position = batch.position AND outbox.acked_at < now() - $3::interval)
SELECT max(position) FROM batch WHERE recorded_at < now() - $3::interval
"""


async def record(connection: Connection, fact: Fact) -> None:
    """Store ``fact`` in the caller's transaction; one that is known already changes nothing."""
    await connection.execute(RECORD, fact.event_id, to_json(fact))


@dataclass(frozen=True, slots=True)
class LeasedFact:
    """A fact in the hands of a relay; ``attempts`` counts how often it was handed out."""

    fact: Fact
    recorded_at: datetime
    attempts: int


class Outbox:
    """The facts of one service's database, and who waits for them; lost news delay those ``look_seconds``."""

    def __init__(self, pool: Pool, dsn: str, look_seconds: float = _LOOK_SECONDS) -> None:
        self._pool = pool
        self._look_seconds = look_seconds
        self._news = asyncio.Event()
        self._listener = Listener(dsn, _CHANNEL, lambda _: self._news.set(), self._news.set)

    async def pull(self, limit: int, lease: timedelta, wait: timedelta) -> list[LeasedFact]:
        """Lease the oldest facts nobody holds; wait up to ``wait`` for one to come."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + wait.total_seconds()
        while True:
            self._news.clear()
            await self._listener.listen()
            facts = await self._lease(limit, lease)
            left = give_up_at - loop.time()
            if facts or left <= 0:
                return facts
            try:
                await asyncio.wait_for(self._news.wait(), min(left, self._look_seconds))
            except TimeoutError:
                continue

    async def _lease(self, limit: int, lease: timedelta) -> list[LeasedFact]:
        rows = await self._pool.fetch(LEASE, limit, lease)
        return [
            LeasedFact(from_json(row["fact"], Fact), row["recorded_at"], row["attempts"])
            for row in sorted(rows, key=lambda row: row["position"])
        ]

    async def ack(self, event_ids: list[str]) -> None:
        await self._pool.execute(ACK, event_ids)

    async def forget(self, batch: int = _BATCH) -> None:
        """Remove what was acknowledged a week ago."""
        position = 0
        while position is not None:
            position = await self._pool.fetchval(FORGET, position, batch, _KEPT)

    async def close(self) -> None:
        await self._listener.close()


class EventServicer(events_pb2_grpc.EventServiceServicer):
    """`EventService` over one outbox; every service that learns facts mounts it."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def PullEvents(
        self,
        request: events_pb2.PullEventsRequest,
        context: Context,
    ) -> events_pb2.PullEventsResponse:
        if request.delivered_event_ids:
            await self._outbox.ack(list(request.delivered_event_ids))
        leased = await self._outbox.pull(
            request.max_events,
            timedelta(seconds=request.lease_seconds),
            timedelta(seconds=request.wait_seconds),
        )
        return events_pb2.PullEventsResponse(events=[to_wire(fact, events_pb2.LeasedFact) for fact in leased])


def mount_events(outbox: Outbox) -> Mounted:
    servicer = EventServicer(outbox)
    name = events_pb2.DESCRIPTOR.services_by_name["EventService"].full_name
    return Mounted(name, lambda server: events_pb2_grpc.add_EventServiceServicer_to_server(servicer, server))
