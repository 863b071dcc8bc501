"""An expected error is the same on the other side of a call; all else is a fault, without its words."""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recourse.casework.v1 import casework_pb2, casework_pb2_grpc
from recourse.order.v1 import order_pb2 as pb
from recourse.order.v1 import order_pb2_grpc
from services.clients.order import OrderClient
from services.domain.errors import (
    ERROR_KINDS,
    Conflict,
    DependencyUnavailable,
    ErrorKind,
    FieldProblem,
    InvalidArgument,
    NotFound,
    OrderNotFound,
    PermissionDenied,
    RecourseError,
    ResourceExhausted,
    Unauthenticated,
    Unprocessable,
)
from services.domain.ids import LineId, derived_id
from services.domain.order import UnitClaim
from services.platform.grpc_channel import call, open_channel, stream
from services.platform.grpc_errors import ServiceFault
from services.platform.grpc_server import Mounted, start_server
from tests.builders import STORE
from tests.fixtures.services import free_port

BASES = [
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    Conflict,
    Unprocessable,
    ResourceExhausted,
    DependencyUnavailable,
]


def family(root: type[RecourseError] = RecourseError) -> list[type[RecourseError]]:
    """Every expected error there is."""
    return [kind for child in root.__subclasses__() for kind in (child, *family(child))]


class Streaming(casework_pb2_grpc.CaseworkServiceServicer):
    """Gives one answer, and then does whatever a test says."""

    def __init__(self) -> None:
        self.then: Callable[[], object] = casework_pb2.WatchCaseResponse

    async def WatchCase(self, request: object, context: object) -> AsyncIterator[object]:
        yield casework_pb2.WatchCaseResponse(document_json="{}")
        yield self.then()


class Answering(order_pb2_grpc.OrderServiceServicer):
    """Does whatever a test says when an order is asked for."""

    def __init__(self) -> None:
        self.answer: Callable[[], object] = pb.GetOrderResponse

    async def GetOrder(self, request: pb.GetOrderRequest, context: object) -> object:
        answer = self.answer()
        return await answer if asyncio.iscoroutine(answer) else answer


@pytest.fixture
def answering() -> Answering:
    return Answering()


@pytest.fixture
def streaming() -> Streaming:
    return Streaming()


@pytest.fixture
async def channel(answering, streaming) -> AsyncIterator[grpc.aio.Channel]:
    """A real server, which is healthy as long as its answer is not an exception."""

    async def is_healthy() -> None:
        answering.answer()

    mounted = [
        Mounted(
            pb.DESCRIPTOR.services_by_name["OrderService"].full_name,
            lambda server: order_pb2_grpc.add_OrderServiceServicer_to_server(answering, server),
        ),
        Mounted(
            casework_pb2.DESCRIPTOR.services_by_name["CaseworkService"].full_name,
            lambda server: casework_pb2_grpc.add_CaseworkServiceServicer_to_server(streaming, server),
        ),
    ]
    address = f"127.0.0.1:{free_port()}"
    server = await start_server(address, mounted, is_healthy)
    channel = open_channel(address)
    yield channel
    await channel.close()
    await server.stop(None)


