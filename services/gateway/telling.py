"""Telling stores: changes of the register become deliveries, and deliveries are sent until they arrive.

Several gateways may do it at once: a change is taken by whoever moves the position first, and a delivery
is leased.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import httpx2
import structlog
from standardwebhooks.webhooks import Webhook

from services.domain.case import CaseSnapshot
from services.gateway.addresses import CheckedTransport, Resolve, resolve
from services.gateway.subscriptions import Delivery, Endpoint, News, ToldCase, delivery_id_for, news_of

log = structlog.get_logger()

_CHANGES: Final = 100
_AT_ONCE: Final = 20
# A receiver answers within seconds, all in all; the lease outlasts its answer.
_SECONDS: Final = 10.0
_LEASE: Final = timedelta(seconds=30)
_FIRST_RETRY: Final = timedelta(seconds=5)
_LONGEST_RETRY: Final = timedelta(hours=6)
# With doubling pauses this is about a day.
_MOST_ATTEMPTS: Final = 16

Describe = Callable[[CaseSnapshot, News], str]


class Register(Protocol):
    async def changes(
        self, position: str, limit: int, store_id: str = ""
    ) -> tuple[list[CaseSnapshot], str]: ...


class NewsStore(Protocol):
    """Where it is kept how far telling has come; every method is one transaction."""

    async def position(self) -> str: ...
    async def told(self, case_ids: Sequence[str]) -> dict[str, ToldCase]: ...
    async def all_endpoints(self) -> list[Endpoint]: ...
    async def queue(
        self, before: str, after: str, told: Sequence[ToldCase], deliveries: Sequence[Delivery]
    ) -> bool: ...
    async def lease(
        self, limit: int, lasts: timedelta, most_attempts: int
    ) -> list[tuple[Delivery, Endpoint]]:
        """Take what is due; what was taken so often before, and never heard of again, is dead."""

    async def delivered(self, delivery_id: str, answer: str) -> None: ...
    async def undelivered(self, delivery_id: str, answer: str, retry_in: timedelta | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Publisher:
    """Turns the register's changes into deliveries; ``describe`` writes what is sent."""

    register: Register
    store: NewsStore
    describe: Describe

    async def publish(self) -> None:
        """Queue the news of everything that has changed since the last time."""
        while await self._publish_some():
            pass

    async def _publish_some(self) -> bool:
        before = await self.store.position()
        cases, after = await self.register.changes(before, _CHANGES)
        if not cases:
            return False
        told = await self.store.told([case.case_id for case in cases])
        endpoints = await self.store.all_endpoints()
        deliveries = [
            self._delivery(endpoint, case, event)
            for case in cases
            for event in news_of(told.get(case.case_id), case)
            for endpoint in endpoints
            if endpoint.store_id == case.store_id and event in endpoint.events
        ]
        await self.store.queue(before, after, [ToldCase.of(case) for case in cases], deliveries)
        return len(cases) == _CHANGES

    def _delivery(self, endpoint: Endpoint, case: CaseSnapshot, event: News) -> Delivery:
        return Delivery(
            delivery_id=delivery_id_for(endpoint, case, event),
            endpoint_id=endpoint.endpoint_id,
            event=event,
            case_id=case.case_id,
            payload=self.describe(case, event),
        )


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends what is due, signed as Standard Webhooks; what does not arrive is tried again, then dead."""

    store: NewsStore
    client: httpx2.AsyncClient
    seconds: float = _SECONDS

    async def send(self) -> None:
        """Send what is due now."""
        while due := await self.store.lease(_AT_ONCE, _LEASE, _MOST_ATTEMPTS):
            await asyncio.gather(*(self._send(delivery, endpoint) for delivery, endpoint in due))
            if len(due) < _AT_ONCE:
                return

    async def _send(self, delivery: Delivery, endpoint: Endpoint) -> None:
        answer = await self._post(delivery, endpoint)
        if answer.startswith("2"):
            await self.store.delivered(delivery.delivery_id, answer)
            return
        is_dead = delivery.attempts >= _MOST_ATTEMPTS
        retry_in = None if is_dead else min(_FIRST_RETRY * 2 ** (delivery.attempts - 1), _LONGEST_RETRY)
        log.warning("webhook.undelivered", delivery_id=delivery.delivery_id, answer=answer, is_dead=is_dead)
        await self.store.undelivered(delivery.delivery_id, answer, retry_in)

    async def _post(self, delivery: Delivery, endpoint: Endpoint) -> str:
        """Return the receiver's status, or what kept it from answering.

        Its answer is not read beyond the status, and there is no other end to it than the deadline: a
        deadline for each read is none for a receiver that answers byte by byte.
        """
        try:
            headers = _signed(delivery, endpoint)
            async with (
                asyncio.timeout(self.seconds),
                self.client.stream("POST", endpoint.url, content=delivery.payload, headers=headers) as answer,
            ):
                return str(answer.status_code)
        except Exception as error:  # noqa: BLE001 — whatever is wrong with one receiver, others are told
            return type(error).__name__


def open_client(*, allows_loopback: bool, resolve: Resolve = resolve) -> httpx2.AsyncClient:
    """Return what news is sent with: straight to public addresses, whatever the environment says."""
    transport = CheckedTransport(allows_loopback=allows_loopback, resolve=resolve)
    return httpx2.AsyncClient(transport=transport, timeout=_SECONDS, follow_redirects=False, trust_env=False)


def _signed(delivery: Delivery, endpoint: Endpoint) -> dict[str, str]:
    """Return the headers that show who sends it, and when."""
    at = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": delivery.delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(endpoint.secret).sign(delivery.delivery_id, at, delivery.payload),
    }
