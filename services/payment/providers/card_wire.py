"""A card processor that speaks Stripe's wire, through its own library: the sandbox, and whatever else does.

Amounts on this wire are ISO 4217 minor units in every currency the sandbox takes.
"""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import httpx2
import stripe

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.errors import DependencyUnavailable, InvalidArgument, WebhookSignatureInvalid
from services.domain.ids import RefundId, StoreId, derived_id
from services.domain.refund import CapturedPayment, RefundIntent
from services.payment.disputes import ProviderDispute
from services.payment.providers.patient_http import PatientHttp
from services.payment.refunds import NotUnderstood, ProviderEvent, ProviderRefund

# How long our calls take is nobody else's business.
stripe.enable_telemetry = False
# How old a signed webhook may be; the processor's own advice.
_TOLERANCE_SECONDS: Final = 300
_PAGE: Final = 100
# A clear no. All else (our key, the processor's limit, a request of the same key under way, a key that it
# knows with another body, 5xx, no answer) says nothing of what has moved.
_REFUSALS: Final = (stripe.InvalidRequestError, stripe.CardError)
_STATUSES: Final = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.REQUIRES_ACTION,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}


# An early warning is an object of its own, which may or may not be followed by a dispute.
_WARNING: Final = "radar.early_fraud_warning"
_DISPUTES: Final = frozenset({"dispute", _WARNING})

Told = TypeVar("Told")


