"""Messages in PostgreSQL: one method, one transaction, one step of a message."""

from collections.abc import Callable
from datetime import timedelta

import asyncpg

from services.domain.errors import IdempotencyConflict
from services.domain.message import Message, MessageRecord, MessageStatus
from services.notification import queries
from services.notification.delivery import Claimed, bounce_fact
from services.platform.database import Pool, transaction
from services.platform.documents import fingerprint, from_json, to_json
from services.platform.listening import Listener
from services.platform.outbox import record

_CHANNEL = "messages"


class MessageRepository:
    """Satisfies `services.notification.messages.MessageStore` and `services.notification.delivery.Queue`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def accept(self, message: Message) -> MessageStatus:
        body_hash = fingerprint(message)
        row = await self._pool.fetchrow(
            queries.ACCEPT, message.message_id, message.store_id, message.case_id, to_json(message), body_hash
        )
        if row is None or row["body_hash"] != body_hash:
            raise IdempotencyConflict("the message was sent otherwise")
        return MessageStatus(row["status"])

    async def of_case(self, store_id: str, case_id: str) -> list[MessageRecord]:
        return [_to_record(row) for row in await self._pool.fetch(queries.OF_CASE, store_id, case_id)]

    async def claim(self, limit: int, lease: timedelta) -> list[Claimed]:
        return [_to_claimed(row) for row in await self._pool.fetch(queries.CLAIM, limit, lease)]

    async def hand_over(self, claimed: Claimed, lease: timedelta) -> bool:
        return bool(await self._pool.fetchval(queries.HAND_OVER, *_attempt(claimed), lease))

    async def sent(self, claimed: Claimed) -> None:
        await self._pool.execute(queries.SENT, *_attempt(claimed))

    async def put_back(self, claimed: Claimed, failure: str, delay: timedelta) -> None:
        await self._pool.execute(queries.PUT_BACK, *_attempt(claimed), failure, delay)

    async def fail(self, claimed: Claimed, failure: str) -> None:
        async with transaction(self._pool) as connection:
            failed_at = await connection.fetchval(queries.FAIL, *_attempt(claimed), failure)
            if failed_at is not None:
                await record(connection, bounce_fact(claimed.message, failed_at))

    async def leave_unconfirmed(self, claimed: Claimed, failure: str) -> None:
        await self._pool.execute(queries.LEAVE_UNCONFIRMED, *_attempt(claimed), failure)

    async def expire(self) -> list[tuple[str, MessageStatus]]:
        rows = await self._pool.fetch(queries.EXPIRE)
        return [(row["message_id"], MessageStatus(row["status"])) for row in rows]


class Arrivals:
    """Tells when a message is queued, by whichever process."""

    def __init__(self, dsn: str) -> None:
        self._watchers: set[Callable[[], None]] = set()
        self._listener = Listener(dsn, _CHANNEL, lambda _: self._tell(), self._tell)

    async def watch(self, on_arrival: Callable[[], None]) -> None:
        """See to it that ``on_arrival`` is called, also when the connection was lost: then do this again."""
        self._watchers.add(on_arrival)
        await self._listener.listen()

    def _tell(self) -> None:
        for on_arrival in self._watchers:
            on_arrival()

    async def close(self) -> None:
        await self._listener.close()


def _attempt(claimed: Claimed) -> tuple[str, int]:
    return claimed.message.message_id, claimed.attempt


def _to_claimed(row: asyncpg.Record) -> Claimed:
    return Claimed(from_json(row["body"], Message), row["attempts"], row["accepted_at"], row["age"])


def _to_record(row: asyncpg.Record) -> MessageRecord:
    return MessageRecord(
        message=from_json(row["body"], Message),
        status=MessageStatus(row["status"]),
        attempts=row["attempts"],
        sent_at=row["sent_at"],
        failure=row["failure"],
    )
