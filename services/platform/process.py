"""What every gRPC service's ``__main__`` does: database, migrations, outbox, server, until stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
import uvloop

from services.platform.database import Pool, database_dsn, database_name, ensure_database, open_pool
from services.platform.grpc_server import Mounted, serve_until_stopped, start_server
from services.platform.logging import configure
from services.platform.migrations import migrate
from services.platform.outbox import Outbox, mount_events
from services.platform.settings import ServiceSettings

log = structlog.get_logger()

_FORGET_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Backing:
    """A service's database, ready to use."""

    pool: Pool
    outbox: Outbox
    dsn: str


# What a service mounts over its database; it may hold background work open meanwhile.
Compose = Callable[[Backing], AbstractAsyncContextManager[Sequence[Mounted]]]


@asynccontextmanager
async def backing(settings: ServiceSettings, service: str) -> AsyncIterator[Backing]:
    """Create and migrate the service's database if need be, and open it."""
    name = database_name(service)
    await ensure_database(settings.database_url, name)
    dsn = database_dsn(settings.database_url, name)
    await migrate(dsn, service)
    pool = await open_pool(dsn, service)
    outbox = Outbox(pool, dsn)
    try:
        yield Backing(pool, outbox, dsn)
    finally:
        await outbox.close()
        await pool.close()


@asynccontextmanager
async def serving(
    settings: ServiceSettings,
    service: str,
    address: str,
    compose: Compose,
    *,
    forget_seconds: float = _FORGET_SECONDS,
) -> AsyncIterator[grpc.aio.Server]:
    """Serve a service and its facts on ``address`` for as long as the block lasts."""
    async with backing(settings, service) as back, compose(back) as mounted:

        async def is_healthy() -> None:
            await back.pool.fetchval("SELECT 1")

        server = await start_server(address, [*mounted, mount_events(back.outbox)], is_healthy)
        forgetting = asyncio.create_task(_forget(back.outbox, forget_seconds))
        log.info("service.started", service=service, address=address)
        try:
            yield server
        finally:
            forgetting.cancel()
            await server.stop(1)


async def _forget(outbox: Outbox, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await outbox.forget()
        except Exception as error:  # noqa: BLE001 — whatever it is, the next time may do better
            log.warning("outbox.unforgotten", error=type(error).__name__)


def run(settings: ServiceSettings, service: str, address: str, compose: Compose) -> None:
    """Run a service as a process, until SIGTERM or SIGINT."""

    async def main() -> None:
        async with serving(settings, service, address, compose) as server:
            await serve_until_stopped(server)

    configure(settings.log_format, service)
    uvloop.run(main())
