"""How a service is served: validated requests, rich errors, health that asks the database, reflection."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

import grpc
import structlog
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from protovalidate import Violation, collect_violations

from services.domain.errors import FieldProblem, InvalidArgument, RecourseError
from services.platform.database import expected_error
from services.platform.grpc_errors import to_status

log = structlog.get_logger()

# Generic in the stubs alone, hence in quotes.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Request = TypeVar("Request")
Response = TypeVar("Response")

# A caller that names no deadline gets this one: nothing waits for ever.
_LONGEST_SECONDS = 60.0
_GRACE_SECONDS = 5.0
_HEALTH_SECONDS = 1.0
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    # Clients ask every 30 s whether a quiet stream still lives (`grpc_channel`); that is no misuse.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
)


@dataclass(frozen=True, slots=True)
class Mounted:
    """One service of a process: its full name, and how to add it to a server."""

    name: str
    add_to: Callable[[grpc.aio.Server], None]


def check_message(request: Message) -> None:
    """Refuse a message that breaks its own rules (the ``buf.validate`` ones in its proto).

    Raises:
        InvalidArgument: With a problem per broken rule.
    """
    violations = collect_violations(request)
    if violations:
        problems = tuple(
            FieldProblem(_pointer(violation), violation.proto.rule_id, violation.proto.message)
            for violation in violations
        )
        raise InvalidArgument("the request breaks its rules", problems=problems)


def _pointer(violation: Violation) -> str:
    """Return where the broken field is, as a JSON pointer into the message."""
    path = violation.proto.field
    steps: list[object] = []
    for element in path.elements if path else ():
        steps.append(element.field_name)
        if element.subscript is not None:
            steps.append(element.subscript.value)
    return "".join(f"/{step}" for step in steps)


class _Guard(grpc.aio.ServerInterceptor):
    """Validates requests, translates errors, and logs one line per call."""

    async def intercept_service(
        self,
        continuation: (
            "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Request, Response] | None]]"
        ),
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Request, Response] | None":
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith("/recourse."):
            return handler
        codec = (handler.request_deserializer, handler.response_serializer)
        # The stubs type them as of the synchronous server.
        behaviour: Any = handler.unary_unary or handler.stream_unary or handler.unary_stream
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_guarded(method, behaviour), *codec)
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(_guarded(method, behaviour), *codec)
        return grpc.unary_stream_rpc_method_handler(_guarded_stream(method, behaviour), *codec)


def _guarded(method: str, behaviour: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def guarded(request: Any, context: Context) -> Any:
        async with _answering(method, context):
            if isinstance(request, Message):
                check_message(request)
            async with asyncio.timeout(min(context.time_remaining() or _LONGEST_SECONDS, _LONGEST_SECONDS)):
                return await behaviour(request, context)

    return guarded


def _guarded_stream(
    method: str, behaviour: Callable[..., AsyncIterator[Any]]
) -> Callable[..., AsyncIterator[Any]]:
    async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
        async with _answering(method, context):
            check_message(request)
            async for message in behaviour(request, context):
                yield message

    return guarded


@asynccontextmanager
async def _answering(method: str, context: Context) -> AsyncIterator[None]:
    """Turn what is raised into the call's status; what nobody expected is logged, and tells nothing."""
    started = perf_counter()
    outcome = "OK"
    try:
        yield
    except RecourseError as error:
        outcome = error.reason
        await context.abort_with_status(to_status(error))
    except TimeoutError:
        outcome = "DEADLINE_EXCEEDED"
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "took too long")
    except asyncio.CancelledError:
        outcome = "CANCELLED"
        raise
    except Exception as error:
        known = expected_error(error)
        outcome = known.reason if known else "INTERNAL"
        if known is not None:
            log.warning("call.unserved", method=method, error=type(error).__name__)
            await context.abort_with_status(to_status(known))
        log.exception("call.failed", method=method)
        await context.abort(grpc.StatusCode.INTERNAL, "internal error")
    finally:
        _log_call(method, outcome, started)


def _log_call(method: str, outcome: str, started: float) -> None:
    if outcome != "OK":
        milliseconds = round((perf_counter() - started) * 1000, 1)
        log.info("call.refused", method=method, outcome=outcome, milliseconds=milliseconds)


async def start_server(
    address: str, services: Sequence[Mounted], is_healthy: Callable[[], Awaitable[None]]
) -> grpc.aio.Server:
    """Serve ``services`` on ``host:port``; health follows ``is_healthy``, which raises when it is not."""
    server = grpc.aio.server(interceptors=[_Guard()], options=_OPTIONS)
    for service in services:
        service.add_to(server)
    health_pb2_grpc.add_HealthServicer_to_server(_Health(is_healthy), server)
    names = [service.name for service in services]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    if server.add_insecure_port(address) == 0:
        raise OSError(f"cannot listen on {address}")
    await server.start()
    return server


class _Health(health_pb2_grpc.HealthServicer):
    def __init__(self, is_healthy: Callable[[], Awaitable[None]]) -> None:
        self._is_healthy = is_healthy

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                await self._is_healthy()
        except Exception as error:  # noqa: BLE001 — whatever it is, we are not healthy
            log.warning("health.failed", error=type(error).__name__)
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


async def serve_until_stopped(server: grpc.aio.Server) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way (5 s at most)."""
    stopped = stop_event()
    await stopped.wait()
    await server.stop(_GRACE_SECONDS)


def stop_event() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped
