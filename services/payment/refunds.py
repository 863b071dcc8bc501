"""Refunds: reserve, ask the provider, settle, at most one movement per refund id.

What the provider did not clearly answer is unknown; it is asked about again under the same key, never
guessed. No provider is called inside a transaction.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.domain.case import RefundStatus, RefundTo
from services.domain.errors import CurrencyMismatch, DependencyUnavailable, InvalidArgument, UnknownProvider
from services.domain.ids import PaymentId, RefundId, StoreId
from services.domain.refund import (
    CapturedPayment,
    IllegalRefundTransition,
    LineCap,
    OrderPayments,
    PaymentBalance,
    Refund,
    RefundIntent,
    RefundPart,
    advance,
)
from services.payment.disputes import ProviderDispute

MOVING = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION})


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund as its provider tells it; ``refund_id`` is ours, if we asked for it."""

    provider_refund_id: str | None
    status: RefundStatus
    amount: int
    currency: str
    provider_ref: str = ""
    refund_id: RefundId | None = None
    failure: str | None = None
    created_at: datetime | None = None

    def is_of(self, intent: RefundIntent) -> bool:
        """Tell whether it is of the very amount that was asked for."""
        return (self.amount, self.currency) == (intent.amount.minor_units, intent.amount.currency)


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Something that a provider lists and that makes no sense to us, by the provider's id of it.

    ``provider_ref`` is the payment that it is about; empty when not even that can be read.
    """

    provider_id: str
    provider_ref: str = ""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A webhook, understood; without ``refund`` and ``dispute`` it is of nothing we follow."""

    event_id: str
    occurred_at: datetime
    refund: ProviderRefund | None = None
    dispute: ProviderDispute | None = None


@dataclass(frozen=True, slots=True)
class Reserved:
    """A refund whose amount is held, and the payment it goes to.

    ``provider_ref`` is what the provider calls the payment, None while it knows nothing of it. ``is_repeat``:
    it was reserved before, so that it may have moved already.
    """

    refund: Refund
    payment: CapturedPayment
    provider_ref: str | None
    is_repeat: bool

    @property
    def provider(self) -> str:
        """Who moves it: whoever took the payment, unless it goes elsewhere."""
        destination = self.refund.intent.destination
        return self.payment.provider if destination is RefundTo.ORIGINAL else destination.value


