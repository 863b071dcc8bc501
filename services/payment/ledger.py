"""What each movement of money posts: double entry, every transaction sums to zero.

The accounts are in `services.domain.accounts`. A capture debits ``provider`` and credits ``captured``.
"""

from dataclasses import dataclass
from typing import Final

from services.domain.accounts import (
    BANK,
    CAPTURED,
    DISPUTE_FROZEN,
    DISPUTE_LOSSES,
    PROVIDER,
    PROVIDER_FEES,
    REFUND_PAYABLE,
)
from services.domain.case import RefundStatus, RefundTo
from services.domain.dispute import Stake


@dataclass(frozen=True, slots=True)
class Posting:
    """One transaction of a refund's amount: ``step`` and the refund make its id, so it is posted once."""

    step: str
    debit: str
    credit: str


RESERVE: Final = Posting("reserve", CAPTURED, REFUND_PAYABLE)
RELEASE: Final = Posting("release", REFUND_PAYABLE, CAPTURED)


def settlement(before: RefundStatus, after: RefundStatus, destination: RefundTo) -> Posting | None:
    """Return what a change of status posts; None when no money and no promise changes."""
    paid_from = BANK if destination is RefundTo.BANK_TRANSFER else PROVIDER
    dead = {RefundStatus.FAILED, RefundStatus.CANCELED}
    if after is RefundStatus.SUCCEEDED and before is not RefundStatus.SUCCEEDED:
        return Posting("succeed", REFUND_PAYABLE, paid_from)
    if after in dead and before is RefundStatus.SUCCEEDED:
        return Posting("return", paid_from, CAPTURED)
    if after in dead and before not in dead:
        return RELEASE
    return None


def dispute_entries(before: Stake, after: Stake) -> dict[str, int]:
    """Return what a dispute's move posts, by account: it adds up to zero, and is empty when nothing moved."""
    moved = {
        DISPUTE_FROZEN: after.frozen - before.frozen,
        DISPUTE_LOSSES: after.lost - before.lost,
        PROVIDER_FEES: after.fee - before.fee,
    }
    entries = {account: units for account, units in moved.items() if units}
    taken = sum(entries.values())
    return {**entries, PROVIDER: -taken} if taken else entries
