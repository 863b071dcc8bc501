"""Channels to the services next door: every call has a deadline, every expected error its own class."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from services.domain.errors import DependencyUnavailable
from services.platform.grpc_errors import from_rpc

_OPTIONS = (
    # Services are next door: no proxy of the environment comes between.
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)
Response = TypeVar("Response", bound=Message)


def open_channel(address: str) -> grpc.aio.Channel:
    """Return a channel to ``host:port``; it connects at first use and again after every loss."""
    return grpc.aio.insecure_channel(address, options=_OPTIONS)


async def call(
    method: Callable[..., Any], request: Message, response: type[Response], *, seconds: float
) -> Response:
    """Call a unary method with a deadline.

    Raises:
        RecourseError: What the service refused, as the class it was there; ``DependencyUnavailable`` when
            it did not answer.
        ServiceFault: If the service has a bug.
    """
    try:
        answer = await method(request, timeout=seconds)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
    if not isinstance(answer, response):
        raise TypeError(f"expected {response.__name__}")
    return answer


async def stream(calls: AsyncIterable[Response]) -> AsyncIterator[Response]:
    """Pass on a stream's messages, with its errors translated."""
    try:
        async for message in calls:
            yield message
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error


async def check_health(channel: grpc.aio.Channel, *, seconds: float) -> None:
    """Ask a service whether it can work.

    Raises:
        DependencyUnavailable: If it cannot, or does not answer.
    """
    method = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer = await call(
        method, health_pb2.HealthCheckRequest(), health_pb2.HealthCheckResponse, seconds=seconds
    )
    if answer.status != health_pb2.HealthCheckResponse.ServingStatus.Value("SERVING"):
        raise DependencyUnavailable("the service says it cannot work")
