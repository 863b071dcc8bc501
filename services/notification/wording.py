"""What a message says: words per language, numbers and dates as the reader writes them.

One file per message and language, in plain text: its first line is the subject. The HTML alternative is
made of the same paragraphs, so that both say the same and a translator writes every sentence once.
"""

import html
import importlib.resources
import re
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_datetime_format, get_timezone_gmt
from jinja2 import Environment, StrictUndefined, Template

from services.domain.message import Message
from services.domain.money import Money
from services.notification.catalogue import TEMPLATES, Value, exponent_of, read_values, zone_of

# The first is for whoever reads none of the others.
LANGUAGES: Final = ("en", "zh_CN")
_UTC: Final = ZoneInfo("UTC")
_CLOSING: Final = "closing"
_JINJA_TAG: Final = re.compile(r"(\{[%{#].*?[%}#]\})", re.DOTALL)
# Between a currency's letters and its number; Babel leaves the space out that CLDR asks for.
_LETTERS_BEFORE_NUMBER: Final = re.compile(r"(?<=[A-Z]{3})(?=[0-9])")
_NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"
# What ``link(url)`` is in either part of a mail.
_LINK_AS_TEXT: Final = "{% macro link(url) %}{{ url }}{% endmacro %}"
_LINK_AS_HTML: Final = '{% macro link(url) %}<a href="{{ url }}">{{ url }}</a>{% endmacro %}'


@dataclass(frozen=True, slots=True)
class Voice:
    """How a store writes: its sender's address (``Name <address>``), and the zone it tells dates in."""

    sender: str
    zone: ZoneInfo = _UTC


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in words; ``language`` is a BCP 47 tag."""

    subject: str
    text: str
    html: str
    language: str


@dataclass(frozen=True, slots=True)
class _Compiled:
    subject: Template
    text: Template
    html: Template


def language_for(tag: str) -> str:
    """Return the language of ours that serves a reader of ``tag`` (``en-GB`` → ``en``)."""
    wanted = _parsed(tag)
    if wanted is not None:
        for language in LANGUAGES:
            if Locale.parse(language).language == wanted.language:
                return language
    return LANGUAGES[0]


def formats_for(tag: str) -> Locale:
    """Return whose numbers and dates to write: the reader's own if the words are in that language."""
    ours, wanted = Locale.parse(language_for(tag)), _parsed(tag)
    is_readable = wanted is not None and wanted.language == ours.language and wanted.script == ours.script
    return wanted if wanted is not None and is_readable else ours


def _parsed(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return None


def format_money(money: Money, locale: Locale) -> str:
    """Write an amount with the decimals ISO 4217 gives its currency (Babel's own differ for some)."""
    exponent = exponent_of(money.currency)
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (exponent, exponent)
    number = Decimal(money.minor_units).scaleb(-exponent)
    written = pattern.apply(number, locale, currency=money.currency, currency_digits=False)
    return _LETTERS_BEFORE_NUMBER.sub(_NO_BREAK_SPACE, written)


def format_instant(at: datetime, zone: ZoneInfo, locale: Locale) -> str:
    """Write a date and time, to the minute, and the zone it is in."""
    local = at.astimezone(zone)
    date = format_date(local, "long", locale)
    time = format_time(local, "short", tzinfo=zone, locale=locale)
    zone_name = "UTC" if zone.key == _UTC.key else get_timezone_gmt(local, "long", locale)
    joined = str(get_datetime_format("long", locale=locale)).replace("'", "")
    return f"{joined.format(time, date)} {zone_name}"


class Wording:
    """Every message in every language; a missing or broken file shows when the process starts."""

    def __init__(self) -> None:
        folder = importlib.resources.files("services.notification") / "templates"
        self._frame = _HTML.from_string((folder / "frame.html").read_text())
        self._compiled: dict[tuple[str, str], _Compiled] = {}
        for language in LANGUAGES:
            closing = (folder / language / f"{_CLOSING}.txt").read_text()
            for name in TEMPLATES:
                source = (folder / language / f"{name}.txt").read_text()
                self._compiled[language, name] = _compile(source, closing)

    def letter(self, message: Message, zone: ZoneInfo = _UTC) -> Letter:
        """Say ``message``; its dates are told in its own zone, or else in ``zone``."""
        language = language_for(message.locale)
        values, _ = read_values(message.template, message.values)
        locale, told_in = formats_for(message.locale), zone_of(message.values, zone)
        words: dict[str, str | int] = {name: _word(value, told_in, locale) for name, value in values.items()}
        words |= {"case_id": message.case_id, "order_id": message.order_id}
        compiled = self._compiled[language, message.template]
        subject = compiled.subject.render(words)
        tag = language.replace("_", "-")
        page = self._frame.render(
            language=tag, subject=subject, paragraphs=_paragraphs(compiled.html.render(words))
        )
        return Letter(subject, compiled.text.render(words).strip() + "\n", page, tag)


def _word(value: Value, zone: ZoneInfo, locale: Locale) -> str | int:
    if isinstance(value, Money):
        return format_money(value, locale)
    if isinstance(value, datetime):
        return format_instant(value, zone, locale)
    return value


def _environment(*, is_html: bool) -> Environment:
    return Environment(
        # Plain text is read as it is; escaped, an apostrophe would come out as a number.
        autoescape=is_html,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_TEXT: Final = _environment(is_html=False)
_HTML: Final = _environment(is_html=True)


def _compile(source: str, closing: str) -> _Compiled:
    subject, _, body = source.partition("\n")
    body = f"{body.strip()}\n\n{closing}"
    return _Compiled(
        _TEXT.from_string(subject),
        _TEXT.from_string(_LINK_AS_TEXT + body),
        _HTML.from_string(_LINK_AS_HTML + _escaped_words(body)),
    )


def _escaped_words(source: str) -> str:
    """Escape what the translator wrote, but not the tags between."""
    parts = _JINJA_TAG.split(source)
    return "".join(part if _JINJA_TAG.fullmatch(part) else html.escape(part) for part in parts)


def _paragraphs(rendered: str) -> list[str]:
    """Split rendered (escaped) text at its blank lines; line breaks stay."""
    return [part.replace("\n", "<br>\n") for part in re.split(r"\n\s*\n", rendered.strip())]
