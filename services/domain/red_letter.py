"""Red letters (红字): how an invoice issued through the Chinese tax office is taken back.

A blue invoice that its buyer has neither used nor booked is taken back by a form alone; otherwise the other
side confirms the form first, in time. Confirmed is not yet issued: the red number must exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.domain.errors import RedLetterNotConfirmed
from services.domain.invoice import DocumentCause


class RedReason(StrEnum):
    """The four that the form knows."""

    INVOICE_ERROR = "invoice_error"
    GOODS_RETURNED = "goods_returned"
    SERVICE_STOPPED = "service_stopped"
    ALLOWANCE = "allowance"


class Confirmation(StrEnum):
    NOT_NEEDED = "not_needed"
    ENTERED_BY_SELLER = "entered_by_seller"
    ENTERED_BY_BUYER = "entered_by_buyer"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    VOID = "void"
    WITHDRAWN = "withdrawn"


WAITING: Final = frozenset({Confirmation.ENTERED_BY_SELLER, Confirmation.ENTERED_BY_BUYER})
ISSUABLE: Final = frozenset({Confirmation.NOT_NEEDED, Confirmation.CONFIRMED})
_ANSWERS: Final = frozenset(
    {Confirmation.CONFIRMED, Confirmation.REFUSED, Confirmation.VOID, Confirmation.WITHDRAWN}
)
TRANSITIONS: Final[Mapping[Confirmation, frozenset[Confirmation]]] = MappingProxyType(
    {state: _ANSWERS if state in WAITING else frozenset() for state in Confirmation}
)


@dataclass(frozen=True, slots=True)
class RedForm:
    """A form, by its ``serial``; ``amount`` in minor units is what of the blue invoice it takes back."""

    serial: str
    blue_number: str
    amount: int
    reason: RedReason
    confirmation: Confirmation
    entered_at: datetime
    red_number: str | None = None

    def at(self, now: datetime, valid_for: timedelta) -> Confirmation:
        """Return how the form stands at ``now``: one that waited for ``valid_for`` is void.

        The tax office gives 72 hours (2024-12, announcement on fully digital invoices).
        """
        if self.confirmation in WAITING and now >= self.entered_at + valid_for:
            return Confirmation.VOID
        return self.confirmation


def advance(current: Confirmation, target: Confirmation) -> Confirmation:
    """Return ``target`` if a form may go there from ``current``; staying is always allowed.

    Raises:
        RedLetterNotConfirmed: If the form has its answer already.
    """
    if target is not current and target not in TRANSITIONS[current]:
        raise RedLetterNotConfirmed(f"a form cannot go from {current} to {target}")
    return target


def reason_for(cause: DocumentCause, *, has_goods_back: bool) -> RedReason:
    """Return what the form says of a credit's cause; money back without goods is an allowance."""
    if cause is DocumentCause.REISSUE:
        return RedReason.INVOICE_ERROR
    return RedReason.GOODS_RETURNED if has_goods_back else RedReason.ALLOWANCE
