"""Cursors: where a page ended, opaque to whoever carries it."""

import base64
import binascii
from datetime import UTC, datetime

from services.domain.errors import InvalidArgument

_XIDS = 2**64


def after_instant(at: datetime, key: str) -> str:
    """Return the cursor of a list that is ordered by an instant and a key."""
    return _written(f"{at.isoformat()} {key}")


def read_instant(cursor: str) -> tuple[datetime, str] | None:
    """Return what ``after_instant`` was given; None for the first page.

    Raises:
        InvalidArgument: If the cursor is not one of ours.
    """
    if not cursor:
        return None
    at, key = _read(cursor)
    if not key:
        raise InvalidArgument("the cursor is not one of ours")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), key
    except (ValueError, OverflowError) as error:
        raise InvalidArgument("the cursor is not one of ours") from error


def after_change(transaction: str, key: str) -> str:
    """Return the position behind a change."""
    return _written(f"{transaction} {key}")


def read_change(position: str) -> tuple[str, str]:
    """Return what ``after_change`` was given; before everything for an empty position.

    Raises:
        InvalidArgument: If the position is not one of ours.
    """
    if not position:
        return "0", ""
    transaction, key = _read(position)
    if not (transaction.isascii() and transaction.isdigit() and int(transaction) < _XIDS):
        raise InvalidArgument("the position is not one of ours")
    return transaction, key


def _written(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read(cursor: str) -> tuple[str, str]:
    try:
        first, space, key = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
    except (ValueError, binascii.Error) as error:
        raise InvalidArgument("the cursor is not one of ours") from error
    if not space or "\0" in key:
        raise InvalidArgument("the cursor is not one of ours")
    return first, key
