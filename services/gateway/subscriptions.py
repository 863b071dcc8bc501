"""What stores are told: which news a change of a case is, who wants it, and where it may be sent.

News is read off the register's changes, so that telling costs a case nothing and no change is missed: a case
that changed twice in between is told as it is now.
"""

import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from services.domain.case import CaseSnapshot, CaseStatus, RefundStatus
from services.domain.errors import FieldProblem, InvalidArgument, NotFound
from services.domain.ids import CaseId, StoreId, derived_id
from services.gateway.addresses import may_be_told


class EndpointNotFound(NotFound):
    reason = "ENDPOINT_NOT_FOUND"


class DeliveryNotFound(NotFound):
    reason = "DELIVERY_NOT_FOUND"


class News(StrEnum):
    """What a store may be told."""

    CASE_OPENED = "case.opened"
    CASE_UPDATED = "case.updated"
    CASE_CLOSED = "case.closed"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


_OF_REFUND: Final[Mapping[str, News]] = {
    RefundStatus.SUCCEEDED: News.REFUND_SUCCEEDED,
    RefundStatus.FAILED: News.REFUND_FAILED,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a store wants to be told of ``events``; ``secret`` signs what it is told (Standard Webhooks)."""

    endpoint_id: str
    store_id: StoreId
    url: str
    events: tuple[News, ...]
    secret: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ToldCase:
    """What of a case has been told: statuses of the case and, by id, of its refunds."""

    case_id: CaseId
    sequence: int
    status: str
    refunds: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, case: CaseSnapshot) -> "ToldCase":
        refunds = {str(refund.refund_id): refund.status.value for refund in case.refunds}
        return cls(case.case_id, case.sequence, case.status, refunds)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One piece of news for one endpoint; ``payload`` is the very text that is signed and sent."""

    delivery_id: str
    endpoint_id: str
    event: News
    case_id: CaseId
    payload: str
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    last_answer: str = ""
    queued_at: datetime | None = None


def news_of(told: ToldCase | None, case: CaseSnapshot) -> tuple[News, ...]:
    """Return what is new about ``case`` beyond what was ``told``."""
    if told is not None and told.sequence >= case.sequence:
        return ()
    before = told.refunds if told else {}
    news = [News.CASE_OPENED if told is None else News.CASE_UPDATED]
    news += [
        _OF_REFUND[refund.status]
        for refund in case.refunds
        if refund.status in _OF_REFUND and before.get(refund.refund_id) != refund.status
    ]
    is_closed = case.status is CaseStatus.CLOSED
    if is_closed and (told is None or told.status != CaseStatus.CLOSED):
        news.append(News.CASE_CLOSED)
    return tuple(dict.fromkeys(news))


def delivery_id_for(endpoint: Endpoint, case: CaseSnapshot, event: News) -> str:
    """Return the id by which a receiver knows a repeat: the same news has the same."""
    return derived_id("delivery", endpoint.endpoint_id, case.case_id, str(case.sequence), event)


def check_url(url: str, *, allows_loopback: bool) -> None:
    """Refuse a place that news must not be sent to: not encrypted, or inside somebody's network.

    Raises:
        InvalidArgument: Naming the member.
    """
    if not may_be_told(url, allows_loopback=allows_loopback):
        problem = FieldProblem("/url", "not_allowed", "a public https address")
        raise InvalidArgument("news cannot be sent there", problems=(problem,))


class SubscriptionStore(Protocol):
    """Where endpoints and deliveries are kept; every method is one transaction."""

    async def put_endpoint(self, endpoint: Endpoint) -> tuple[Endpoint, bool]: ...
    async def endpoints(self, store_id: StoreId) -> list[Endpoint]: ...
    async def drop_endpoint(self, store_id: StoreId, endpoint_id: str) -> bool: ...
    async def deliveries(
        self, store_id: StoreId, state: DeliveryState | None, limit: int
    ) -> list[Delivery]: ...
    async def replay(self, store_id: StoreId, delivery_id: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The use cases of a store's webhooks."""

    store: SubscriptionStore
    allows_loopback: bool

    async def subscribe(
        self, store_id: StoreId, url: str, events: Sequence[News], at: datetime
    ) -> tuple[Endpoint, bool]:
        """Tell a store at ``url``; False when it was told there already, now of these events."""
        check_url(url, allows_loopback=self.allows_loopback)
        secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
        endpoint_id = derived_id("endpoint", store_id, url)
        chosen = tuple(dict.fromkeys(events)) or tuple(News)
        return await self.store.put_endpoint(Endpoint(endpoint_id, store_id, url, chosen, secret, at))

    async def unsubscribe(self, store_id: StoreId, endpoint_id: str) -> None:
        if not await self.store.drop_endpoint(store_id, endpoint_id):
            raise EndpointNotFound("there is no such endpoint")

    async def replay(self, store_id: StoreId, delivery_id: str) -> None:
        """Send once more, whatever became of it before."""
        if not await self.store.replay(store_id, delivery_id):
            raise DeliveryNotFound("there is no such delivery")
