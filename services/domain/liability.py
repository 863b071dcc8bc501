"""Who answers for what: the reason decides who pays the freight and which evidence is asked.

Member level, points and shopping habits are deliberately not asked here (S005, S010, S054).
"""

from typing import Final

from services.domain.case import Reason
from services.domain.decision import FreightPayer
from services.domain.policy import Policy

# A slight defect is a defect (S064): there is no grade of fault here.
MERCHANT_FAULT: Final = frozenset(
    {
        Reason.DEFECTIVE,
        Reason.NOT_AS_DESCRIBED,
        Reason.WRONG_ITEM,
        Reason.DAMAGED_IN_TRANSIT,
        Reason.MISSING_PARTS,
        Reason.COUNTERFEIT,
    }
)
NOT_DELIVERED: Final = frozenset({Reason.MISSING_ITEM, Reason.NOT_RECEIVED})


def is_merchants(reason: Reason) -> bool:
    """Tell whether the shop answers for ``reason``, as the customer stated it."""
    return reason in MERCHANT_FAULT or reason in NOT_DELIVERED


def freight_payer(reasons: list[Reason], policy: Policy) -> FreightPayer:
    """Return who pays the way back: the shop as soon as it answers for one of the reasons."""
    late = Reason.ARRIVED_LATE in reasons and policy.arrived_late_freight is FreightPayer.MERCHANT
    if late or any(is_merchants(reason) for reason in reasons):
        return FreightPayer.MERCHANT
    return FreightPayer.CUSTOMER


def evidence_for(reasons: list[Reason], policy: Policy) -> tuple[str, ...]:
    """Return the kinds of evidence asked for; they may follow the parcel and never delay approval."""
    asked = MERCHANT_FAULT | set(policy.evidence_for)
    return ("photo_or_video",) if any(reason in asked for reason in reasons) else ()
