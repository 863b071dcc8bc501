"""What is away is said to be away, at once; what is back is used again, without a restart."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import grpc
import httpx2
import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from services.clients.casework import CaseworkClient
from services.clients.notification import NotificationClient
from services.clients.order import OrderClient
from services.clients.payment import PaymentClient
from services.domain.errors import DependencyUnavailable
from services.gateway.app import create_app
from services.gateway.connecting import Lazy, reached
from services.gateway.settings import GatewaySettings
from services.gateway.temporal import distant_temporal
from services.gateway.wiring import Outside
from services.notification.__main__ import composition as compose_notification
from services.notification.settings import NotificationSettings
from services.platform.database import Pool
from services.platform.grpc_channel import open_channel
from services.platform.process import serving
from tests.fakes.casebook import FakeCases
from tests.fixtures.gateway import SECRETS, case_body, order_body, staff_token, store_token
from tests.fixtures.sandbox import ServeHttp
from tests.fixtures.services import FreshDatabase, free_port
from tests.fixtures.temporal import Stage, TemporalServer, a_secrets
from workflows.activities.opening import OpeningActivities
from workflows.hosting import case_worker
from workflows.temporal.codec import SealedPayloads

NAMES = ("order", "warehouse", "payment", "casework", "notification")
Served = Callable[[Outside, GatewaySettings], Awaitable[httpx2.AsyncClient]]


async def _away() -> Any:
    raise OSError("nobody listens")


def nothing_outside(database: Lazy[Pool] | None = None) -> Outside:
    """Return an outside where nobody answers."""
    channels = {name: open_channel(f"127.0.0.1:{free_port()}") for name in NAMES}
    return Outside(channels, database or Lazy("database", _away), Lazy("cases", _away), _away, _away)


def lent(thing: Any) -> Lazy[Any]:
    async def connect() -> Any:
        return thing

    return Lazy("something", connect)


@pytest.fixture
async def served(serve_http: ServeHttp) -> Any:
    """Serve a gateway over an outside; closes its channels in the end."""
    clients: list[httpx2.AsyncClient] = []
    outsides: list[Outside] = []

    async def start(outside: Outside, settings: GatewaySettings) -> httpx2.AsyncClient:
        port = urlsplit(settings.gateway_url).port or 0
        url = await serve_http(create_app(settings, SECRETS, outside), port)
        outsides.append(outside)
        clients.append(httpx2.AsyncClient(base_url=url, timeout=60))
        return clients[-1]

    yield start
    for client in clients:
        await client.aclose()
    for outside in outsides:
        await asyncio.gather(*(channel.close() for channel in outside.channels.values()))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "idempotency-key": "k1"}


async def test_the_gateway_starts_with_nothing_behind_it(
    served: Served, gateway_settings: GatewaySettings
) -> None:
    """It lives, says what is down, and answers 503 with the time to ask again; never a 500."""
    http = await served(nothing_outside(), gateway_settings)

    assert (await http.get("/livez")).status_code == 200
    ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        503, {"ready": False, "down": ["database", *NAMES, "temporal", "worker"]},
    )  # fmt: skip
    answer = await http.get("/v1/orders/1", headers=bearer(store_token()))
    assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "broken",
    [
        ConnectionRefusedError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.AdminShutdownError,
        asyncpg.QueryCanceledError,
        asyncpg.DeadlockDetectedError,
        asyncpg.TooManyConnectionsError,
    ],
)
async def test_a_database_that_breaks_off_is_an_outage(pool: Pool, broken: type[Exception]) -> None:
    """Whatever its client makes of it, also between two steps of one statement; never a fault of ours."""
    with pytest.raises(DependencyUnavailable):
        async with reached(lent(pool)):
            raise broken("the connection was closed")


async def test_each_service_that_is_down_is_503(
    served: Served, gateway_settings: GatewaySettings, pool: Pool
) -> None:
    """Whatever a route needs and cannot reach, it says so in the one shape."""
    http = await served(nothing_outside(lent(pool)), gateway_settings)
    store, dock, finance = store_token(), staff_token("warehouse"), staff_token("finance")
    asked: list[tuple[str, str, str, Any]] = [
        ("PUT", "/v1/orders/1", store, order_body()),
        ("GET", "/v1/orders", store, None),
        ("POST", "/v1/cases", store, case_body()),
        ("POST", "/v1/cases/quote", store, case_body()),
        ("GET", "/v1/cases", store, None),
        ("GET", "/v1/cases/RT-0000-0000", store, None),
        ("GET", "/v1/cases/RT-0000-0000/stream", store, None),
        ("POST", "/v1/cases/RT-0000-0000/withdraw", store, {"reason": "x"}),
        ("GET", "/v1/tasks", staff_token("agent"), None),
        ("GET", "/v1/warehouse/stock?sku=A", dock, None),
        ("POST", "/v1/warehouse/receipts", dock, {"receipt_id": "1", "scan": "1"}),
        ("GET", "/v1/payments/p", finance, None),
        ("GET", "/v1/reconciliation", finance, None),
        ("POST", "/v1/webhooks/payments/sandbox", store, {"id": "e"}),
    ]
    for method, path, token, body in asked:
        more = {"json": body} if body is not None else {}
        answer = await http.request(method, path, headers=bearer(token), **more)
        assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable"), path
        assert "Traceback" not in answer.text
        await pool.execute("DELETE FROM idempotency_keys")


async def test_what_comes_back_is_used_again(
    served: Served, gateway_settings: GatewaySettings, pool: Pool
) -> None:
    """A database that was away at the start is connected as soon as it is there."""
    is_there = asyncio.Event()

    async def connect() -> Pool:
        if not is_there.is_set():
            raise OSError("nobody listens")
        return pool

    http = await served(nothing_outside(Lazy("database", connect)), gateway_settings)
    assert "database" in (await http.get("/readyz")).json()["down"]
    assert (await http.get("/v1/tasks", headers=bearer(store_token()))).status_code == 503
    is_there.set()
    async with asyncio.timeout(60):
        while "database" in (await http.get("/readyz")).json()["down"]:
            await asyncio.sleep(0.05)

    known = await http.get("/v1/tasks", headers=bearer(store_token()))
    assert (known.status_code, known.json()["code"]) == (403, "permission_denied")


async def test_a_receipt_waits_for_whoever_sends_it(
    served: Served,
    gateway_settings: GatewaySettings,
    pool: Pool,
    channels: dict[str, grpc.aio.Channel],
    fresh_database: FreshDatabase,
) -> None:
    """A withdrawal is confirmed while no message can be sent; its receipt goes out when one can, once."""
    address = f"127.0.0.1:{free_port()}"
    orders, casework = OrderClient(channels["order"]), CaseworkClient(channels["casework"])
    cases = FakeCases(
        OpeningActivities(orders, casework, PaymentClient(channels["payment"])), orders, casework
    )
    messages = open_channel(address)
    outside = Outside({**channels, "notification": messages}, lent(pool), lent(cases), _away, _away)
    http = await served(outside, gateway_settings)
    headers = {"authorization": f"Bearer {store_token()}"}
    await http.put("/v1/orders/536365", json=order_body(), headers=headers)
    declared = (await http.post("/v1/withdrawals", json={"order_id": "536365"}, headers=headers)).json()

    confirmed = await http.post(f"/v1/withdrawals/{declared['withdrawal_id']}/confirm", headers=headers)

    assert confirmed.status_code == 201
    assert await pool.fetchval("SELECT receipt_sent_at FROM withdrawals") is None
    await fresh_database("notification")
    settings = NotificationSettings(database_url=gateway_settings.database_url)
    async with serving(settings, "notification", address, compose_notification(settings)):
        client = NotificationClient(messages)
        async with asyncio.timeout(60):
            while not await pool.fetchval("SELECT receipt_sent_at FROM withdrawals"):
                await asyncio.sleep(0.1)
        (sent,) = await client.messages("demo", confirmed.json()["case_id"])
    assert (sent.message.template, sent.message.values["content"]) == (
        "withdrawal_receipt", declared["statement"],
    )  # fmt: skip


async def test_a_caller_that_asks_too_fast_waits(
    served: Served, gateway_settings: GatewaySettings, pool: Pool
) -> None:
    """Beyond its rate a caller gets 429 and when to ask again; others are not slowed by it."""
    slow = gateway_settings.model_copy(update={"rate_limit": "3/day"})
    http = await served(nothing_outside(lent(pool)), slow)
    agent, other = staff_token("agent", sub="a"), staff_token("agent", sub="b")
    codes = [(await http.get("/v1/reconciliation", headers=bearer(agent))).status_code for _ in range(5)]
    refused = await http.get("/v1/reconciliation", headers=bearer(agent))

    assert codes == [403, 403, 403, 429, 429]
    assert (refused.json()["code"], 0 < int(refused.headers["retry-after"]) <= 86_400) == (
        "resource_exhausted",
        True,
    )
    assert (await http.get("/v1/reconciliation", headers=bearer(other))).status_code == 403


async def test_it_is_said_when_nobody_works_on_cases(
    served: Served, gateway_settings: GatewaySettings, temporal: Client, temporal_server: TemporalServer
) -> None:
    """Temporal is there, but no worker asks it for work: a worker comes, and goes again."""
    settings = gateway_settings.model_copy(update={"temporal_address": temporal_server.address})
    server = distant_temporal(settings, a_secrets(), longest_poll=timedelta(seconds=10))
    outside = replace(nothing_outside(), check_temporal=server.check_server, check_worker=server.check_worker)
    http = await served(outside, settings)

    async def says(wanted: list[str]) -> None:
        while set((await http.get("/readyz")).json()["down"]) & {"temporal", "worker"} != set(wanted):
            await asyncio.sleep(0.05)

    unreachable = settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})
    await distant_temporal(unreachable, a_secrets()).check_worker()
    async with asyncio.timeout(120):
        await says(["worker"])
        async with case_worker(temporal, Stage(temporal).outside()):
            await says([])
        await says(["worker"])


async def test_histories_are_opened_for_the_local_ui_alone(
    served: Served, gateway_settings: GatewaySettings
) -> None:
    """The codec opens what we sealed for the UI's own origin; for any other site it does not exist."""
    codec = SealedPayloads({"k1": b"k" * 32}, "k1")
    outside = replace(nothing_outside(), codec=codec)
    ui = "http://127.0.0.1:8233"
    http = await served(outside, gateway_settings.model_copy(update={"temporal_ui_url": ui}))
    (sealed,) = await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=b'"a secret"')])
    body = {
        "payloads": [
            {
                "metadata": {k: base64.b64encode(v).decode() for k, v in sealed.metadata.items()},
                "data": base64.b64encode(sealed.data).decode(),
            }
        ]
    }

    opened = await http.post("/codec/decode", json=body, headers={"origin": ui})
    preflight = await http.request("OPTIONS", "/codec/decode", headers={"origin": ui})
    elsewhere = await http.post("/codec/decode", json=body, headers={"origin": "https://evil.example.com"})
    renamed = await http.post("/codec/decode", json=body, headers={"host": "evil.example.com"})
    tampered = json.loads(json.dumps(body).replace(body["payloads"][0]["data"][:8], "AAAAAAAA"))
    broken = await http.post("/codec/decode", json=tampered)

    assert base64.b64decode(opened.json()["payloads"][0]["data"]) == b'"a secret"'
    assert opened.headers["access-control-allow-origin"] == ui
    assert preflight.status_code == 204
    assert [elsewhere.status_code, renamed.status_code, broken.status_code] == [404, 404, 400]
