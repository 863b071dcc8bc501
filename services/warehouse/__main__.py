"""The warehouse service as a process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.platform.grpc_server import Mounted
from services.platform.process import Backing, Compose, run
from services.warehouse.carriers.sandbox import SandboxCarrier
from services.warehouse.repository import WarehouseRepository
from services.warehouse.returns import Returns
from services.warehouse.servicer import mount
from services.warehouse.settings import WarehouseSettings

CARRIERS = {"sandbox": SandboxCarrier}


def composition(settings: WarehouseSettings) -> Compose:
    """Return how the service is wired over its database."""

    @asynccontextmanager
    async def compose(back: Backing) -> AsyncIterator[Sequence[Mounted]]:
        carrier = CARRIERS[settings.carrier](settings.sandbox_url)
        try:
            store = WarehouseRepository(back.pool)
            yield [mount(Returns(store, carrier, settings.return_address))]
        finally:
            await carrier.close()

    return compose


if __name__ == "__main__":
    _settings = WarehouseSettings()
    run(_settings, "warehouse", _settings.warehouse_address, composition(_settings))
