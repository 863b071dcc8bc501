"""A port that was chosen stays its chooser's, until its server listens there, and whenever that is away."""

import socket
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from starlette.applications import Starlette

from deploy.local.ports import choose, keep
from services.platform.grpc_server import start_server
from tests.fixtures.sandbox import ServeHttp
from tests.fixtures.services import free_port


def can_connect(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_kept_port_is_given_to_nobody_and_answers_nobody():
    """Neither to a thousand who ask for any port, nor to a thousand who call somewhere."""
    ports = {free_port() for _ in range(100)}
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1000))
        given = set()
        for _ in range(1000):
            caller, listener = (stack.enter_context(socket.socket()) for _ in range(2))
            caller.connect(server.getsockname())
            listener.bind(("127.0.0.1", 0))
            given |= {caller.getsockname()[1], listener.getsockname()[1]}

    assert len(given) == 2000
    assert ports & given == set()
    assert [port for port in ports if can_connect(port)] == []


async def test_a_server_shares_its_port_with_whoever_keeps_it(serve_http: ServeHttp):
    """A server over HTTP, one over gRPC, one that comes after another: each listens where it was meant to."""
    http, rpc, plain = free_port(), free_port(), free_port()

    await serve_http(Starlette(), http)
    server = await start_server(f"127.0.0.1:{rpc}", [], _is_healthy)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{rpc}") as channel:
        await channel.channel_ready()
    for _ in range(3):
        with socket.create_server(("127.0.0.1", plain)) as listener, socket.socket() as caller:
            caller.connect(listener.getsockname())
            listener.accept()[0].close()
        assert not can_connect(plain)

    assert can_connect(http)
    await server.stop(None)


async def _is_healthy() -> None:
    """Say that the server is."""


def test_two_never_keep_one_port():
    """But one that was closed a moment ago is free for who wants just that one again."""
    with keep() as kept:
        port = kept.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            keep(port)
    with socket.create_server(("127.0.0.1", port)) as listener, socket.socket() as caller:
        caller.connect(listener.getsockname())
        listener.accept()[0].close()
        with pytest.raises(OSError, match="in use"):
            keep(port, reuse=True)

    with pytest.raises(OSError, match="in use"):
        keep(port)
    keep(port, reuse=True).close()


def test_stacks_that_start_at_once_share_no_port(tmp_path: Path):
    """What one of them has chosen is taken, though none of its servers listens yet."""
    chosen = [choose(tmp_path / f"{number}.json", prefer_usual=False) for number in range(20)]

    ports = [port for choice in chosen for port in choice.values()]
    assert len(ports) == len(set(ports))
    with pytest.raises(OSError, match="in use"):
        keep(ports[0])
