"""What providers and carriers tell us: signed, possibly repeated, in any order."""

import structlog
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.domain.errors import WebhookSignatureInvalid
from services.gateway.routes.secured import PROBLEMS, TheGateway
from services.gateway.schemas.fields import Code, Outgoing
from services.gateway.schemas.warehouse import TrackingEventBody

log = structlog.get_logger()

router = APIRouter(prefix="/v1", tags=["webhooks"], responses=PROBLEMS)


class WebhookTaken(Outgoing):
    """``is_new`` is false for what changed nothing, as a repeat does."""

    is_new: bool


@router.post(
    "/tracking-events",
    openapi_extra={
        "security": [{"standardWebhook": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TrackingEventBody"}}},
        },
    },
)
async def take_tracking_event(request: Request, gateway: TheGateway) -> WebhookTaken:
    """Take a carrier's scan, signed as Standard Webhooks.

    An event names no store; the header ``Recourse-Store`` narrows it to one, else every store is asked.
    """
    payload = await request.body()
    _check(gateway.carrier_webhooks, payload, dict(request.headers))
    try:
        body = TrackingEventBody.model_validate_json(payload)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_input=False)]
        raise RequestValidationError(faults) from error
    told = await gateway.tracking.pass_on(body.to_event(), request.headers.get("recourse-store"))
    log.info("tracking.taken", status=body.status, is_new=told.is_new, is_known=told.is_known)
    return WebhookTaken(is_new=told.is_new)


def _check(webhooks: Webhook, payload: bytes, headers: dict[str, str]) -> None:
    """Refuse what is forged, or older or newer than five minutes."""
    try:
        webhooks.verify(payload, headers, json_parse=False)
    except (WebhookVerificationError, ValueError, OverflowError) as error:
        raise WebhookSignatureInvalid("the signature is not the carrier's, or too old") from error


@router.post(
    "/webhooks/payments/{provider}",
    openapi_extra={
        "security": [{"stripeSignature": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    },
)
async def take_payment_webhook(provider: Code, request: Request, gateway: TheGateway) -> WebhookTaken:
    """Take a payment provider's webhook as it came; the payment service checks its signature and age."""
    signature = request.headers.get("stripe-signature", "")[:2000]
    payload = await request.body()
    return WebhookTaken(is_new=await gateway.payments.receive_webhook(provider, signature, payload))
