"""The order service as a process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.order.orders import Orders
from services.order.repository import OrderRepository
from services.order.servicer import mount
from services.order.settings import OrderSettings
from services.platform.grpc_server import Mounted
from services.platform.process import Backing, run


@asynccontextmanager
async def compose(back: Backing) -> AsyncIterator[Sequence[Mounted]]:
    """Wire the service over its database."""
    yield [mount(Orders(OrderRepository(back.pool)))]


if __name__ == "__main__":
    settings = OrderSettings()
    run(settings, "order", settings.order_address, compose)
