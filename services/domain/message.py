"""Messages to customers: one template, one fact, at most once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.domain.ids import CaseId, OrderId, StoreId

# RFC 5321, 4.5.3.1; the whole address by RFC 3696, erratum 1690.
_LOCAL_MAX: Final = 64
_ADDRESS_MAX: Final = 254
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_DOMAIN: Final = re.compile(
    r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*"
)


class MessageStatus(StrEnum):
    """``UNCONFIRMED``: handed to the mail server, whose answer never came; it is not sent again."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Message:
    """``message_id`` is derived from case and fact.

    ``values``: amounts as ``GBP 1530`` (minor units), instants as RFC 3339, else plain words; the template
    formats them for ``locale``. A value ``time_zone`` (IANA) is the zone its dates are told in. ``stated_at``
    is the case's time; the mail itself is dated by the wall, when it was taken for delivery.
    """

    message_id: str
    store_id: StoreId
    case_id: CaseId
    order_id: OrderId
    template: str
    recipient: str
    locale: str
    stated_at: datetime
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """``failure`` is why the last try did not succeed: the mail server's codes, never its words."""

    message: Message
    status: MessageStatus
    attempts: int
    sent_at: datetime | None = None
    failure: str | None = None


def mail_address(text: str) -> str:
    """Return the address as mail servers take it: ASCII, an international domain as Punycode.

    Raises:
        ValueError: If it is not one plain address (no name, no comment, no quotes).
    """
    local, at, domain = text.rpartition("@")
    if not at or len(local) > _LOCAL_MAX or not _LOCAL.fullmatch(local):
        raise ValueError("not an e-mail address")
    ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    address = f"{local}@{ascii_domain}"
    if len(address) > _ADDRESS_MAX or not _DOMAIN.fullmatch(ascii_domain):
        raise ValueError("not an e-mail address")
    return address
