"""The phases of a return, where each may lead, and what its customer may do in them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.domain.errors import Conflict


class ReturnPhase(StrEnum):
    """A closed return's phase is its outcome."""

    VERIFYING = "verifying"
    MERCHANT_REVIEW = "merchant_review"
    REFUSED = "refused"
    AWAITING_PARCEL = "awaiting_parcel"
    IN_TRANSIT = "in_transit"
    AWAITING_RECEIPT = "awaiting_receipt"
    INSPECTING = "inspecting"
    REFUNDING = "refunding"
    INSPECTION_REJECTED = "inspection_rejected"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    DENIED = "denied"


P = ReturnPhase

OUTCOMES: Final = frozenset({P.REFUNDED, P.PARTIALLY_REFUNDED, P.REJECTED, P.WITHDRAWN, P.EXPIRED, P.DENIED})
_GOODS_UNDERWAY: Final = frozenset({P.AWAITING_PARCEL, P.IN_TRANSIT, P.AWAITING_RECEIPT, P.INSPECTING})
_SETTLED: Final = frozenset({P.REFUNDED, P.PARTIALLY_REFUNDED, P.REJECTED})
# Scan, receipt and judgement may be heard of at one instant, and a timer may take the goods as received.
_FROM_UNDERWAY: Final = (
    _GOODS_UNDERWAY | _SETTLED | {P.REFUNDING, P.INSPECTION_REJECTED, P.WITHDRAWN, P.EXPIRED}
)

TRANSITIONS: Final[Mapping[ReturnPhase, frozenset[ReturnPhase]]] = MappingProxyType(
    {
        P.VERIFYING: frozenset({P.MERCHANT_REVIEW, P.REFUSED, P.AWAITING_PARCEL, P.WITHDRAWN}),
        P.MERCHANT_REVIEW: frozenset({P.AWAITING_PARCEL, P.REFUSED, P.WITHDRAWN, P.DENIED}),
        P.REFUSED: frozenset({P.MERCHANT_REVIEW, P.WITHDRAWN, P.DENIED}),
        P.AWAITING_PARCEL: _FROM_UNDERWAY,
        P.IN_TRANSIT: _FROM_UNDERWAY,
        P.AWAITING_RECEIPT: _FROM_UNDERWAY,
        # Late goods whose units another case has taken leave the outcome as it was.
        P.INSPECTING: frozenset({P.REFUNDING, P.INSPECTION_REJECTED, P.AWAITING_PARCEL}) | OUTCOMES,
        P.REFUNDING: frozenset({P.INSPECTION_REJECTED, P.AWAITING_PARCEL, P.INSPECTING}) | _SETTLED,
        P.INSPECTION_REJECTED: frozenset({P.REFUNDING, P.AWAITING_PARCEL, P.INSPECTING}) | _SETTLED,
        # Late goods and late failures of the money reopen what was closed.
        P.REFUNDED: frozenset({P.INSPECTING, P.REFUNDING}),
        P.PARTIALLY_REFUNDED: frozenset({P.INSPECTING, P.REFUNDING}),
        P.REJECTED: frozenset({P.INSPECTING}),
        P.EXPIRED: frozenset({P.INSPECTING}),
        P.WITHDRAWN: frozenset({P.INSPECTING}),
        P.DENIED: frozenset({P.INSPECTING}),
    }
)

# Which phases take which command; what is not listed here is taken while the case runs.
TAKEN_IN: Final[Mapping[str, frozenset[ReturnPhase]]] = MappingProxyType(
    {
        "register_parcel": frozenset({P.AWAITING_PARCEL, P.IN_TRANSIT}),
        "withdraw": frozenset(
            {
                P.VERIFYING,
                P.MERCHANT_REVIEW,
                P.REFUSED,
                P.AWAITING_PARCEL,
                P.IN_TRANSIT,
                P.AWAITING_RECEIPT,
            }
        ),
        "escalate": frozenset({P.REFUSED, P.INSPECTION_REJECTED, P.INSPECTING, P.REFUNDING}),
        "choose": frozenset({P.INSPECTION_REJECTED, P.INSPECTING, P.REFUNDING}),
        "confirm": _SETTLED,
    }
)


class IllegalTransition(Conflict):
    reason = "ILLEGAL_TRANSITION"


def advance(current: ReturnPhase, target: ReturnPhase) -> ReturnPhase:
    """Return ``target`` if a return may go there from ``current``; staying is always allowed.

    Raises:
        IllegalTransition: If the table has no such step.
    """
    if target is not current and target not in TRANSITIONS[current]:
        raise IllegalTransition(f"a return cannot go from {current} to {target}")
    return target
