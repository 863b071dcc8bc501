"""Strategies for whatever values the wire can hold, made from their types."""

import types
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from hypothesis import strategies as st

from services.domain.money import Money

# Text that PostgreSQL and protobuf can both hold, and numbers that every integer field can.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
NUMBERS = st.integers(-(2**31), 2**31 - 1)
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: NUMBERS,
    bool: st.booleans(),
    datetime: INSTANTS,
    Money: st.builds(Money, NUMBERS, st.sampled_from(["GBP", "JPY", "KWD"])),
}


@cache
def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a type hint of the domain."""
    hint = getattr(hint, "__supertype__", hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of(*(st.none() if one is type(None) else values_of(one) for one in arguments))
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=2)
    if is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{name: values_of(member) for name, member in hints.items()})
    assert issubclass(hint, StrEnum), hint
    return st.sampled_from(hint)
