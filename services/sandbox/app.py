"""The sandbox over HTTP: the processor's wire, a carrier's labels, and local controls."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from services.sandbox.issuer import Issuer
from services.sandbox.processor import DISPUTE_STATUSES, LATE_FAILURE_SECONDS, METHODS, Processor, Refused
from services.sandbox.state import Answer, State, Thing
from services.sandbox.webhooks import Sender

_SLOW_SECONDS: Final = 10.0
_OK: Final = 200
_LARGEST_PAGE: Final = 100
_DOWN: Final = {"error": {"type": "api_error", "message": "down"}}

Act = Callable[[Mapping[str, str], str | None], dict[str, Any]]
Handle = Callable[[Request], Awaitable[Response]]


class AnswerLost(Response):
    """An answer that breaks off: the client cannot tell what happened."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


class Sandbox:
    """The routes, over one state."""

    def __init__(
        self,
        state: State,
        api_key: str,
        webhook_secret: str,
        gateway_url: str,
        *,
        slow_seconds: float = _SLOW_SECONDS,
        late_failure_seconds: float = LATE_FAILURE_SECONDS,
    ) -> None:
        self._state = state
        self._processor = Processor(state, late_failure_seconds)
        self._sender = Sender(
            state, self._processor, webhook_secret, f"{gateway_url}/v1/webhooks/payments/sandbox"
        )
        self._api_key = api_key
        self._slow_seconds = slow_seconds

    def app(self) -> Starlette:
        """Return the ASGI application; its lifespan sends the webhooks."""
        wire = [
            Route("/v1/payment_intents", self._guarded(self._create_payment), methods=["POST"]),
            Route("/v1/payment_intents/{id}", self._guarded(self._payment)),
            Route("/v1/refunds", self._guarded(self._create_refund), methods=["POST"]),
            Route("/v1/refunds", self._guarded(self._list_refunds)),
            Route("/v1/refunds/{id}", self._guarded(self._refund)),
            Route("/v1/disputes", self._guarded(self._list_disputes)),
            Route("/v1/disputes/{id}", self._guarded(self._dispute)),
        ]
        local = [
            Route("/readyz", self._ready),
            Route("/carrier/labels", self._label, methods=["POST"]),
            Route("/carrier/labels/void", self._void_label, methods=["POST"]),
            Route("/carrier/labels/{reference}", self._print_label, name="label"),
            Route("/_control/refunds", self._moved),
            Route("/_control/behaviour", self._answered(self._behave), methods=["POST"]),
            Route("/_control/disputes", self._answered(self._open_dispute), methods=["POST"]),
            Route("/_control/disputes/{id}/close", self._answered(self._close_dispute), methods=["POST"]),
            Route("/_control/disputes/{id}/move", self._answered(self._move_dispute), methods=["POST"]),
            Route("/_control/webhooks/replay", self._replay, methods=["POST"]),
        ]
        return Starlette(routes=[*wire, *local, *Issuer().routes()], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        sender = asyncio.create_task(self._sender.run())
        try:
            yield
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def _guarded(self, handle: Handle) -> Handle:
        """Let only the holder of the API key in, and answer refusals as the processor does."""
        answered = self._answered(handle)

        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {self._api_key}".encode()):
                return JSONResponse({"error": {"type": "invalid_request_error", "message": "bad key"}}, 401)
            return await answered(request)

        return guarded

    def _answered(self, handle: Handle) -> Handle:
        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except Refused as refused:
                return JSONResponse({"error": refused.error}, refused.status)

        return answered

    # The processor's wire.

    async def _create_payment(self, request: Request) -> Response:
        answer, _ = self._once(
            await _form(request), request.headers.get("idempotency-key"), self._processor.create_payment
        )
        return Response(answer.body, answer.status, media_type="application/json")

    async def _create_refund(self, request: Request) -> Response:
        params, key = await _form(request), request.headers.get("idempotency-key")
        method = self._state.behaviour(params.get("payment_intent", ""))
        if method == "card_down":
            return JSONResponse(_DOWN, 503)
        answer, is_first = self._once(params, key, self._processor.create_refund)
        if is_first and method == "card_slow":
            await asyncio.sleep(self._slow_seconds)
        if is_first and method == "card_answer_lost" and answer.status == _OK:
            return AnswerLost()
        return Response(answer.body, answer.status, media_type="application/json")

    def _once(self, params: Mapping[str, str], key: str | None, act: Act) -> tuple[Answer, bool]:
        """Act once per idempotency key: the answer, and whether this was the time."""
        asked = json.dumps(sorted(params.items()))
        with self._state.transaction():
            known = self._state.answer(key) if key else None
            if known is not None and known.request != asked:
                error = {"type": "idempotency_error", "message": "the key came with other parameters"}
                return Answer(asked, 400, json.dumps({"error": error})), False
            if known is not None:
                return known, False
            try:
                answer = Answer(asked, _OK, json.dumps(act(params, key)))
            except Refused as refused:
                answer = Answer(asked, refused.status, json.dumps({"error": refused.error}))
            if key:
                self._state.keep_answer(key, answer)
        return answer, True

    async def _payment(self, request: Request) -> Response:
        return JSONResponse(self._processor.get("payment_intent", request.path_params["id"]))

    async def _refund(self, request: Request) -> Response:
        refund_id = request.path_params["id"]
        if self._state.behaviour(self._state.parent_of(refund_id)) == "card_down":
            return JSONResponse(_DOWN, 503)
        return JSONResponse(self._processor.look_up_refund(refund_id))

    async def _list_refunds(self, request: Request) -> Response:
        asked = request.query_params
        intent_id = asked.get("payment_intent", "")
        if intent_id and self._state.behaviour(intent_id) == "card_down":
            return JSONResponse(_DOWN, 503)
        return self._page(request, "refund", intent_id)

    async def _list_disputes(self, request: Request) -> Response:
        return self._page(request, "dispute", request.query_params.get("payment_intent", ""))

    def _page(self, request: Request, kind: str, intent_id: str) -> Response:
        asked = request.query_params
        limit = asked.get("limit", "10")
        if not limit.isdecimal() or not 1 <= int(limit) <= _LARGEST_PAGE:
            raise Refused(400, "parameter_invalid_integer", f"limit is 1 to {_LARGEST_PAGE}")
        after = asked.get("starting_after", "")
        if after:
            self._processor.get(kind, after)
        found = self._state.page(kind, intent_id, after, int(limit) + 1)
        has_more = len(found) > int(limit)
        data = found[: int(limit)]
        return JSONResponse({"object": "list", "data": data, "has_more": has_more, "url": f"/v1/{kind}s"})

    async def _dispute(self, request: Request) -> Response:
        return JSONResponse(self._processor.get("dispute", request.path_params["id"]))

    # The carrier.

    async def _label(self, request: Request) -> Response:
        reference = str((await request.json())["reference"])
        label = {
            "id": f"label_{reference}",
            "label_url": str(request.url_for("label", reference=reference)),
            "carrier": "sandbox-post",
            "tracking_number": f"SBX{reference}",
        }
        with self._state.transaction():
            if self._state.get("label", label["id"]) is None:
                self._state.insert(Thing("label", label, reference=reference))
        return JSONResponse(label)

    async def _void_label(self, request: Request) -> Response:
        reference = str((await request.json())["reference"])
        with self._state.transaction():
            if label := self._state.get("label", f"label_{reference}"):
                self._state.update({**label, "is_void": True})
        return JSONResponse({"reference": reference, "is_void": True})

    async def _print_label(self, request: Request) -> Response:
        reference = request.path_params["reference"]
        label = self._state.get("label", f"label_{reference}")
        if label is None:
            return PlainTextResponse("there is no such label\n", 404)
        if label.get("is_void"):
            return PlainTextResponse("the label is void\n", 410)
        return PlainTextResponse(f"SANDBOX POST\nreturn {reference}\nparcel SBX{reference}\n")

    # Local controls.

    async def _ready(self, _request: Request) -> Response:
        return PlainTextResponse("ready")

    async def _moved(self, request: Request) -> Response:
        payments = self._state.named("payment_intent", request.query_params.get("payment_id", ""))
        data = [
            {"id": r["id"], "idempotency_key": key, "amount": r["amount"], "status": r["status"]}
            for payment in payments
            for r, key in self._state.children("refund", payment["id"])
        ]
        return JSONResponse({"data": data})

    async def _behave(self, request: Request) -> Response:
        wanted = await _json(request)
        method, payment_id = str(wanted.get("method")), str(wanted.get("payment_id"))
        if method not in METHODS:
            raise Refused(400, "parameter_unknown", f"method is one of {sorted(METHODS)}")
        payments = self._state.named("payment_intent", payment_id)
        if not payments:
            raise Refused(404, "resource_missing", f"no such payment: {payment_id}")
        for payment in payments:
            self._state.behave(payment["id"], method)
        return JSONResponse({"ok": True})

    async def _open_dispute(self, request: Request) -> Response:
        wanted = await _json(request)
        amount = wanted.get("amount")
        opened = self._processor.open_dispute(
            str(wanted.get("payment_id")),
            amount if isinstance(amount, int) else 0,
            (str(wanted.get("reason", "general")), _epoch(wanted.get("due_by")), _dispute_status(wanted)),
        )
        if not opened:
            raise Refused(404, "resource_missing", "no such payment")
        return JSONResponse({"id": opened[0]["id"]})

    async def _close_dispute(self, request: Request) -> Response:
        status = (await _json(request)).get("status")
        if status not in {"won", "lost"}:
            raise Refused(400, "parameter_unknown", "status is won or lost")
        closed = self._processor.close_dispute(request.path_params["id"], status)
        return JSONResponse({"id": closed["id"], "status": closed["status"]})

    async def _move_dispute(self, request: Request) -> Response:
        status = _dispute_status(await _json(request))
        moved = self._processor.move_dispute(request.path_params["id"], status)
        return JSONResponse({"id": moved["id"], "status": moved["status"]})

    async def _replay(self, _request: Request) -> Response:
        return JSONResponse({"queued": self._state.resend_webhooks(time.time())})


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "parameter_invalid", "the body is a JSON object")
    return body


def _dispute_status(wanted: Mapping[str, Any]) -> str:
    status = wanted.get("status", "needs_response")
    if status not in DISPUTE_STATUSES:
        raise Refused(400, "parameter_unknown", f"status is one of {DISPUTE_STATUSES}")
    return str(status)


def _epoch(moment: object) -> int | None:
    """Return a deadline as the wire has it, from epoch seconds or RFC 3339."""
    if isinstance(moment, int):
        return moment
    try:
        return int(datetime.fromisoformat(moment).timestamp()) if isinstance(moment, str) else None
    except ValueError as error:
        raise Refused(400, "parameter_invalid", "due_by is RFC 3339") from error
