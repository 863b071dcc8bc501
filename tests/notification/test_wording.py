"""What messages say, in both languages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from services.domain.message import Message
from services.domain.money import Money
from services.notification.catalogue import TEMPLATES
from services.notification.wording import (
    LANGUAGES,
    Wording,
    format_instant,
    format_money,
    formats_for,
    language_for,
)
from tests.notification.letters import VALUES, a_message

REASONS = [
    "return_window",
    "final_sale",
    "withdrawal_exclusion",
    "order_paid",
    "merchant_review",
    "delivery",
    "reason",
    "other",
]
# Whom a customer must never be sent to, and what an answer must never be tied to.
ELSEWHERE = [
    *("brand", "manufacturer", "carrier", "courier", "post office", "finance", "accounting", "your bank"),
    *("品牌", "厂家", "厂商", "物流公司", "快递公司", "承运", "财务", "银行"),
]
REVIEWS = ["review", "rating", "feedback", "评价", "好评", "差评", "评论"]


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_says_all_its_values_in_every_language(
    wording: Wording, template: str, language: str
) -> None:
    """A mail has one line of subject, and every value, case and order in its text and in its HTML."""
    letter = wording.letter(a_message(template, locale=language))
    units = {"amount": "15.30", "answer_by": "2026", "escalate_until": "2026", "send_by": "2026"}
    told = {**VALUES, **units, "received_at": "2026"}
    said = [told[name] for name in TEMPLATES[template] if name != "reason"]

    assert letter.subject.splitlines() == [letter.subject.strip()]
    assert letter.language == language.replace("_", "-")
    assert f'lang="{letter.language}"' in letter.html
    for word in [*said, "RT-7K3M-9QX1", "536365"]:
        assert word in letter.text
        assert word.replace("&", "&amp;") in letter.html
    assert "{" not in letter.subject + letter.text + letter.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_denial_says_its_own_reason(wording: Wording, language: str) -> None:
    """Each rule that denies has its own words; a rule nobody has worded yet has general ones."""
    texts = {
        reason: wording.letter(
            a_message("return_denied", locale=language, values={**VALUES, "reason": reason})
        ).text
        for reason in [*REASONS, "a_rule_of_tomorrow"]
    }

    assert texts["a_rule_of_tomorrow"] == texts["other"]
    assert len(set(texts.values())) == len(REASONS)


@pytest.mark.rule("S018")
@pytest.mark.rule("S035")
@pytest.mark.rule("S062")
@pytest.mark.rule("S274")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_no_message_sends_the_customer_elsewhere_or_asks_for_a_review(
    wording: Wording, template: str, language: str
) -> None:
    """Nobody is told to turn to the brand, the carrier or finance, and nothing depends on a review."""
    reasons = REASONS if template == "return_denied" else ["other"]
    for reason in reasons:
        letter = wording.letter(a_message(template, locale=language, values={**VALUES, "reason": reason}))
        said = (letter.subject + letter.text).lower()

        assert [word for word in ELSEWHERE + REVIEWS if word in said] == []


@pytest.mark.parametrize(
    ("tag", "language", "formats"),
    [
        ("en", "en", "en"),
        ("en-GB", "en", "en_GB"),
        ("en_US", "en", "en_US"),
        ("zh-CN", "zh_CN", "zh_Hans_CN"),
        ("zh-Hans-CN", "zh_CN", "zh_Hans_CN"),
        ("zh", "zh_CN", "zh_Hans_CN"),
        ("zh-TW", "zh_CN", "zh_Hans_CN"),
        ("de-DE", "en", "en"),
        ("tlh", "en", "en"),
        ("", "en", "en"),
        ("not a language!", "en", "en"),
    ],
)
def test_the_language_is_the_readers_or_else_english(tag: str, language: str, formats: str) -> None:
    """Words are in a language of ours; numbers and dates as the reader writes them, if it fits."""
    assert (language_for(tag), str(formats_for(tag))) == (language, formats)


@pytest.mark.parametrize(
    ("money", "english", "chinese"),
    [
        (Money(1530, "GBP"), "£15.30", "£15.30"),
        (Money(1530, "JPY"), "JP¥1,530", "JP¥1,530"),
        (Money(1530, "KWD"), "KWD\N{NO-BREAK SPACE}1.530", "KWD\N{NO-BREAK SPACE}1.530"),
        (Money(1530, "IQD"), "IQD\N{NO-BREAK SPACE}1.530", "IQD\N{NO-BREAK SPACE}1.530"),
        (Money(1530, "MGA"), "MGA\N{NO-BREAK SPACE}15.30", "MGA\N{NO-BREAK SPACE}15.30"),
        (Money(1530, "CNY"), "CN¥15.30", "¥15.30"),
        (Money(123456789, "USD"), "US$1,234,567.89", "US$1,234,567.89"),
        (Money(0, "GBP"), "£0.00", "£0.00"),
    ],
)
def test_money_has_the_decimals_of_iso_4217(money: Money, english: str, chinese: str) -> None:
    """The minor unit is ISO 4217's, also where Babel's own data has another."""
    written = [format_money(money, Locale.parse(name)) for name in ("en_GB", "zh_Hans_CN")]

    assert written == [english, chinese]


@pytest.mark.parametrize(
    ("zone", "british", "american", "chinese"),
    [
        (
            "UTC",
            "2 July 2026, 23:30 UTC",
            "July 2, 2026, 11:30\N{NARROW NO-BREAK SPACE}PM UTC",
            "2026年7月2日 23:30 UTC",
        ),
        (
            "Europe/London",
            "3 July 2026, 00:30 GMT+01:00",
            "July 3, 2026, 12:30\N{NARROW NO-BREAK SPACE}AM GMT+01:00",
            "2026年7月3日 00:30 GMT+01:00",
        ),
        (
            "Asia/Shanghai",
            "3 July 2026, 07:30 GMT+08:00",
            "July 3, 2026, 7:30\N{NARROW NO-BREAK SPACE}AM GMT+08:00",
            "2026年7月3日 07:30 GMT+08:00",
        ),
    ],
)
def test_an_instant_is_told_in_its_zone_and_names_it(
    zone: str, british: str, american: str, chinese: str
) -> None:
    """The same instant, in the words of three readers; the zone is always said, summer time counted."""
    at = datetime(2026, 7, 2, 23, 30, tzinfo=UTC)
    written = [
        format_instant(at, ZoneInfo(zone), Locale.parse(name)) for name in ("en_GB", "en", "zh_Hans_CN")
    ]

    assert written == [british, american, chinese]


def test_a_message_may_bring_its_own_zone(wording: Wording) -> None:
    """The customer's zone goes before the store's."""
    message = a_message("satisfaction_question")
    abroad = a_message("satisfaction_question", values={**message.values, "time_zone": "Asia/Shanghai"})

    assert "9 March 2026, 12:00 GMT+00:00" in wording.letter(message, ZoneInfo("Europe/London")).text
    assert "9 March 2026, 20:00 GMT+08:00" in wording.letter(abroad, ZoneInfo("Europe/London")).text


def test_a_value_is_never_markup(wording: Wording) -> None:
    """What a customer wrote stands in the mail as it was written, in HTML too."""
    written = "2 × <b>lantern</b> & {{ 7 * 7 }}\n\nBcc: nobody@example.com"
    message = a_message("withdrawal_receipt", values={**VALUES, "content": written})
    letter = wording.letter(message)

    assert written in letter.text
    assert "&lt;b&gt;lantern&lt;/b&gt; &amp; {{ 7 * 7 }}" in letter.html


def test_a_label_is_a_link_where_there_is_one(wording: Wording) -> None:
    """The address of the label is a link in HTML; without a label nothing is said of one."""
    with_label = wording.letter(a_message("return_approved"))
    without = wording.letter(a_message("return_approved", values={**VALUES, "label_url": ""}))

    assert f'<a href="{VALUES["label_url"].replace("&", "&amp;")}">' in with_label.html
    assert "label" not in without.text + without.html


@pytest.mark.parametrize(
    ("units", "said"), [("1", "could not accept one item."), ("3", "could not accept 3 items.")]
)
def test_units_are_counted_in_words(wording: Wording, units: str, said: str) -> None:
    """One item, several items."""
    message: Message = a_message("inspection_rejected", values={**VALUES, "units": units})

    assert said in wording.letter(message).text
