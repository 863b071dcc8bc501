"""Domain values as JSON documents, and the fingerprint that tells two request bodies apart."""

import hashlib
import re
from functools import cache
from typing import Any, Final, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from services.domain.errors import FieldProblem, InvalidArgument

Value = TypeVar("Value")

# An escaped NUL, not an escaped backslash before "u0000".
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@cache
def _adapter(value_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(value_type)


def to_json(value: object) -> str:
    """Return ``value`` (a dataclass) as JSON."""
    value_type: Any = type(value)
    return _adapter(value_type).dump_json(value).decode()


def from_json(document: str | bytes, value_type: type[Value]) -> Value:
    """Return the value a document holds.

    Raises:
        pydantic.ValidationError: If the document has not the type's shape.
    """
    shape: Any = value_type
    return cast("Value", _adapter(shape).validate_json(document))


def parse(document: str, value_type: type[Value], *, refuses_unknown: bool = False) -> Value:
    """Return the value that somebody else's document holds.

    Raises:
        InvalidArgument: If it has not the type's shape, with a problem per fault; an unknown member is one
            if it ``refuses_unknown``. So is text with a NUL character, which PostgreSQL cannot hold.
    """
    if _NUL.search(document):
        raise InvalidArgument("text holds a NUL character")
    shape: Any = value_type
    try:
        value = _adapter(shape).validate_json(document, extra="forbid" if refuses_unknown else None)
    except ValidationError as error:
        problems = tuple(
            FieldProblem("".join(f"/{step}" for step in fault["loc"]), fault["type"], fault["msg"])
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise InvalidArgument(f"not a document of a {value_type.__name__}", problems=problems) from error
    return cast("Value", value)


def fingerprint(value: object) -> bytes:
    """Return a digest that is equal exactly for equal values of the same type."""
    return hashlib.sha256(f"{type(value).__name__}:{to_json(value)}".encode()).digest()
