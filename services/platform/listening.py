"""Hearing PostgreSQL's notifications: one connection per process and channel, renewed when it ends."""

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg

_SECONDS: Final = 5.0


class Listener:
    """Calls ``on_news`` with each notification's payload, and ``on_lost`` when its connection has ended.

    What is said while nobody listens is never heard: whoever waits looks once after `listen`, and is to call
    it again, and to look, when the connection was lost.
    """

    def __init__(
        self, dsn: str, channel: str, on_news: Callable[[str], None], on_lost: Callable[[], None]
    ) -> None:
        self._dsn = dsn
        self._channel = channel
        self._on_news = on_news
        self._on_lost = on_lost
        self._connecting = asyncio.Lock()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def listen(self) -> None:
        """See to it that news come.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError: If the database is away.
        """
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection = await asyncpg.connect(self._dsn, timeout=_SECONDS)
        try:
            async with asyncio.timeout(_SECONDS):
                await connection.add_listener(self._channel, self._hear)
        except BaseException:
            # Whatever it was, also a caller that goes away: it would be taken for a connection that hears.
            connection.terminate()
            raise
        connection.add_termination_listener(lambda _: self._on_lost())
        return connection

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._on_news(str(payload))

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
