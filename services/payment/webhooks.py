"""Webhooks: checked, kept as they came, applied once, in whatever order and however often they come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.domain.errors import UnknownWebhookProvider
from services.payment.refunds import Provider, ProviderEvent


@dataclass(frozen=True, slots=True)
class Kept:
    """How far an event is that has just been kept (again)."""

    is_new: bool
    is_applied: bool


class EventStore(Protocol):
    """Where events are kept; every method is one transaction."""

    async def keep(self, provider: str, event: ProviderEvent, payload: bytes) -> Kept: ...
    async def apply(self, provider: str, event: ProviderEvent) -> bool: ...


@dataclass(frozen=True, slots=True)
class Webhooks:
    store: EventStore
    providers: Mapping[str, Provider]

    async def receive(self, provider: str, signature: str, payload: bytes) -> bool:
        """Take a webhook; True when it was new."""
        adapter = self.providers.get(provider)
        if adapter is None:
            raise UnknownWebhookProvider(f"no provider is called {provider}")
        event = adapter.read_webhook(signature, payload)
        kept = await self.store.keep(provider, event, payload)
        if not kept.is_applied:
            await self.store.apply(provider, event)
        return kept.is_new
