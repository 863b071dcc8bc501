"""What is taken for delivery, and how often."""

import asyncio
from dataclasses import replace

import pytest

from services.domain.errors import IdempotencyConflict, InvalidArgument
from services.domain.message import MessageStatus
from services.notification.__main__ import composition
from services.notification.settings import NotificationSettings
from tests.builders import NOW
from tests.fixtures.services import Serve
from tests.notification.conftest import Post
from tests.notification.letters import VALUES, a_message


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("zh-Hans-CN", "zh-CN")])
async def test_a_message_arrives_as_a_mail_in_the_readers_language(
    post: Post, locale: str, language: str
) -> None:
    """The customer gets text and HTML, in his language, from the shop; the list says it was sent."""
    message = a_message("refund_succeeded", locale=locale)
    first = await post.client.send(message)
    record = await post.settled(message)

    (mail,) = post.mails()
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert first is MessageStatus.QUEUED
    assert (record.message, record.status, record.attempts) == (message, MessageStatus.SENT, 1)
    assert record.sent_at is not None
    assert mail["To"] == "17850@example.com"
    assert mail["From"].addresses[0].addr_spec == "after-sales@shop.example"
    assert mail["Message-ID"] == f"<{message.message_id}@shop.example>"
    assert mail["Content-Language"] == language
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "£15.30" in mail["Subject"]
    assert text is not None
    assert "£15.30" in text.get_content()
    assert page is not None
    assert "£15.30" in page.get_content()
    assert ("退款" in text.get_content()) == (language == "zh-CN")


async def test_twenty_racing_sends_are_one_mail(post: Post) -> None:
    """The same message, sent by twenty callers at once and by one more later, arrives once."""
    message = a_message()
    answers = await asyncio.gather(*(post.client.send(message) for _ in range(20)))
    await post.settled(message)
    again = await post.client.send(message)

    assert set(answers) <= {MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.SENT}
    assert again is MessageStatus.SENT
    assert len(await post.client.messages(message.store_id, message.case_id)) == 1
    assert len(post.mails()) == 1


async def test_the_order_of_values_says_nothing(closed_post: Post) -> None:
    """The same values in another order are the same message."""
    values = {**VALUES, **{f"more_{number}": str(number) for number in range(30)}}
    await closed_post.client.send(a_message(values=values))
    again = a_message(values=dict(reversed(values.items())))

    assert await closed_post.client.send(again) in {MessageStatus.QUEUED, MessageStatus.SENDING}


