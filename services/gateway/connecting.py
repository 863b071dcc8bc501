"""What is outside may be down when this process starts, and come back at any time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar

import asyncpg
import structlog

from services.domain.errors import DependencyUnavailable
from services.platform.database import NOT_NOW, Pool

log = structlog.get_logger()

Thing = TypeVar("Thing")
_CONNECT_SECONDS: Final = 5.0
# Who asks while it is down gets its answer at once, until it is worth another try.
_PAUSE_SECONDS: Final = 0.5


class Lazy(Generic[Thing]):
    """Something outside, connected at first use; a failure is forgotten and tried again."""

    def __init__(self, name: str, connect: Callable[[], Awaitable[Thing]]) -> None:
        self._name = name
        self._connect = connect
        self._thing: Thing | None = None
        self._lock = asyncio.Lock()
        self._failed_at: float | None = None

    @property
    def connected(self) -> Thing | None:
        """What is connected, if it is."""
        return self._thing

    async def get(self) -> Thing:
        """Return it, connected.

        Raises:
            DependencyUnavailable: If it cannot be reached.
        """
        if (thing := self.connected) is not None:
            return thing
        async with self._lock:
            if (thing := self.connected) is not None:
                return thing
            now = asyncio.get_running_loop().time()
            if self._failed_at is not None and now - self._failed_at < _PAUSE_SECONDS:
                raise DependencyUnavailable(f"{self._name} cannot be reached")
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    thing = await self._connect()
            except (*NOT_NOW, asyncpg.PostgresError, RuntimeError, DependencyUnavailable) as error:
                self._failed_at = asyncio.get_running_loop().time()
                log.warning("dependency.unavailable", dependency=self._name, error=type(error).__name__)
                raise DependencyUnavailable(f"{self._name} cannot be reached") from error
            self._thing = thing
            return thing


@asynccontextmanager
async def reached(database: Lazy[Pool]) -> AsyncIterator[Pool]:
    """Lend the pool; what fails because the database is away is `DependencyUnavailable`."""
    pool = await database.get()
    try:
        yield pool
    except NOT_NOW as error:
        raise DependencyUnavailable("the gateway's database cannot be reached") from error
