"""The demo's client: it asks again until it is answered, in time, with the same request."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.demo import api as client
from deploy.demo.api import Api, Refused, Unavailable
from deploy.demo.outside import Carrier
from tests.fixtures.sandbox import ServeHttp
from tests.fixtures.services import free_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Answer = Callable[[], Response]


@dataclass
class Counter:
    """A service that answers what it is told to, then ``{"ok": true}``, and keeps what it was asked."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: Request) -> Response:
        self.asked.append((dict(request.headers), await request.body()))
        return self.answers.pop(0)() if self.answers else JSONResponse({"ok": True})


@pytest.fixture
async def service(serve_http: ServeHttp) -> Counter:
    counter = Counter()
    routes = [Route("/{path:path}", counter.take, methods=["GET", "POST", "PUT"])]
    counter.url = await serve_http(Starlette(routes=routes), free_port())
    return counter


@pytest.fixture
async def api(service: Counter) -> AsyncIterator[Api]:
    made = Api(service.url, "rk_test")
    yield made
    await made.close()


@pytest.mark.parametrize("status", [429, 503])
async def test_what_is_away_or_too_fast_is_asked_again_the_same(
    service: Counter, api: Api, status: int
) -> None:
    """The repeat has the same key and the same body: it is the same request."""
    service.answers = [lambda: Response(status_code=status, headers={"retry-after": "0"})]

    assert await api.post("/v1/cases", {"order_id": "1"}, key="once") == {"ok": True}
    (first, body), (second, again) = service.asked
    assert first["idempotency-key"] == second["idempotency-key"] == "once"
    assert body == again


async def test_a_refusal_is_final_and_keeps_its_code(service: Counter, api: Api) -> None:
    """What the rules refuse is not asked twice."""
    problem = {"code": "quantity_exceeds_remaining", "detail": "3 asked, 2 remain"}
    service.answers = [lambda: JSONResponse(problem, 409, media_type="application/problem+json")]

    with pytest.raises(Refused, match="3 asked, 2 remain") as refused:
        await api.post("/v1/cases", {}, key="once")

    assert (refused.value.status, refused.value.code) == (409, "quantity_exceeds_remaining")
    assert len(service.asked) == 1


async def test_nobody_is_waited_for_for_ever(
    service: Counter, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens, a request ends within its deadline."""
    monkeypatch.setattr(client, "_TOTAL_SECONDS", 0.5)
    service.answers = [lambda: Response(status_code=503)] * 1000

    with pytest.raises(Unavailable):
        await api.get("/v1/cases/RT-7K3M-9QX1")


async def test_a_scan_is_signed_as_standard_webhooks_are(service: Counter) -> None:
    """Its id, time and body verify with the carrier's secret; the id is the scan's own."""
    carrier = Carrier(Api(service.url), SECRET)

    await carrier.scan("demo-post", "OUT-1", "delivered", datetime(2026, 3, 2, tzinfo=UTC))
    await carrier.api.close()

    [(headers, body)] = service.asked
    told = Webhook(SECRET).verify(body, headers)
    assert (told["event_id"], headers["webhook-id"]) == ("scan-OUT-1-delivered",) * 2