class CardWireProvider:
    """Satisfies `services.payment.refunds.Provider`."""

    def __init__(self, base_url: str, api_key: str, webhook_secret: str, seconds: float) -> None:
        self._webhook_secret = webhook_secret
        self._http = PatientHttp(seconds)
        # Nothing is tried again here: who asks decides whether, and under which key.
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": base_url},
            http_client=self._http,
            max_network_retries=0,
        )

    async def close(self) -> None:
        await self._http.close_async()

    async def register(self, store_id: StoreId, payment: CapturedPayment) -> str:
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": payment.amount.minor_units,
            "currency": payment.amount.currency.lower(),
            "confirm": True,
            "metadata": {
                "payment_id": payment.payment_id,
                "store_id": store_id,
                "method": payment.method,
            },
        }
        key = derived_id("register", store_id, payment.payment_id)
        with _answered():
            intent = await self._client.v1.payment_intents.create_async(params, {"idempotency_key": key})
            return str(intent.id)

    async def refund(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund:
        params: stripe.params.RefundCreateParams = {
            "payment_intent": provider_ref,
            "amount": intent.amount.minor_units,
            "metadata": {
                "refund_id": intent.refund_id,
                "store_id": intent.store_id,
                "payment_id": intent.payment_id,
            },
        }
        with _answered():
            try:
                told = await self._client.v1.refunds.create_async(
                    params, {"idempotency_key": intent.refund_id}
                )
            except _REFUSALS as refusal:
                return ProviderRefund(
                    None,
                    RefundStatus.FAILED,
                    intent.amount.minor_units,
                    intent.amount.currency,
                    failure=refusal.code or "refused",
                )
            return _to_refund(told.to_dict())

    async def find(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund | None:
        wanted = {"payment_intent": provider_ref, "limit": _PAGE}
        is_certain = True
        with _answered():
            async for one in _listed(self._client.v1.refunds.list_async, wanted):
                notes = one.get("metadata")
                if not isinstance(notes, Mapping):
                    is_certain = False
                elif notes.get("refund_id") == intent.refund_id:
                    return _to_refund(one)
        if not is_certain:
            raise DependencyUnavailable("the provider lists something that may be this refund")
        return None

    async def look_up(self, provider_refund_id: str) -> ProviderRefund:
        with _answered():
            return _to_refund((await self._client.v1.refunds.retrieve_async(provider_refund_id)).to_dict())

    async def look_up_dispute(self, provider_dispute_id: str) -> ProviderDispute:
        with _answered():
            told = await self._client.v1.disputes.retrieve_async(provider_dispute_id)
            return _to_dispute(told.to_dict())

    async def refunds(self, after: str = "") -> AsyncIterator[ProviderRefund | NotUnderstood]:
        with _answered():
            async for one in _listed(self._client.v1.refunds.list_async, {"limit": _PAGE}, after):
                yield _understood(_to_refund, one)

    async def disputes(self, after: str = "") -> AsyncIterator[ProviderDispute | NotUnderstood]:
        with _answered():
            async for one in _listed(self._client.v1.disputes.list_async, {"limit": _PAGE}, after):
                yield _understood(_to_dispute, one)

    def read_webhook(self, signature: str, payload: bytes) -> ProviderEvent:
        parts = [part.partition("=")[::2] for part in signature.split(",")]
        stamp = dict(parts).get("t", "")
        signed = stamp.encode() + b"." + payload
        wanted = hmac.new(self._webhook_secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        # While its secret is being changed, the processor signs with the old and the new one.
        given = [value.encode() for name, value in parts if name == "v1"]
        if not any(hmac.compare_digest(wanted, one) for one in given):
            raise WebhookSignatureInvalid("the signature is not the provider's")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > _TOLERANCE_SECONDS:
            raise WebhookSignatureInvalid("the webhook is too old")
        try:
            event = json.loads(payload)
            body = event["data"]["object"]
            at = datetime.fromtimestamp(event["created"], UTC)
            kind = body.get("object")
            refund = _to_refund(body) if kind == "refund" else None
            dispute = _to_dispute(body) if kind in _DISPUTES else None
            return ProviderEvent(str(event["id"]), at, refund, dispute)
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise InvalidArgument("the webhook makes no sense") from error
        except DependencyUnavailable as error:
            raise InvalidArgument("the webhook makes no sense") from error


async def _listed(
    list_of: Callable[[Any], Awaitable[Any]], wanted: Mapping[str, Any], after: str = ""
) -> AsyncIterator[dict[str, Any]]:
    """Go through a list from behind ``after``; from its beginning if that is not known there any more."""
    try:
        page = await list_of({**wanted, "starting_after": after} if after else wanted)
    except stripe.InvalidRequestError as refusal:
        if not after or refusal.code != "resource_missing":
            raise
        page = await list_of(wanted)
    async for one in page.auto_paging_iter():
        yield one.to_dict()


@contextmanager
def _answered() -> Iterator[None]:
    """Whatever is no clear answer leaves the outcome unknown."""
    try:
        yield
    except (stripe.StripeError, httpx2.HTTPError, TimeoutError) as error:
        raise DependencyUnavailable(f"the provider did not answer ({type(error).__name__})") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # The library builds its objects from whatever JSON came.
        raise DependencyUnavailable("the provider's answer makes no sense") from error


def _understood(read: Callable[[Mapping[str, Any]], Told], body: Mapping[str, Any]) -> Told | NotUnderstood:
    """Read one of a list; it has an id at least, or nobody could go on behind it."""
    try:
        return read(body)
    except DependencyUnavailable:
        provider_ref = body.get("payment_intent")
        return NotUnderstood(str(body["id"]), provider_ref if isinstance(provider_ref, str) else "")


def _to_refund(body: Mapping[str, Any]) -> ProviderRefund:
    try:
        refund_id = body["metadata"].get("refund_id")
        return ProviderRefund(
            provider_refund_id=str(body["id"]),
            status=_STATUSES[body["status"]],
            amount=int(body["amount"]),
            currency=str(body["currency"]).upper(),
            provider_ref=str(body["payment_intent"]),
            refund_id=RefundId(refund_id) if refund_id else None,
            failure=body.get("failure_reason"),
            created_at=datetime.fromtimestamp(body["created"], UTC) if "created" in body else None,
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise DependencyUnavailable("the provider's answer makes no sense") from error


def _to_dispute(body: Mapping[str, Any]) -> ProviderDispute:
    try:
        if body["object"] == _WARNING:
            return ProviderDispute(
                provider_dispute_id=str(body["id"]),
                provider_ref=str(body["payment_intent"]),
                # It is no longer actionable once the charge was refunded or disputed.
                status=DisputeStatus.EARLY_WARNING if body["actionable"] else DisputeStatus.WARNING_CLOSED,
                amount=0,
                currency="",
                opened_at=datetime.fromtimestamp(body["created"], UTC),
                reason=str(body["fraud_type"]),
            )
        moved = body["balance_transactions"]
        due_by = body["evidence_details"]["due_by"]
        return ProviderDispute(
            provider_dispute_id=str(body["id"]),
            provider_ref=str(body["payment_intent"]),
            status=DisputeStatus(body["status"]),
            amount=int(body["amount"]),
            currency=str(body["currency"]).upper(),
            opened_at=datetime.fromtimestamp(body["created"], UTC),
            withdrawn=max(0, -sum(int(one["amount"]) for one in moved)),
            fee=sum(int(one["fee"]) for one in moved),
            movements=len(moved),
            reason=str(body["reason"]),
            due_by=datetime.fromtimestamp(due_by, UTC) if due_by else None,
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise DependencyUnavailable("the provider's answer makes no sense") from error