@pytest.fixture
def behind_a_proxy(monkeypatch) -> None:
    """The environment names a proxy, where nobody listens."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def orders(channel) -> OrderClient:
    return OrderClient(channel)


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


@pytest.mark.parametrize("kind", sorted(set(family()), key=lambda kind: (kind.reason, kind.__module__)))
async def test_every_expected_error_crosses_unchanged(answering, orders, kind):
    """Reason, kind, words and problems are those it had where it was raised."""
    problems = (FieldProblem("/lines/0", "duplicate", "it is there twice"),)
    answering.answer = raising(kind("in so many words", problems=problems))

    with pytest.raises(RecourseError) as caught:
        await orders.get(STORE, "1")

    assert (caught.value.reason, caught.value.kind) == (kind.reason, kind.kind)
    assert (caught.value.detail, caught.value.problems) == ("in so many words", problems)


def test_every_kind_has_its_row_and_its_base():
    """The table is total, and each status in it is told apart."""
    assert {base.kind for base in BASES} == set(ErrorKind) == set(ERROR_KINDS)
    assert len({crossing.grpc_status for crossing in ERROR_KINDS.values()}) == len(ERROR_KINDS)


@pytest.mark.parametrize("base", BASES[:-1])
async def test_a_reason_of_tomorrow_has_its_kind_today(answering, orders, base):
    """A newer service knows an error that this client does not: its kind is what counts."""
    newer = base("not yet known")
    newer.reason = "FROM_TOMORROW"
    answering.answer = raising(newer)

    with pytest.raises(base) as caught:
        await orders.get(STORE, "1")

    assert caught.value.detail == "FROM_TOMORROW: not yet known"


async def test_a_bug_is_a_fault_that_tells_nothing(answering, orders):
    """No words of an unexpected exception leave the service."""
    answering.answer = raising(KeyError("the customer's address"))

    with pytest.raises(ServiceFault) as caught:
        await orders.get(STORE, "1")

    assert "address" not in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OrderNotFound("gone"), OrderNotFound),
        (KeyError("the customer's address"), ServiceFault),
        (ConnectionResetError("by the database"), DependencyUnavailable),
    ],
)
async def test_a_stream_that_breaks_off_says_why(streaming, channel, raised, expected):
    """What came before is not lost, and the error is as it would be of a single answer."""
    streaming.then = raising(raised)
    stub = casework_pb2_grpc.CaseworkServiceStub(channel)
    came = []

    async def watch() -> None:
        request = casework_pb2.WatchCaseRequest(store_id="demo", case_id="RT-1")
        async for answer in stream(stub.WatchCase(request, timeout=60)):
            came.append(answer.document_json)  # noqa: PERF401 — what comes before the break counts

    with pytest.raises(expected) as caught:
        await watch()

    assert came == ["{}"]
    assert "address" not in str(caught.value)


async def test_what_does_not_answer_in_time_is_unavailable(answering, channel):
    """The outcome is unknown; the caller may ask again."""
    answering.answer = lambda: asyncio.sleep(30)
    stub = order_pb2_grpc.OrderServiceStub(channel)
    request = pb.GetOrderRequest(store_id="demo", order_id="1")

    with pytest.raises(DependencyUnavailable):
        await call(stub.GetOrder, request, pb.GetOrderResponse, seconds=0.2)


async def test_what_cannot_be_reached_is_unavailable():
    """Nobody listens there."""
    channel = open_channel(f"127.0.0.1:{free_port()}")

    with pytest.raises(DependencyUnavailable):
        await OrderClient(channel).get(STORE, "1")
    await channel.close()


@pytest.mark.usefixtures("behind_a_proxy", "channel")
async def test_no_proxy_comes_between_services(orders):
    """An environment made for browsing does not send a call next door round the world."""
    with pytest.raises(InvalidArgument, match="a member is missing"):
        await orders.get(STORE, "1")


async def test_a_request_that_breaks_its_rules_is_refused_with_its_places(orders):
    """Each broken rule is named by where it is, down to the element of a list."""
    claims = (UnitClaim(LineId("1"), 1), UnitClaim(LineId(""), 0))

    with pytest.raises(InvalidArgument) as caught:
        await orders.claim(STORE, "1", "RT-1", derived_id("x"), claims)

    assert {problem.pointer for problem in caught.value.problems} == {
        "/claims/1/line_id",
        "/claims/1/quantity",
    }


async def test_health_follows_what_the_service_stands_on(answering, channel):
    """Serving while its database answers, not serving while it does not."""
    stub = health_pb2_grpc.HealthStub(channel)
    healthy = await stub.Check(health_pb2.HealthCheckRequest())
    answering.answer = raising(OSError("gone"))
    ill = await stub.Check(health_pb2.HealthCheckRequest())

    assert healthy.status == health_pb2.HealthCheckResponse.SERVING
    assert ill.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_text_that_the_database_cannot_hold_is_bad_input(order_channel):
    """A NUL in an id that never passes a conversion is refused, not a bug."""
    with pytest.raises(InvalidArgument):
        await OrderClient(order_channel).get(STORE, "1\0")


async def test_an_unknown_order_is_the_very_class_it_was(order_channel):
    """Over a real service, not only over a made-up one."""
    with pytest.raises(OrderNotFound):
        await OrderClient(order_channel).get(STORE, "1")
