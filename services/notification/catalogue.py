"""The catalogue of messages: which there are, which values each needs, and what those must look like.

A value travels as text and is read here, once, before the message is accepted; what is accepted can be
rendered in every language.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from iso4217 import Currency

from services.domain.errors import FieldProblem
from services.domain.money import Money

Value = Money | datetime | int | str


class Kind(StrEnum):
    """What a value is, and how it travels."""

    AMOUNT = "amount"  # GBP 1530: minor units of ISO 4217
    INSTANT = "instant"  # RFC 3339, with its offset
    COUNT = "count"  # 2
    WORD = "word"  # one line
    TEXT = "text"  # several lines
    LINK = "link"  # http or https; empty when there is none


TEMPLATES: Final[Mapping[str, Mapping[str, Kind]]] = MappingProxyType(
    {
        "return_approved": {
            "send_by": Kind.INSTANT,
            "rma": Kind.WORD,
            "label_url": Kind.LINK,
            "amount": Kind.AMOUNT,
        },
        "return_under_review": {"answer_by": Kind.INSTANT},
        "return_denied": {"reason": Kind.WORD, "escalate_until": Kind.INSTANT},
        "parcel_reminder": {"send_by": Kind.INSTANT, "rma": Kind.WORD},
        "parcel_expired": {},
        "case_withdrawn": {},
        "goods_received": {"units": Kind.COUNT},
        "inspection_rejected": {"units": Kind.COUNT, "answer_by": Kind.INSTANT},
        "refund_succeeded": {"amount": Kind.AMOUNT},
        "refund_credited": {"amount": Kind.AMOUNT},
        "refund_choice": {"amount": Kind.AMOUNT, "answer_by": Kind.INSTANT},
        "refund_delayed": {},
        "satisfaction_question": {"answer_by": Kind.INSTANT},
        "withdrawal_receipt": {"content": Kind.TEXT, "received_at": Kind.INSTANT},
    }
)
# A message may bring the zone its dates are told in (IANA name); else the store's is used.
TIME_ZONE: Final = "time_zone"

_WORD_MAX: Final = 200
_TEXT_MAX: Final = 20_000
_AMOUNT: Final = re.compile(r"([A-Z]{3}) ([0-9]{1,18})")
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_YEARS: Final = range(1970, 9999)


def exponent_of(currency: str) -> int:
    """Return how many decimals ISO 4217 gives a currency's minor unit.

    Raises:
        ValueError: If there is no such currency, or it has no minor unit (gold).
    """
    exponent = Currency(currency).exponent
    if exponent is None:
        raise ValueError(f"{currency} has no minor unit")
    return int(exponent)


def _amount(text: str) -> Money:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("expected a currency and minor units: GBP 1530")
    exponent_of(match[1])
    return Money(int(match[2]), match[1])


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or at.year not in _YEARS:
        raise ValueError("expected an instant with its offset: 2026-03-02T12:00:00Z")
    return at


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise ValueError("expected a number of units")
    return int(text)


def _word(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _WORD_MAX:
        raise ValueError(f"expected one line of 1 to {_WORD_MAX} printable characters")
    return text


def _text(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if not text.strip() or len(text) > _TEXT_MAX or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        raise ValueError(f"expected text of 1 to {_TEXT_MAX} characters without control characters")
    return text


def _link(text: str) -> str:
    if text and (
        urlsplit(text).scheme not in {"http", "https"} or not text.isprintable() or not text.isascii()
    ):
        raise ValueError("expected an http or https address, or nothing")
    if " " in text:
        raise ValueError("an address has no spaces")
    return text


_READ: Final[Mapping[Kind, Callable[[str], Value]]] = {
    Kind.AMOUNT: _amount,
    Kind.INSTANT: _instant,
    Kind.COUNT: _count,
    Kind.WORD: _word,
    Kind.TEXT: _text,
    Kind.LINK: _link,
}


def read_values(
    template: str, values: Mapping[str, str]
) -> tuple[Mapping[str, Value], tuple[FieldProblem, ...]]:
    """Read what ``template`` needs out of ``values``, and say what is wrong with them.

    More values than are needed are no fault: a newer caller may know more than this version does.
    Problems never quote a value; it may be personal.
    """
    read: dict[str, Value] = {}
    problems: list[FieldProblem] = []
    for name, kind in TEMPLATES[template].items():
        at = f"/message/values/{name}"
        if name not in values:
            problems.append(FieldProblem(at, "required", f"{template} needs a value of kind {kind}"))
            continue
        try:
            read[name] = _READ[kind](values[name])
        except ValueError:
            problems.append(FieldProblem(at, "invalid_value", f"not a value of kind {kind}"))
    if TIME_ZONE in values and not _is_zone(values[TIME_ZONE]):
        problems.append(FieldProblem(f"/message/values/{TIME_ZONE}", "invalid_value", "unknown time zone"))
    return read, tuple(problems)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def zone_of(values: Mapping[str, str], otherwise: ZoneInfo) -> ZoneInfo:
    """Return the zone a message's dates are told in."""
    return ZoneInfo(values[TIME_ZONE]) if TIME_ZONE in values else otherwise
