"""Domain values and protobuf messages, converted by shape: equal field names, one rule per type.

    int, str, bool, bytes       themselves (text without NUL: PostgreSQL cannot hold it)
    Money                       recourse.common.v1.Money
    datetime (aware, UTC)       google.protobuf.Timestamp
    StrEnum ``CHANGED_MIND``    enum value ``<ENUM_NAME>_CHANGED_MIND``; anything else is refused
    X | None                    presence
    tuple[X, ...]               repeated
    Mapping[str, X]             map
    dataclass                   message

Every field of one side must exist on the other, so that a drift fails in the first test.
"""

import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.domain.errors import FieldProblem, InvalidArgument
from services.domain.money import Money

Value = TypeVar("Value")
MessageT = TypeVar("MessageT", bound=Message)
Convert = Callable[[Any], Any]


class ShapeMismatch(Exception):
    """A value and its message have drifted apart: a bug, found at first use."""


def to_wire(value: object, message_type: type[MessageT], ignore: frozenset[str] = frozenset()) -> MessageT:
    """Return ``value`` as a message of ``message_type``; its fields in ``ignore`` stay unset."""
    message = message_type()
    _fill(message, value, ignore)
    return message


def from_wire(message: Message, value_type: type[Value], ignore: frozenset[str] = frozenset()) -> Value:
    """Return the value a message holds; its fields in ``ignore`` are not the value's.

    Raises:
        InvalidArgument: If an enum is unspecified or unknown, or a text holds a NUL character.
    """
    return cast("Value", _read(message, value_type, "", ignore))


@cache
def _shape(
    value_type: Any,
    descriptor: Descriptor,
    ignore: frozenset[str],
) -> tuple[tuple[str, Any, FieldDescriptor], ...]:
    hints = typing.get_type_hints(value_type)
    ours = {field.name for field in fields(value_type)}
    theirs = set(descriptor.fields_by_name) - ignore
    if ours != theirs:
        raise ShapeMismatch(f"{value_type.__name__} and {descriptor.full_name}: {sorted(ours ^ theirs)}")
    return tuple((name, _plain(hints[name]), descriptor.fields_by_name[name]) for name in sorted(ours))


def _plain(hint: Any) -> Any:
    """Strip ``| None`` and NewType."""
    if isinstance(hint, typing.NewType):
        return _plain(hint.__supertype__)
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        (inner,) = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return _plain(inner)
    return hint


def _fill(message: Message, value: object, ignore: frozenset[str] = frozenset()) -> None:
    value_type: Any = type(value)
    for name, hint, field in _shape(value_type, message.DESCRIPTOR, ignore):
        item = getattr(value, name)
        if item is None:
            continue
        origin = typing.get_origin(hint)
        if origin is tuple:
            _fill_repeated(getattr(message, name), item, field)
        elif isinstance(item, Mapping):
            getattr(message, name).update(item)
        elif field.message_type is not None:
            _fill_message(getattr(message, name), item)
        else:
            setattr(message, name, _scalar_to_wire(item, field))


def _fill_repeated(target: Any, items: tuple[Any, ...], field: FieldDescriptor) -> None:
    for item in items:
        if field.message_type is not None:
            _fill_message(target.add(), item)
        else:
            target.append(_scalar_to_wire(item, field))


def _fill_message(message: Message, item: object) -> None:
    if isinstance(item, Money):
        money = cast("Any", message)
        money.minor_units, money.currency_code = item.minor_units, item.currency
    elif isinstance(item, datetime):
        cast("Timestamp", message).FromDatetime(item.astimezone(UTC).replace(tzinfo=None))
    else:
        message.SetInParent()
        _fill(message, item)


def _scalar_to_wire(item: object, field: FieldDescriptor) -> object:
    if isinstance(item, StrEnum) and field.enum_type is not None:
        return field.enum_type.values_by_name[_enum_prefix(field.enum_type) + item.name].number
    return item


@cache
def _enum_prefix(enum: EnumDescriptor) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"


def _read(
    message: Message,
    value_type: Any,
    at: str,
    ignore: frozenset[str] = frozenset(),
) -> object:
    values: dict[str, object] = {}
    for name, hint, field in _shape(value_type, message.DESCRIPTOR, ignore):
        where = f"{at}/{name}"
        if field.has_presence and not message.HasField(name):
            values[name] = None
            continue
        values[name] = _read_field(getattr(message, name), hint, field, where)
    missing = _required_missing(value_type, values)
    if missing:
        raise InvalidArgument(
            "a member is missing",
            problems=tuple(FieldProblem(f"{at}/{name}", "required", "missing") for name in missing),
        )
    return value_type(**values)


def _required_missing(value_type: Any, values: Mapping[str, object]) -> list[str]:
    optional = _optional_fields(value_type)
    return [name for name, value in values.items() if value is None and name not in optional]


@cache
def _optional_fields(value_type: Any) -> frozenset[str]:
    hints = typing.get_type_hints(value_type)
    return frozenset(name for name, hint in hints.items() if type(None) in typing.get_args(hint))


def _read_field(raw: Any, hint: Any, field: FieldDescriptor, where: str) -> object:
    origin = typing.get_origin(hint)
    if origin is tuple:
        inner = _plain(typing.get_args(hint)[0])
        return tuple(_read_item(item, inner, field, f"{where}/{i}") for i, item in enumerate(raw))
    if origin is not None and issubclass(origin, Mapping):
        for key, text in raw.items():
            _check_text(key, where)
            _check_text(text, where)
        return dict(raw)
    return _read_item(raw, hint, field, where)


def _read_item(raw: Any, hint: Any, field: FieldDescriptor, where: str) -> object:
    if hint is Money:
        return Money(raw.minor_units, raw.currency_code)
    if hint is datetime:
        return instant_from_wire(raw, where)
    if is_dataclass(hint):
        return _read(raw, hint, where)
    if field.enum_type is not None:
        return _read_enum(raw, hint, field.enum_type, where)
    return _check_text(raw, where)


def instant_from_wire(stamp: Timestamp, where: str) -> datetime:
    """Return an aware instant.

    Raises:
        InvalidArgument: If it is beyond the years 1 to 9999.
    """
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        problem = FieldProblem(where, "out_of_range", str(stamp.seconds))
        raise InvalidArgument("an instant is out of range", problems=(problem,)) from error


def _read_enum(number: int, hint: type[StrEnum], enum: EnumDescriptor, where: str) -> StrEnum:
    known = enum.values_by_number.get(number)
    name = known.name.removeprefix(_enum_prefix(enum)) if known else ""
    if name not in hint.__members__:
        raise InvalidArgument(
            f"{where} has an unknown value",
            problems=(FieldProblem(where, "unknown_value", str(number)),),
        )
    return hint[name]


def _check_text(raw: object, where: str) -> object:
    if isinstance(raw, str) and "\0" in raw:
        raise InvalidArgument(
            "text holds a NUL character", problems=(FieldProblem(where, "nul_character", "NUL"),)
        )
    return raw
