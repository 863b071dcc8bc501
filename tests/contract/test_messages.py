"""A message is taken once per fact."""

from dataclasses import replace

import pytest

from services.domain.errors import IdempotencyConflict
from services.domain.ids import CaseId, OrderId, derived_id
from services.domain.message import Message, MessageStatus
from tests.builders import NOW, STORE

MESSAGE = Message(
    message_id=derived_id("RT-7K3M-9QX1", "message", "refunded-1"),
    store_id=STORE,
    case_id=CaseId("RT-7K3M-9QX1"),
    order_id=OrderId("536365"),
    template="refund_succeeded",
    recipient="17850@example.com",
    locale="en-GB",
    stated_at=NOW,
    values={"amount": "GBP 510", "case_id": "RT-7K3M-9QX1", "order_id": "536365"},
)


async def test_a_message_told_twice_is_one(messages):
    """The same fact again changes nothing; another body under its id is a conflict."""
    assert await messages.send(MESSAGE) is MessageStatus.QUEUED
    assert await messages.send(MESSAGE) in MessageStatus

    with pytest.raises(IdempotencyConflict):
        await messages.send(replace(MESSAGE, values={**MESSAGE.values, "amount": "GBP 511"}))
