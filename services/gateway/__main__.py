"""The gateway as a process."""

from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI

from services.domain.ids import StoreId
from services.gateway.app import create_app
from services.gateway.connecting import Lazy
from services.gateway.repository import seed_api_keys
from services.gateway.settings import GatewaySettings
from services.gateway.temporal import distant_temporal
from services.gateway.wiring import Outside
from services.platform.database import Pool, database_dsn, database_name, ensure_database, open_pool
from services.platform.grpc_channel import open_channel
from services.platform.logging import configure
from services.platform.migrations import migrate
from services.platform.secrets import Secrets, load_secrets

_GRACE_SECONDS = 5


def own_database(settings: GatewaySettings, secrets: Secrets) -> Lazy[Pool]:
    """Return the gateway's database: created, migrated and with the stores' keys once it can be reached."""

    async def connect() -> Pool:
        name = database_name("gateway")
        await ensure_database(settings.database_url, name)
        dsn = database_dsn(settings.database_url, name)
        await migrate(dsn, "gateway")
        pool = await open_pool(dsn, "gateway")
        await seed_api_keys(pool, {StoreId(name): keys.api_key for name, keys in secrets.stores.items()})
        return pool

    return Lazy("database", connect)


def compose(settings: GatewaySettings, secrets: Secrets) -> FastAPI:
    """Return the application over the addresses of its settings."""
    addresses = {
        "order": settings.order_address,
        "warehouse": settings.warehouse_address,
        "payment": settings.payment_address,
        "casework": settings.casework_address,
        "notification": settings.notification_address,
    }
    temporal = distant_temporal(settings, secrets)
    outside = Outside(
        channels={name: open_channel(address) for name, address in addresses.items()},
        database=own_database(settings, secrets),
        cases=temporal.cases,
        check_temporal=temporal.check_server,
        check_worker=temporal.check_worker,
        codec=temporal.codec,
    )
    return create_app(settings, secrets, outside)


def main() -> None:
    """Serve until stopped."""
    settings = GatewaySettings()
    secrets = load_secrets(settings.secrets_file)
    configure(settings.log_format, "gateway")
    where = urlsplit(settings.gateway_url)

    uvicorn.run(
        lambda: compose(settings, secrets),
        factory=True,
        host=where.hostname or "127.0.0.1",
        port=where.port or 8080,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
