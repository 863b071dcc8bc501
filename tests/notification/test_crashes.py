"""Whatever dies: a message is sent at most once, and what had not left is sent."""

import asyncio

from deploy.local.mailbox import Behaviour
from services.domain.message import MessageStatus
from tests.notification.conftest import Post, Processes
from tests.notification.letters import VALUES, a_message


async def test_a_message_survives_its_sender(processes: Processes, offline_post: Post) -> None:
    """The sender is killed after it took the message and before the server could: the next one sends it."""
    offline_post.behave(Behaviour.STALL)
    message = a_message()
    sender = await processes.start()
    await offline_post.client.send(message)
    await offline_post.until(message, lambda record: record.status is MessageStatus.SENDING)
    await processes.kill(sender)
    offline_post.behave(Behaviour.ACCEPT)
    await processes.start()
    record = await offline_post.settled(message)

    assert (record.status, record.attempts) == (MessageStatus.SENT, 2)
    assert len(offline_post.mails()) == 1


async def test_a_message_that_may_have_left_is_not_sent_again(
    processes: Processes, offline_post: Post
) -> None:
    """The sender is killed between the text and the server's answer: nobody sends it a second time."""
    offline_post.behave(Behaviour.STALL_TEXT)
    message = a_message()
    sender = await processes.start()
    await offline_post.client.send(message)
    async with asyncio.timeout(60):
        while not offline_post.mails():
            await asyncio.sleep(0.02)
    await processes.kill(sender)
    offline_post.behave(Behaviour.ACCEPT)
    await processes.start()
    record = await offline_post.settled(message)

    assert (record.status, record.failure) == (MessageStatus.UNCONFIRMED, "sender lost")
    assert len(offline_post.mails()) == 1


async def test_several_senders_share_the_work(processes: Processes, offline_post: Post) -> None:
    """Two processes over one queue: forty messages are forty mails, each told apart."""
    for _ in range(2):
        await processes.start()
    messages = [a_message(case_id=f"RT-{number}") for number in range(40)]
    await asyncio.gather(*(offline_post.client.send(message) for message in messages))
    records = await asyncio.gather(*(offline_post.settled(message) for message in messages))

    assert {(record.status, record.attempts) for record in records} == {(MessageStatus.SENT, 1)}
    arrived = [mail["Message-ID"] for mail in offline_post.mails()]
    assert sorted(arrived) == sorted(f"<{message.message_id}@shop.example>" for message in messages)


async def test_logs_know_no_persons(processes: Processes, offline_post: Post) -> None:
    """Sent, deferred, refused or malformed: the process's log names the message, never whom or what."""
    process = await processes.start()
    secret = "I withdraw, says customer 17850"
    values = {**VALUES, "content": secret}
    said = [
        a_message("withdrawal_receipt", case_id=f"RT-{tag}", values=values, recipient=recipient)
        for tag, recipient in {
            "sent": "17850@example.com",
            "deferred": "17850+defer@example.com",
            "refused": "17850+refuse@example.com",
            "lost": "17850+lose_answer@example.com",
        }.items()
    ]
    for message in said:
        await offline_post.client.send(message)
    await asyncio.gather(
        *(offline_post.until(message, lambda record: record.attempts > 0) for message in said),
        *(offline_post.settled(message) for message in (said[0], said[2], said[3])),
    )
    process.terminate()
    process.wait(60)
    log = processes.log.read_text()

    assert all(message.message_id in log for message in said)
    assert [word for word in ("example.com", "17850", secret, "lantern") if word in log] == []
    assert process.returncode == 0
