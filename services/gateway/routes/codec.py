"""The payload codec for the Temporal UI: what histories keep sealed is opened for whoever sits here.

Loopback only, for the UI's own origin only, and only where a UI's address is configured. Anybody who may open
the UI here may read what it shows; elsewhere this endpoint does not exist.
"""

from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from google.protobuf import json_format
from starlette.exceptions import HTTPException
from temporalio.api.common.v1 import Payloads
from temporalio.converter import PayloadCodec

from workflows.temporal.codec import UnknownKey

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_LOCAL_NAMES: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def codec_router(codec: PayloadCodec, ui_url: str) -> APIRouter:
    """Return the endpoint the UI is told with ``--ui-codec-endpoint``."""
    router = APIRouter(prefix="/codec", include_in_schema=False)
    parts = urlsplit(ui_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    allowed = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": "content-type, x-namespace, authorization",
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }

    @router.options("/decode")
    async def preflight(request: Request) -> Response:
        _check_local(request, origin)
        return Response(status_code=204, headers=allowed)

    @router.post("/decode")
    async def decode(request: Request) -> Response:
        _check_local(request, origin)
        try:
            sealed = json_format.Parse(await request.body(), Payloads())
            opened = await codec.decode(list(sealed.payloads))
        except (json_format.ParseError, ValueError, KeyError, UnicodeDecodeError, UnknownKey) as error:
            raise HTTPException(400, "not payloads, or not sealed by us") from error
        body = json_format.MessageToJson(Payloads(payloads=opened), indent=None)
        return Response(body, media_type="application/json", headers=allowed)

    return router


def _check_local(request: Request, origin: str) -> None:
    """Refuse other machines, other sites, and names that only pretend to be this machine."""
    client = request.client.host if request.client else ""
    sent_by = request.headers.get("origin", origin)
    if client not in _LOOPBACK or request.url.hostname not in _LOCAL_NAMES or sent_by != origin:
        raise HTTPException(404, "Not Found")