@pytest.mark.parametrize(
    "change",
    [
        {"values": {"amount": "GBP 1531"}},
        {"recipient": "17851@example.com"},
        {"locale": "zh-CN"},
        {"stated_at": NOW.replace(hour=13)},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_the_same_id_with_another_body_is_a_conflict(post: Post, change: dict[str, object]) -> None:
    """A message that is taken cannot be changed by sending it again."""
    message = a_message()
    await post.client.send(message)

    with pytest.raises(IdempotencyConflict):
        await post.client.send(replace(message, **change))  # type: ignore[arg-type]
    assert (await post.settled(message)).message == message
    assert len(post.mails()) == 1


async def test_a_case_has_its_own_messages_in_their_order(closed_post: Post) -> None:
    """The list is of one case of one store, oldest first."""
    first, second = a_message("goods_received"), a_message("refund_succeeded")
    other_case = a_message("goods_received", case_id="RT-0000-0018")
    for message in (first, other_case, second):
        await closed_post.client.send(message)

    listed = await closed_post.client.messages(first.store_id, first.case_id)
    assert [record.message for record in listed] == [first, second]
    assert await closed_post.client.messages("other", first.case_id) == []


@pytest.mark.parametrize(
    ("message", "pointer"),
    [
        (a_message("no_such_template"), "/message/template"),
        (a_message(values={}), "/message/values/amount"),
        (a_message(values={"amount": "15.30"}), "/message/values/amount"),
        (a_message(values={"amount": "GBP -1"}), "/message/values/amount"),
        (a_message(values={"amount": "XYZ 1530"}), "/message/values/amount"),
        (a_message(values={"amount": "XAU 1530"}), "/message/values/amount"),
        (
            a_message("goods_received", values={"units": "two"}),
            "/message/values/units",
        ),
        (
            a_message("satisfaction_question", values={"answer_by": "tomorrow"}),
            "/message/values/answer_by",
        ),
        (
            a_message("satisfaction_question", values={"answer_by": "2026-03-02T12:00:00"}),
            "/message/values/answer_by",
        ),
        (
            a_message("satisfaction_question", values={"answer_by": "0001-01-01T00:00:00+14:00"}),
            "/message/values/answer_by",
        ),
        (
            a_message("satisfaction_question", values={**VALUES, "time_zone": "Mars/Olympus"}),
            "/message/values/time_zone",
        ),
        (
            a_message("parcel_reminder", values={**VALUES, "rma": "R7K3M9QX1\nBcc: x@example.com"}),
            "/message/values/rma",
        ),
        (
            a_message("return_approved", values={**VALUES, "label_url": "javascript:alert(1)"}),
            "/message/values/label_url",
        ),
        (
            a_message("return_approved", values={**VALUES, "label_url": "https://[broken"}),
            "/message/values/label_url",
        ),
        (a_message("withdrawal_receipt", values={**VALUES, "content": " "}), "/message/values/content"),
        (a_message(recipient=""), "/message/recipient"),
        (a_message(recipient="17850"), "/message/recipient"),
        (a_message(recipient="17850@example.com\r\nBcc: x@example.com"), "/message/recipient"),
        (a_message(recipient="17850@example.com\n"), "/message/recipient"),
        (a_message(recipient="17850@example.com, x@example.com"), "/message/recipient"),
        (a_message(recipient="Somebody <17850@example.com>"), "/message/recipient"),
        (a_message(recipient="17850@-example.com"), "/message/recipient"),
        (a_message(recipient="17850@..com"), "/message/recipient"),
        (a_message(locale="en\r\nX"), "/message/locale"),
        (a_message(order_id="536365\r\nBcc: x@example.com"), "/message/order_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_could_not_be_said_is_not_taken(closed_post: Post, message, pointer: str) -> None:
    """An unknown template, a missing or malformed value, an address that is none: refused, with its place."""
    with pytest.raises(InvalidArgument) as refused:
        await closed_post.client.send(message)

    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert message.recipient not in str(refused.value.problems) or not message.recipient
    assert await closed_post.client.messages(message.store_id, message.case_id) == []


async def test_more_values_than_needed_are_no_fault(closed_post: Post) -> None:
    """A newer caller may say more than this version knows."""
    values = {**VALUES, "case_id": "RT-7K3M-9QX1", "order_id": "536365", "tomorrow": "x"}

    assert await closed_post.client.send(a_message(values=values)) is MessageStatus.QUEUED


async def test_an_international_address_is_written_to(post: Post) -> None:
    """A domain beyond ASCII travels as Punycode."""
    message = a_message(recipient="17850@例子.example")
    await post.client.send(message)
    await post.settled(message)

    assert [mail["To"] for mail in post.mails()] == ["17850@xn--fsqu00a.example"]


async def test_a_store_writes_in_its_own_name_and_time(
    serve: Serve, post_settings: NotificationSettings, offline_post: Post
) -> None:
    """Sender and zone are the store's, where it has its own."""
    own = {"demo": {"sender": "Lantern Shop <help@lantern.example>", "time_zone": "Asia/Shanghai"}}
    changes = {"smtp_port": offline_post.port, "mail_stores": own}
    here = NotificationSettings.model_validate({**post_settings.model_dump(), **changes})
    offline_post.connect(await serve("notification", composition(here)))
    message = a_message("satisfaction_question")
    async with offline_post.office():
        await offline_post.client.send(message)
        await offline_post.settled(message)

    (mail,) = offline_post.mails()
    text = mail.get_body(("plain",))
    assert mail["From"] == "Lantern Shop <help@lantern.example>"
    assert mail["Message-ID"] == f"<{message.message_id}@lantern.example>"
    assert text is not None
    assert "9 March 2026, 20:00 GMT+08:00" in text.get_content()
