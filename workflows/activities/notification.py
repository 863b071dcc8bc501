"""What the customer is told: one message per fact, addressed only when it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from temporalio import activity

from services.domain.ids import CaseId, OrderId, StoreId, derived_id
from services.domain.message import Message, MessageStatus
from services.domain.order import Customer
from workflows.activities.errors import translated


@dataclass(frozen=True, slots=True)
class Tell:
    """``fact`` makes the message's id with the case: the same fact is told once."""

    store_id: StoreId
    order_id: OrderId
    case_id: CaseId
    fact: str
    template: str
    at: datetime
    values: Mapping[str, str] = field(default_factory=dict)


class Contacts(Protocol):
    async def contact(self, store_id: str, order_id: str) -> Customer: ...


class Messages(Protocol):
    async def send(self, message: Message) -> MessageStatus: ...


@dataclass
class NotificationActivities:
    contacts: Contacts
    messages: Messages

    @activity.defn
    async def tell_customer(self, wanted: Tell) -> None:
        """Hand a message over for delivery."""
        with translated():
            customer = await self.contacts.contact(wanted.store_id, wanted.order_id)
            await self.messages.send(
                Message(
                    message_id=derived_id(wanted.case_id, "message", wanted.fact),
                    store_id=wanted.store_id,
                    case_id=wanted.case_id,
                    order_id=wanted.order_id,
                    template=wanted.template,
                    recipient=customer.email,
                    locale=customer.locale,
                    stated_at=wanted.at,
                    values={"case_id": wanted.case_id, "order_id": wanted.order_id, **wanted.values},
                )
            )
