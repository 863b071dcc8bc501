"""What every guarded route starts with: who calls, how often, and under which key."""

import hashlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.params import Depends as DependsMarker
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from services.domain.errors import Unauthenticated
from services.domain.ids import StoreId
from services.gateway.access import Caller, Who
from services.gateway.keys import KeyUse
from services.gateway.schemas.fields import Id, ProblemDocument
from services.gateway.wiring import Gateway

_BEARER = HTTPBearer(
    scheme_name="bearer",
    description=(
        "A store's API key, a customer's token (JWT HS256, signed by the store with its customer key; claims "
        "`store`, `sub` for the customer's id, `exp`), or a staff token (JWT ES256)."
    ),
    auto_error=False,
)

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    for status, words in {
        400: "Malformed.",
        401: "Nobody we know.",
        403: "Known, but not allowed.",
        404: "No such thing, or another store's or customer's.",
        409: "The present state does not allow it.",
        413: "Too large.",
        415: "Not the expected media type.",
        422: "It cannot be done at all.",
        429: "Too fast; ask again later.",
        503: "Something needed is away; ask again later.",
    }.items()
}
PROBLEM_MODEL = ProblemDocument


class Secured(APIRoute):
    """A route that knows its caller before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def secured(request: Request) -> Response:
            gateway: Gateway = request.app.state.gateway
            caller = await gateway.verifier.caller(_token(request))
            await gateway.rates.spend(f"{'+'.join(sorted(caller.stores))}/{caller.scope}")
            request.state.caller = caller.for_store(request.headers.get("recourse-store"))
            structlog.contextvars.bind_contextvars(caller_kind=str(caller.actor.kind))
            return await answer(request)

        return secured


def secured_router(tag: str) -> APIRouter:
    """Return a router under /v1 whose routes know their caller."""
    return APIRouter(
        prefix="/v1",
        tags=[tag],
        route_class=Secured,
        dependencies=[Depends(_BEARER), Depends(_store_header)],
        responses=PROBLEMS,
    )


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("send Authorization: Bearer …")
    return token.strip()


def _store_header(
    recourse_store: Annotated[
        str | None, Header(description="Which store is meant, by staff of several.", max_length=100)
    ] = None,
) -> None:
    """Publish the header; `Secured` reads it."""


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def caller_of(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def now() -> datetime:
    return datetime.now(UTC)


TheGateway = Annotated[Gateway, Depends(gateway_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
Now = Annotated[datetime, Depends(now)]
OrderIdPath = Annotated[Id, Path()]
_KEY: Final = Header(
    alias="Idempotency-Key",
    min_length=1,
    max_length=200,
    pattern=r"^[\x21-\x7e]+$",
    description="The same key and body is the same request.",
)
IdempotencyKey = Annotated[str | None, _KEY]
RequiredKey = Annotated[str, _KEY]

CREATED: Final[dict[str, Any]] = {
    "description": "New; its address is in `Location`.",
    "headers": {"Location": {"schema": {"type": "string", "format": "uri-reference"}}},
}


def may(*who: Who) -> DependsMarker:
    """Let only ``who`` pass, before the body is looked at."""

    def check(caller: TheCaller) -> None:
        caller.check_is_one_of(who)

    marker: DependsMarker = Depends(check)
    return marker


def body_hash(request: Request, body: BaseModel | None) -> bytes:
    """Return what tells two requests apart: where they went, and what they meant."""
    meant = body.model_dump_json() if body is not None else ""
    return hashlib.sha256(f"{request.method} {request.url.path}\n{meant}".encode()).digest()


def key_use(
    request: Request, caller: Caller, store_id: StoreId, key: str | None, body: BaseModel | None
) -> KeyUse | None:
    """Return the use of an idempotency key, if one was sent."""
    return None if key is None else use_of(request, caller, store_id, key, body)


def use_of(request: Request, caller: Caller, store_id: StoreId, key: str, body: BaseModel | None) -> KeyUse:
    """Return the use of the key that was sent."""
    return KeyUse(store_id, caller.scope, key, body_hash(request, body))
