"""The gateway as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.domain.errors import DependencyUnavailable
from services.gateway import errors
from services.gateway.envelope import Envelope
from services.gateway.routes import (
    case_actions,
    cases,
    docs,
    invoices,
    money,
    orders,
    probes,
    staff,
    store_credit,
    subscriptions,
    tasks,
    test_clock,
    warehouse,
    webhooks,
    withdrawals,
)
from services.gateway.routes.codec import codec_router
from services.gateway.schemas.fields import ProblemDocument
from services.gateway.schemas.warehouse import TrackingEventBody
from services.gateway.settings import GatewaySettings
from services.gateway.wiring import Gateway, Outside, build
from services.platform.secrets import Secrets

log = structlog.get_logger()

_RECEIPT_SECONDS: Final = 5.0
_FORGET_SECONDS: Final = 3600.0
_NEWS_SECONDS: Final = 1.0
_TAGS: Final = {
    "orders": "Orders as sold, and the parcels they went out in.",
    "cases": "Cases: quoted, opened, read, followed.",
    "case actions": "What customers and storefronts do in a case.",
    "withdrawals": "The EU's withdrawal in two steps.",
    "staff": "What staff do in a case.",
    "tasks": "The inbox of human work.",
    "warehouse": "The dock and the stock.",
    "money": "Payments, the ledger, and whether it all adds up.",
    "store credit": "What customers may spend with the shop, and what it gives them.",
    "invoices": "Invoices, and the credit and debit notes about them.",
    "webhooks": "What providers and carriers tell us.",
    "webhooks out": "What stores are told.",
    "test clock": "Moves a case's own clock, on a local server.",
    "probes": "Whether the process lives and can work.",
}


class Api(FastAPI):
    """FastAPI, publishing all documents, also those no route names, and how callers prove who they are."""

    def openapi(self) -> dict[str, Any]:
        """Return the published contract."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        schema = get_openapi(
            title=self.title,
            version=self.version,
            summary=self.summary,
            routes=self.routes,
            tags=self.openapi_tags,
            separate_input_output_schemas=False,
        )
        components = schema["components"]
        for model in (ProblemDocument, TrackingEventBody):
            document = model.model_json_schema(ref_template="#/components/schemas/{model}")
            components["schemas"].update(document.pop("$defs", {}))
            components["schemas"][model.__name__] = document
        components["securitySchemes"].update(
            standardWebhook={"type": "apiKey", "in": "header", "name": "webhook-signature"},
            stripeSignature={"type": "apiKey", "in": "header", "name": "stripe-signature"},
        )
        _drop_unused_validation(schema)
        self.openapi_schema = schema
        return schema


def _drop_unused_validation(schema: dict[str, Any]) -> None:
    """Take out FastAPI's own shape of a malformed request: ours is a problem, with status 400."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            told = operation.get("responses", {}).get("422", {})
            if "application/json" in told.get("content", {}):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def create_app(settings: GatewaySettings, secrets: Secrets, outside: Outside) -> FastAPI:
    """Return the gateway; it starts, and answers what it can, whatever is away."""
    gateway = build(settings, secrets, outside)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        work = [
            asyncio.create_task(_connect(gateway)),
            asyncio.create_task(_every(_RECEIPT_SECONDS, gateway.withdrawals.send_receipts)),
            asyncio.create_task(_every(_FORGET_SECONDS, gateway.records.forget_old_keys)),
            asyncio.create_task(_every(_NEWS_SECONDS, gateway.publisher.publish)),
            asyncio.create_task(_every(_NEWS_SECONDS, gateway.sender.send)),
        ]
        try:
            yield
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await gateway.sender.client.aclose()

    app = Api(
        title="Recourse",
        version="1",
        summary="After-sales for shops: every return, exchange, refund, dispute and invoice is a case.",
        lifespan=lifespan,
        openapi_tags=[{"name": name, "description": words} for name, words in _TAGS.items()],
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.gateway = gateway
    app.add_middleware(
        Envelope, json_max_bytes=settings.json_max_bytes, evidence_max_bytes=settings.evidence_max_bytes
    )
    errors.install(app)
    _mount(app, settings, outside)
    return app


def _mount(app: FastAPI, settings: GatewaySettings, outside: Outside) -> None:
    for module in (
        orders,
        cases,
        case_actions,
        withdrawals,
        staff,
        tasks,
        warehouse,
        money,
        store_credit,
        invoices,
        webhooks,
        subscriptions,
        probes,
        docs,
    ):
        app.include_router(module.router)
    app.mount(docs.ASSETS_PATH, docs.assets())
    if settings.test_clock:
        app.include_router(test_clock.router)
    if outside.codec is not None and settings.temporal_ui_url:
        app.include_router(codec_router(outside.codec, settings.temporal_ui_url))


async def _connect(gateway: Gateway) -> None:
    """Connect before the first request needs it; what is away is tried again then."""
    for thing in (gateway.outside.database, gateway.outside.cases):
        with suppress(DependencyUnavailable):
            await thing.get()


async def _every(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await act()
        except DependencyUnavailable:
            continue
        except Exception:
            log.exception("background.failed")
