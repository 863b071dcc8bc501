"""How messages leave: at most once, whatever the mail server does."""

import asyncio

import grpc
import pytest

from deploy.local.mailbox import Behaviour
from recourse.events.v1 import events_pb2, events_pb2_grpc
from services.domain.facts import Fact, FactKind
from services.domain.ids import derived_id
from services.domain.message import MessageStatus
from services.platform.wire import from_wire
from tests.fixtures.services import OpenDatabase
from tests.notification.conftest import Post
from tests.notification.letters import a_message

DAYS_PASS = "UPDATE messages SET accepted_at = accepted_at - interval '4 days'"


@pytest.fixture
def events(notification_channel: grpc.aio.Channel) -> events_pb2_grpc.EventServiceStub:
    return events_pb2_grpc.EventServiceStub(notification_channel)


@pytest.mark.parametrize("behaviour", [Behaviour.DEFER, Behaviour.DEFER_TEXT, Behaviour.HANG_UP])
async def test_what_is_deferred_is_tried_again_until_it_is_taken(post: Post, behaviour: Behaviour) -> None:
    """A 451, before or after the text, and a connection lost before it, mean later; the mail comes once."""
    post.behave(behaviour)
    message = a_message()
    await post.client.send(message)
    waiting = await post.until(message, lambda record: record.attempts > 1)
    post.behave(Behaviour.ACCEPT)
    record = await post.settled(message)

    assert waiting.status in {MessageStatus.QUEUED, MessageStatus.SENDING}
    assert (record.status, record.failure) == (MessageStatus.SENT, None)
    assert len(post.mails()) == 1


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [(Behaviour.REFUSE, "smtp 550 5.1.1"), (Behaviour.REFUSE_TEXT, "smtp 554 5.6.0")],
)
async def test_what_is_refused_for_good_is_told_to_the_case(
    post: Post, events: events_pb2_grpc.EventServiceStub, behaviour: Behaviour, failure: str
) -> None:
    """A 5xx fails the message at once, and the case hears of it, once."""
    post.behave(behaviour)
    message = a_message()
    await post.client.send(message)
    record = await post.settled(message)
    pulled = await events.PullEvents(
        events_pb2.PullEventsRequest(max_events=10, lease_seconds=10, wait_seconds=5)
    )

    assert (record.status, record.attempts, record.failure) == (MessageStatus.FAILED, 1, failure)
    (fact,) = [from_wire(event.fact, Fact) for event in pulled.events]
    assert fact.event_id == derived_id("bounce", message.message_id)
    assert (fact.kind, fact.case_id, fact.store_id) == (
        FactKind.MESSAGE_BOUNCED,
        message.case_id,
        message.store_id,
    )
    assert fact.bounce is not None
    assert (fact.bounce.message_id, fact.bounce.template) == (message.message_id, message.template)
    assert post.mails() == []


async def test_a_mail_server_that_is_down_only_delays(closed_post: Post) -> None:
    """Messages are taken while it is down, and delivered when it is back."""
    messages = [a_message(case_id=f"RT-{number}") for number in range(5)]
    answers = [await closed_post.client.send(message) for message in messages]
    waiting = await closed_post.until(messages[0], lambda record: record.attempts > 0)
    async with closed_post.office():
        records = await asyncio.gather(*(closed_post.settled(message) for message in messages))

    assert answers == [MessageStatus.QUEUED] * 5
    assert waiting.status in {MessageStatus.QUEUED, MessageStatus.SENDING}
    assert [record.status for record in records] == [MessageStatus.SENT] * 5
    assert len(closed_post.mails()) == 5


async def test_a_mail_server_that_was_restarted_delays_nothing(closed_post: Post) -> None:
    """What is kept of the one before is found dead and replaced, in the same attempt."""
    messages = [a_message(case_id=f"RT-{number}") for number in range(3)]
    for message in messages:
        async with closed_post.office():
            await closed_post.client.send(message)
            record = await closed_post.settled(message)
        assert (record.status, record.attempts) == (MessageStatus.SENT, 1)


async def test_a_server_that_takes_one_mail_on_each_connection_delays_nothing(post: Post) -> None:
    """It refuses the second on a kept connection: that one is sent on a new one, in the same attempt."""
    post.behave(Behaviour.ONE_EACH)
    for number in range(3):
        message = a_message(case_id=f"RT-{number}")
        await post.client.send(message)
        record = await post.settled(message)
        assert (record.status, record.attempts) == (MessageStatus.SENT, 1)


@pytest.mark.parametrize("smtp_seconds", [5.0])
@pytest.mark.parametrize("behaviour", [Behaviour.LOSE_ANSWER, Behaviour.STALL_TEXT])
async def test_a_lost_answer_is_not_a_reason_to_send_twice(post: Post, behaviour: Behaviour) -> None:
    """The server took the text but nobody heard: the message stays unconfirmed, and arrives once."""
    post.behave(behaviour)
    message = a_message()
    await post.client.send(message)
    record = await post.settled(message)
    post.behave(Behaviour.ACCEPT)
    later = a_message("goods_received")
    await post.client.send(later)
    await post.settled(later)

    assert (record.status, record.attempts) == (MessageStatus.UNCONFIRMED, 1)
    assert len(post.mails()) == 2


@pytest.mark.parametrize("smtp_seconds", [5.0])
async def test_a_mail_server_that_stalls_holds_up_nobody_else(post: Post) -> None:
    """One recipient's server never answers; another's message is sent meanwhile, and the first is retried."""
    stuck = a_message(case_id="RT-1", recipient="17850+stall@example.com")
    fine = a_message(case_id="RT-2")
    await post.client.send(stuck)
    await post.client.send(fine)

    assert (await post.settled(fine)).status is MessageStatus.SENT
    assert (await post.until(stuck, lambda record: record.attempts > 1)).status in {
        MessageStatus.QUEUED,
        MessageStatus.SENDING,
    }


async def test_a_case_tells_things_in_their_order(post: Post) -> None:
    """What was said first arrives first, also when it had to be tried again."""
    post.behave(Behaviour.DEFER)
    said = [a_message("goods_received"), a_message("refund_succeeded"), a_message("satisfaction_question")]
    for message in said:
        await post.client.send(message)
    await post.until(said[0], lambda record: record.attempts > 0)
    post.behave(Behaviour.ACCEPT)
    await post.settled(said[-1])

    arrived = [mail["Message-ID"] for mail in post.mails()]
    assert arrived == [f"<{message.message_id}@shop.example>" for message in said]


async def test_what_never_succeeds_is_given_up(closed_post: Post, database: OpenDatabase) -> None:
    """After its time a message that was only ever deferred has failed."""
    message = a_message()
    await closed_post.client.send(message)
    waiting = await closed_post.until(message, lambda record: record.attempts > 1)
    await (await database("notification")).execute(DAYS_PASS)
    record = await closed_post.settled(message)

    assert waiting.status in {MessageStatus.QUEUED, MessageStatus.SENDING}
    assert record.status is MessageStatus.FAILED
