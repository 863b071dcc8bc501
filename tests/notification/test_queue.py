"""The queue under many senders."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.domain.message import MessageStatus
from services.notification.repository import MessageRepository
from services.platform.database import open_pool
from tests.fixtures.services import FreshDatabase
from tests.notification.letters import a_message

LEASE = timedelta(minutes=1)


@pytest.fixture
async def queue(fresh_database: FreshDatabase) -> AsyncIterator[MessageRepository]:
    pool = await open_pool(await fresh_database("notification"), "test")
    yield MessageRepository(pool)
    await pool.close()


async def test_racing_senders_never_hold_the_same_message(queue: MessageRepository) -> None:
    """Of forty messages, twenty senders that claim three each at once take every one, and each once."""
    messages = [a_message(case_id=f"RT-{number}") for number in range(40)]
    for message in messages:
        await queue.accept(message)
    claims = await asyncio.gather(*(queue.claim(3, LEASE) for _ in range(20)))
    claims.append(await queue.claim(40, LEASE))

    held = [claimed.message.message_id for claim in claims for claimed in claim]
    assert all(len(claim) <= 3 for claim in claims[:-1])
    assert sorted(held) == sorted(message.message_id for message in messages)


async def test_a_sender_that_was_overtaken_changes_nothing(queue: MessageRepository) -> None:
    """Its lease ran out and another sender has the message: it may not send it, nor say what became of it."""
    message = a_message()
    await queue.accept(message)
    (slow,) = await queue.claim(1, timedelta(0))
    expired = await queue.expire()
    (fast,) = await queue.claim(1, LEASE)
    may_slow_send = await queue.hand_over(slow, LEASE)
    await queue.fail(slow, "smtp 550")
    may_fast_send = await queue.hand_over(fast, LEASE)

    assert expired == [(message.message_id, MessageStatus.QUEUED)]
    assert (may_slow_send, may_fast_send) == (False, True)
    (record,) = await queue.of_case(message.store_id, message.case_id)
    assert record.status is MessageStatus.SENDING


async def test_an_outcome_that_comes_late_still_counts(queue: MessageRepository) -> None:
    """The answer came after the lease had run out: what was unconfirmed was sent after all."""
    message = a_message()
    await queue.accept(message)
    (claimed,) = await queue.claim(1, LEASE)
    await queue.hand_over(claimed, timedelta(0))
    expired = await queue.expire()
    await queue.sent(claimed)

    assert expired == [(message.message_id, MessageStatus.UNCONFIRMED)]
    (record,) = await queue.of_case(message.store_id, message.case_id)
    assert record.status is MessageStatus.SENT
    assert await queue.claim(1, LEASE) == []
