"""The types of members: strict, bounded, and free of what no text of ours may hold."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

import iso4217
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

from services.domain.money import Money

MOST_UNITS: Final = 1_000_000
MOST_MONEY: Final = 1_000_000_000_000
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2100
_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
# Currencies that can be counted: gold has a code, but no minor unit.
_CURRENCIES: Final = frozenset(c.code for c in iso4217.Currency if c.exponent is not None)

# No control characters: neither PostgreSQL nor a mail's headers want them.
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"


class Incoming(BaseModel):
    """What is taken: a member we do not know is refused, so that a typo is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Outgoing(BaseModel):
    """What is published: members may be added, never changed."""

    model_config = ConfigDict(frozen=True)


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError(
            "malformed", "a time is RFC 3339 with its offset, like 2026-03-02T12:00:00Z"
        )
    try:
        instant = datetime.fromisoformat(value.upper().replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("malformed", "there is no such time") from error
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise PydanticCustomError("out_of_range", "a time lies between the years 2000 and 2100")
    return instant


def _currency(value: str) -> str:
    if value not in _CURRENCIES:
        raise PydanticCustomError("unknown_value", "not a currency of ISO 4217 that has a minor unit")
    return value


Id = Annotated[
    str,
    Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~@+=#-]*$", examples=["536365"]),
]
Sku = Annotated[
    str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x20\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")
]
Code = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[a-z][a-z0-9_-]*$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=_LINE)]
Line = Annotated[str, Field(max_length=200, pattern=_LINE)]
Text = Annotated[str, Field(max_length=4000, pattern=_TEXT)]
Said = Annotated[str, Field(min_length=1, max_length=4000, pattern=_TEXT)]
Units = Annotated[StrictInt, Field(ge=1, le=MOST_UNITS)]
Amount = Annotated[StrictInt, Field(ge=0, le=MOST_MONEY, description="Minor units of the currency.")]
Flag = StrictBool
Instant = Annotated[
    datetime, BeforeValidator(_instant), Field(examples=["2026-03-02T12:00:00Z"], description="RFC 3339.")
]
Currency = Annotated[
    str, Field(min_length=3, max_length=3, pattern=r"^[A-Z]{3}$", examples=["GBP"]), AfterValidator(_currency)
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", min_length=2, max_length=2, examples=["GB"])]
Locale = Annotated[
    str,
    Field(max_length=35, pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$", examples=["en-GB"]),
]
Email = Annotated[str, Field(max_length=320, pattern=r"^([^\x00-\x20\x7f-\x9f@]+@[^\x00-\x20\x7f-\x9f@]+)?$")]


class MoneyDocument(Outgoing):
    """An amount: integer minor units by ISO 4217."""

    amount: int = Field(examples=[1530])
    currency: str = Field(examples=["GBP"])

    @classmethod
    def of(cls, money: Money) -> "MoneyDocument":
        return cls(amount=money.minor_units, currency=money.currency)


class ProblemField(Outgoing):
    """One fault of one member."""

    pointer: str = Field(examples=["/lines/0/quantity"])
    code: str = Field(examples=["out_of_range"])
    detail: str


class ProblemDocument(Outgoing):
    """RFC 9457; ``code`` is stable."""

    type: str = Field(examples=["urn:recourse:problem:quantity_exceeds_remaining"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["quantity_exceeds_remaining"])
    errors: list[ProblemField] | None = None


Item = TypeVar("Item")


class Page(Outgoing, Generic[Item]):
    """Part of a list; ``next_cursor`` asks for the next, and is null on the last."""

    data: list[Item]
    next_cursor: str | None = None


class PageQuery(Incoming):
    """Which part of a list is asked for."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str = Field("", max_length=400, pattern=_LINE)
