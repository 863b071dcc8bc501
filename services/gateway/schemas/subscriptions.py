"""Webhooks to stores, as the contract shows them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from services.domain.case import CaseSnapshot
from services.gateway.schemas.case_document import CaseDocument, CaseLinks, case_document
from services.gateway.schemas.fields import Incoming, Outgoing
from services.gateway.subscriptions import Delivery, DeliveryState, Endpoint, News


class EndpointBody(Incoming):
    """Where to tell a store, and of what; no ``events`` means all."""

    url: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^https?://[\x21-\x7e]+$")] = Field(
        examples=["https://shop.example/webhooks/recourse"]
    )
    events: Annotated[list[News], Field(max_length=20, default_factory=list)]


class EndpointDocument(Outgoing):
    """An endpoint; its ``secret`` is told once, when it is made."""

    endpoint_id: str
    url: str
    events: list[News]
    secret: str | None
    created_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint, *, is_new: bool = False) -> "EndpointDocument":
        return cls(
            endpoint_id=endpoint.endpoint_id,
            url=endpoint.url,
            events=list(endpoint.events),
            secret=endpoint.secret if is_new else None,
            created_at=endpoint.created_at,
        )


class DeliveryDocument(Outgoing):
    """One piece of news on its way; ``last_answer`` is a status, or what kept the receiver from answering."""

    delivery_id: str
    endpoint_id: str
    event: News
    case_id: str
    state: DeliveryState
    attempts: int
    last_answer: str
    queued_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryDocument":
        return cls.model_validate(delivery, from_attributes=True)


class CaseData(Outgoing):
    case: CaseDocument


class NewsDocument(Outgoing):
    """What is sent: the news, when the case last changed, and the full case."""

    type: News
    timestamp: datetime
    data: CaseData


def news_document(case: CaseSnapshot, event: News, links: CaseLinks) -> str:
    """Return the text of a piece of news; it names no Temporal address, which is for staff."""
    document = case_document(case, links.of(case, shows_temporal=False))
    news = NewsDocument(type=event, timestamp=case.updated_at, data=CaseData(case=document))
    return news.model_dump_json(by_alias=True)
