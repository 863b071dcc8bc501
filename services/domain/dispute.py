"""Disputes: a cardholder takes a payment back through the bank, and what that does to the money.

A provider tells of a dispute again and again, in any order. All it told is kept, and where the dispute stands
is worked out from that: the same, whatever came first. An inquiry or an early warning freezes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class DisputeStatus(StrEnum):
    """In the order of a dispute's life; ``appeal_…`` is its second stage (pre-arbitration)."""

    EARLY_WARNING = "early_warning"
    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    PREVENTED = "prevented"
    WON = "won"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"
    LOST = "lost"


_S = DisputeStatus
_CHARGEBACK: Final = frozenset({_S.NEEDS_RESPONSE, _S.UNDER_REVIEW})
_APPEAL: Final = frozenset({_S.APPEAL_NEEDS_RESPONSE, _S.APPEAL_UNDER_REVIEW})
_RULED: Final = frozenset({_S.WON, _S.LOST, _S.PREVENTED})
# What may be told next. Steps in between may never be told, so each status reaches all that lies beyond it;
# a ruling may be turned over (won after lost, lost after prevented), an inquiry that was closed may escalate.
TRANSITIONS: Final[Mapping[DisputeStatus, frozenset[DisputeStatus]]] = MappingProxyType(
    {
        _S.EARLY_WARNING: frozenset(
            {_S.WARNING_NEEDS_RESPONSE, _S.WARNING_UNDER_REVIEW, _S.WARNING_CLOSED, *_CHARGEBACK, *_RULED}
        ),
        _S.WARNING_NEEDS_RESPONSE: frozenset(
            {_S.WARNING_UNDER_REVIEW, _S.WARNING_CLOSED, *_CHARGEBACK, *_APPEAL, *_RULED}
        ),
        _S.WARNING_UNDER_REVIEW: frozenset(
            {_S.WARNING_NEEDS_RESPONSE, _S.WARNING_CLOSED, *_CHARGEBACK, *_APPEAL, *_RULED}
        ),
        _S.WARNING_CLOSED: frozenset({*_CHARGEBACK, *_APPEAL, *_RULED}),
        _S.NEEDS_RESPONSE: frozenset({_S.UNDER_REVIEW, *_APPEAL, *_RULED}),
        _S.UNDER_REVIEW: frozenset({_S.NEEDS_RESPONSE, *_APPEAL, *_RULED}),
        _S.PREVENTED: frozenset({*_CHARGEBACK, *_APPEAL, _S.WON, _S.LOST}),
        _S.WON: frozenset({*_APPEAL, _S.LOST}),
        _S.APPEAL_NEEDS_RESPONSE: frozenset({_S.APPEAL_UNDER_REVIEW, _S.WON, _S.LOST}),
        _S.APPEAL_UNDER_REVIEW: frozenset({_S.APPEAL_NEEDS_RESPONSE, _S.WON, _S.LOST}),
        _S.LOST: frozenset({*_APPEAL, _S.WON}),
    }
)
# The bank holds the money while these last.
FREEZING: Final = _CHARGEBACK | _APPEAL
# These ask nothing of anybody: the bank is looking, or it is over without harm.
QUIET: Final = frozenset(
    {_S.WARNING_UNDER_REVIEW, _S.WARNING_CLOSED, _S.UNDER_REVIEW, _S.WON, _S.APPEAL_UNDER_REVIEW}
)
_RANK: Final = {status: rank for rank, status in enumerate(DisputeStatus)}


@dataclass(frozen=True, slots=True)
class Telling:
    """What a provider said of a dispute once; ``telling_id`` is its event's.

    Amounts are minor units of the payment's currency: ``amount`` what is disputed, ``withdrawn`` what the
    provider has taken for it (and not given back), ``fee`` what it charges. ``movements`` counts the times
    that it moved money for this dispute.
    """

    telling_id: str
    status: DisputeStatus
    told_at: datetime
    amount: int
    withdrawn: int = 0
    fee: int = 0
    movements: int = 0
    reason: str = ""
    due_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stake:
    """What a dispute has done to our money, in minor units: held by the bank, gone for good, charged."""

    frozen: int = 0
    lost: int = 0
    fee: int = 0


def standing(tellings: Iterable[Telling]) -> Telling:
    """Return the telling that holds, of one or more about one dispute, in whatever order they came.

    Providers date to the second: within one, the later in a dispute's life holds, then whichever knows of
    more movements. What cannot follow what was told before it is passed over.
    """
    in_order = sorted(
        tellings, key=lambda one: (one.told_at, _RANK[one.status], one.movements, one.telling_id)
    )
    held = in_order[0]
    for one in in_order[1:]:
        if one.status is held.status or one.status in TRANSITIONS[held.status]:
            held = one
    return held


def stake(held: Telling) -> Stake:
    """Return what the money has come to where a dispute stands."""
    if held.status in FREEZING:
        return Stake(frozen=held.amount, fee=held.fee)
    if held.status is DisputeStatus.LOST:
        return Stake(lost=held.amount, fee=held.fee)
    if held.status is DisputeStatus.PREVENTED:
        # The networks' own prevention pays the cardholder out of our balance; a refund by us does not.
        return Stake(lost=held.withdrawn, fee=held.fee)
    return Stake(fee=held.fee)
