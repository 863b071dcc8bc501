"""Each service twice: in memory, and as it is, over gRPC and PostgreSQL."""

from collections.abc import Awaitable, Callable

import grpc
import pytest

from services.clients.casework import CaseworkClient
from services.clients.notification import NotificationClient
from services.clients.order import OrderClient
from services.clients.payment import PaymentClient
from services.clients.warehouse import WarehouseClient
from services.domain.dispute import DisputeStatus
from services.notification.__main__ import composition as compose_notification
from services.notification.settings import NotificationSettings
from services.platform.settings import ServiceSettings
from tests.builders import STORE
from tests.fakes.casework import FakeRegister
from tests.fakes.messages import FakeMessages
from tests.fakes.orders import FakeOrders
from tests.fakes.payments import FakePayments
from tests.fakes.warehouse import FakeWarehouse
from tests.fakes.world import World
from tests.fixtures.services import Serve, free_port

Behave = Callable[[str, str], Awaitable[None]]
Disputed = Callable[[str, int, DisputeStatus], Awaitable[None]]
Moved = Callable[[str], Awaitable[int]]


@pytest.fixture(params=["fake", "real"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def orders(kind: str, world: World, request: pytest.FixtureRequest) -> FakeOrders | OrderClient:
    return world.orders if kind == "fake" else OrderClient(request.getfixturevalue("order_channel"))


@pytest.fixture
def payments(kind: str, world: World, request: pytest.FixtureRequest) -> FakePayments | PaymentClient:
    return world.payments if kind == "fake" else PaymentClient(request.getfixturevalue("payment_channel"))


@pytest.fixture
def warehouse(kind: str, world: World, request: pytest.FixtureRequest) -> FakeWarehouse | WarehouseClient:
    return (
        world.warehouse if kind == "fake" else WarehouseClient(request.getfixturevalue("warehouse_channel"))
    )


@pytest.fixture
def register(kind: str, world: World, request: pytest.FixtureRequest) -> FakeRegister | CaseworkClient:
    return world.register if kind == "fake" else CaseworkClient(request.getfixturevalue("casework_channel"))


@pytest.fixture
def told(kind: str, register: FakeRegister | CaseworkClient) -> Callable[[str], Awaitable[list[str]]]:
    """Tell what happened in a case, by entry, oldest first."""

    async def entries(case_id: str) -> list[str]:
        timeline = register.timeline(case_id) if kind == "fake" else await register.timeline(STORE, case_id)
        return [entry.entry_id for entry in timeline]

    return entries


@pytest.fixture
async def office(serve: Serve, settings: ServiceSettings) -> grpc.aio.Channel:
    """The notification service while its mail server is away."""
    closed = NotificationSettings(database_url=settings.database_url, smtp_port=free_port())
    return await serve("notification", compose_notification(closed))


@pytest.fixture
def messages(kind: str, world: World, request: pytest.FixtureRequest) -> FakeMessages | NotificationClient:
    return world.messages if kind == "fake" else NotificationClient(request.getfixturevalue("office"))


@pytest.fixture
def behave(kind: str, world: World, request: pytest.FixtureRequest) -> Behave:
    """Let a payment's refunds behave otherwise from now on."""
    if kind == "real":
        return request.getfixturevalue("sandbox").behave

    async def in_memory(payment_id: str, method: str) -> None:
        world.payments.behave(payment_id, method)

    return in_memory


@pytest.fixture
def disputed(kind: str, world: World, request: pytest.FixtureRequest) -> Disputed:
    """Let a payment be disputed, and the dispute stand like this."""
    known: dict[str, str] = {}

    async def for_real(payment_id: str, amount: int, status: DisputeStatus) -> None:
        outside, letters = request.getfixturevalue("sandbox"), request.getfixturevalue("postbox")
        seen = len(letters.letters)
        if payment_id in known:
            await outside.move_dispute(known[payment_id], status.value)
        else:
            known[payment_id] = await outside.dispute(payment_id, amount, status=status.value)
        await letters.received(seen + 1)

    async def in_memory(payment_id: str, amount: int, status: DisputeStatus) -> None:
        world.payments.disputed(payment_id, amount, status)

    return for_real if kind == "real" else in_memory


@pytest.fixture
def moved(kind: str, world: World, request: pytest.FixtureRequest) -> Moved:
    """Tell what of a payment is out, in minor units, as its provider sees it."""
    if kind == "real":
        sandbox = request.getfixturevalue("sandbox")

        async def told(payment_id: str) -> int:
            refunds = await sandbox.moved(payment_id)
            return sum(refund["amount"] for refund in refunds if refund["status"] == "succeeded")

        return told

    async def in_memory(payment_id: str) -> int:
        return world.payments.moved(payment_id)

    return in_memory