class Provider(Protocol):
    """Whoever moves the money: a company outside, or the shop itself (store credit)."""

    async def close(self) -> None:
        """Let go of what is held open."""

    async def register(self, store_id: StoreId, payment: CapturedPayment) -> str:
        """Make a captured payment known, once; return what the provider calls it.

        Raises:
            DependencyUnavailable: If the outcome is unknown; call again.
        """

    async def refund(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund:
        """Move the money at most once per ``intent.refund_id``; a clear no is a failed refund.

        Raises:
            DependencyUnavailable: If the outcome is unknown; call again.
        """

    async def find(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund | None:
        """Return what an earlier request for this refund has come to; None if it never arrived.

        Raises:
            DependencyUnavailable: If the provider does not answer, or tells something that makes no sense
                and may be this refund.
        """

    async def look_up(self, provider_refund_id: str) -> ProviderRefund:
        """Return a refund as it stands.

        Raises:
            DependencyUnavailable: If the provider does not answer.
        """

    async def look_up_dispute(self, provider_dispute_id: str) -> ProviderDispute:
        """Return a dispute as it stands.

        Raises:
            DependencyUnavailable: If the provider does not answer.
        """

    def refunds(self, after: str = "") -> AsyncIterator[ProviderRefund | NotUnderstood]:
        """Go through the refunds the provider knows, newest first: all, or those older than one of them.

        Of one that it does not know (any more) it begins with the newest. One that makes no sense holds up
        none of the others. Raises DependencyUnavailable.
        """

    def disputes(self, after: str = "") -> AsyncIterator[ProviderDispute | NotUnderstood]:
        """Go through the disputes the provider knows, as through its refunds."""

    def read_webhook(self, signature: str, payload: bytes) -> ProviderEvent:
        """Check and understand a webhook.

        Raises:
            WebhookSignatureInvalid: If it is forged, or older than the tolerance.
            InvalidArgument: If it makes no sense.
        """


class RefundStore(Protocol):
    """Where money is kept account of; every method is one transaction."""

    async def register(self, payments: OrderPayments) -> list[CapturedPayment]: ...
    async def registered(self, store_id: str, payment_id: str, provider: str, provider_ref: str) -> None: ...
    async def balance(self, store_id: str, payment_id: str) -> PaymentBalance: ...
    async def reserve(self, intent: RefundIntent) -> Reserved: ...
    async def find(self, store_id: str, refund_id: str) -> Reserved: ...
    async def settle(self, known: Refund, told: ProviderRefund, at: datetime) -> Refund: ...


@dataclass(frozen=True, slots=True)
class Refunds:
    """The use cases; ``providers`` is a table of adapters by name."""

    store: RefundStore
    providers: Mapping[str, Provider]

    async def register(self, payments: OrderPayments) -> None:
        """Make an order's payments known here, then to their providers."""
        for payment in payments.payments:
            if payment.provider not in self.providers:
                raise UnknownProvider(f"no provider is called {payment.provider}")
            if payment.amount.currency != payments.currency:
                raise CurrencyMismatch(f"payment {payment.payment_id} is in another currency")
        _check_named_once(payments.caps)
        for payment in await self.store.register(payments):
            await self._introduce(payments.store_id, payment)

    async def _introduce(self, store_id: StoreId, payment: CapturedPayment) -> str:
        provider_ref = await self.providers[payment.provider].register(store_id, payment)
        await self.store.registered(store_id, payment.payment_id, payment.provider, provider_ref)
        return provider_ref

    async def issue(self, intent: RefundIntent) -> Refund:
        """Give the money back, at most once per refund id; a repeat finishes what was begun."""
        if sum(part.amount for part in intent.parts) != intent.amount.minor_units:
            raise InvalidArgument("the parts do not add up to the amount")
        if intent.amount.minor_units <= 0:
            raise InvalidArgument("the amount must be positive")
        _check_named_once(intent.parts)
        reserved = await self.store.reserve(intent)
        if _is_answered(reserved.refund):
            return reserved.refund
        return await self._ask(reserved, intent.requested_at)

    async def check(self, store_id: str, refund_id: str, at: datetime) -> Refund:
        """Ask the provider how a refund stands, and settle accordingly."""
        reserved = await self.store.find(store_id, refund_id)
        if reserved.refund.status not in MOVING:
            return reserved.refund
        known = reserved.refund.provider_refund_id
        if known is None:
            return await self._ask(reserved, at)
        told = await self.providers[reserved.provider].look_up(known)
        return await self.store.settle(reserved.refund, told, at)

    async def _ask(self, reserved: Reserved, at: datetime) -> Refund:
        """Have the provider move the money, unless it did already and its answer was lost.

        The provider knows a repeat by its key as well, but forgets keys after a while; its list it keeps.
        """
        intent, provider = reserved.refund.intent, self.providers[reserved.provider]
        provider_ref = reserved.provider_ref or ""
        if not provider_ref and reserved.provider == reserved.payment.provider:
            provider_ref = await self._introduce(intent.store_id, reserved.payment)
        told = await provider.find(intent, provider_ref) if reserved.is_repeat else None
        if told is None:
            told = await provider.refund(intent, provider_ref)
        return await self.store.settle(reserved.refund, told, at)

    async def balance(self, store_id: str, payment_id: PaymentId) -> PaymentBalance:
        return await self.store.balance(store_id, payment_id)


def settled(known: Refund, told: ProviderRefund, at: datetime) -> Refund:
    """Return what a refund becomes by its provider's word; an old word changes nothing.

    Raises:
        DependencyUnavailable: If it tells of another amount: what has moved is unknown then.
    """
    if not told.is_of(known.intent):
        raise DependencyUnavailable("the provider tells of another amount")
    try:
        after = advance(known.status, told.status)
    except IllegalRefundTransition:
        return known
    return replace(
        known,
        status=after,
        provider_refund_id=told.provider_refund_id or known.provider_refund_id,
        failure=told.failure,
        settled_at=known.settled_at if after is known.status else (None if after in MOVING else at),
    )


def _is_answered(refund: Refund) -> bool:
    return refund.status is not RefundStatus.PENDING or refund.provider_refund_id is not None


def _check_named_once(parts: Sequence[RefundPart | LineCap]) -> None:
    if len({part.line_id or "" for part in parts}) < len(parts):
        raise InvalidArgument("a line is named twice")
