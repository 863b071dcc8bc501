"""What a request may weigh and look like, before anybody reads it; and what every answer says of itself."""

from time import perf_counter
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.errors import problem

log = structlog.get_logger()

_LONGEST_HEADERS: Final = 32_768
_LONGEST_URI: Final = 8_192
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_MULTIPART_SUFFIX: Final = "/evidence"
_RAW_PREFIX: Final = "/v1/webhooks/"
# A multipart body is a little more than the file in it.
_MULTIPART_OVERHEAD: Final = 16_384


class Envelope:
    """ASGI middleware: limits, media types, safe headers, one log line per request."""

    def __init__(self, app: ASGIApp, json_max_bytes: int, evidence_max_bytes: int) -> None:
        self._app = app
        self._json_max = json_max_bytes
        self._evidence_max = evidence_max_bytes + _MULTIPART_OVERHEAD

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 0

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                code, name, detail = refusal
                await problem(code, name, detail)(scope, receive, send_noting)
                return
            await self._app(scope, self._limited(scope, receive), send_noting)
        finally:
            _log(scope, status, started)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _LONGEST_HEADERS:
            return 431, "headers_too_large", f"headers take at most {_LONGEST_HEADERS} bytes"
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > _LONGEST_URI:
            return 414, "uri_too_long", f"an address takes at most {_LONGEST_URI} bytes"
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return 400, "invalid_argument", "Content-Length is malformed"
        limit = self._limit(scope)
        if int(length[:20]) > limit:
            return 413, "payload_too_large", f"the body takes at most {limit} bytes"
        has_body = length != "0" or "transfer-encoding" in headers
        if scope["method"] in _WITH_BODY and has_body and not _is_expected(scope, headers):
            return 415, "unsupported_media_type", f"expected {_media_type(scope)}"
        return None

    def _limit(self, scope: Scope) -> int:
        return self._evidence_max if scope["path"].endswith(_MULTIPART_SUFFIX) else self._json_max

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Count what is received: a body sent in chunks states no length."""
        limit = self._limit(scope)
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise HTTPException(413, f"the body takes at most {limit} bytes")
            return message

        return counting


def _media_type(scope: Scope) -> str:
    return "multipart/form-data" if scope["path"].endswith(_MULTIPART_SUFFIX) else "application/json"


def _is_expected(scope: Scope, headers: Headers) -> bool:
    if not scope["path"].startswith("/v1/") or scope["path"].startswith(_RAW_PREFIX):
        return True
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    return given == _media_type(scope)


def _log(scope: Scope, status: int, started: float) -> None:
    """The route's template, never the path: ids of persons may be in it."""
    route = getattr(scope.get("route"), "path", "-")
    milliseconds = round((perf_counter() - started) * 1000, 1)
    log.info("request.served", method=scope["method"], route=route, status=status, milliseconds=milliseconds)
