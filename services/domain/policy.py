"""A policy: a versioned document of what a shop grants, never less than the law of its market.

Periods are whole days or hours, as the document states them; every deadline of a case comes from here,
so that a later policy never moves a running case. ``check_policy`` refuses values that make no sense,
`services.domain.statute` what undercuts the law of a country where the policy holds.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.domain.case import Reason
from services.domain.decision import FreightPayer
from services.domain.errors import FieldProblem, InvalidArgument
from services.domain.logistics import Grade

_COUNTRY: Final = re.compile("[A-Z]{2}")
_POLICY_ID: Final = re.compile("[a-z0-9][a-z0-9-]{0,99}")
_LONGEST_PERIOD: Final = 3660
_DAYS_OF_WEEK: Final = frozenset(range(1, 8))


class RefundCapStart(StrEnum):
    """What the legal cap on refunding counts from."""

    RECEIPT = "receipt"
    NOTICE = "notice"
    RECEIPT_OR_PROOF = "receipt_or_proof"


class OutsideWindow(StrEnum):
    """What happens to a request after its window: the shop denies, or looks at it as goodwill."""

    DENY = "deny"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Windows:
    """Days after delivery in which a right stands; ``defect_days`` may be far more than ``no_fault_days``."""

    no_fault_days: int
    defect_days: int
    not_delivered_assumed_days: int = 30


@dataclass(frozen=True, slots=True)
class ReturnTimers:
    merchant_answer_hours: int = 48
    discretion_answer_days: int = 5
    send_parcel_days: int = 14
    parcel_reminder_days_before: int = 3
    stalled_scan_days: int = 3
    lost_parcel_days: int = 10
    deemed_received_days: int = 10
    inspection_hours: int = 48
    refund_cap_days: int = 14
    refund_cap_from: RefundCapStart = RefundCapStart.RECEIPT_OR_PROOF
    escalation_days: int = 7
    customer_answer_hours: int = 48
    choose_option_days: int = 7
    provider_pending_days: int = 7
    satisfaction_days: int = 3
    satisfaction_answer_days: int = 7
    late_parcel_days: int = 30
    pause_days: int = 30


@dataclass(frozen=True, slots=True)
class ReturnFees:
    """What is kept back of no-fault returns, and the price of gifts that are kept, whoever is at fault.

    ``restocking_percent`` is of the goods; ``return_freight`` (minor units) is deducted when we print the
    label; ``lost_value_percent`` is what goods of a grade have lost by more than trying them out;
    ``kept_gifts``: free gifts that stay when all the rest has come back are deducted at their price.
    """

    restocking_percent: int = 0
    return_freight: int = 0
    lost_value_percent: Mapping[Grade, int] = field(default_factory=dict)
    kept_gifts: bool = True


@dataclass(frozen=True, slots=True)
class InKind:
    """What goes back beside the money, in its own unit; a coupon cannot be divided."""

    points_used_back: bool = True
    points_earned_clawed_back: bool = True
    coupons_back_when_whole_order: bool = True


@dataclass(frozen=True, slots=True)
class Calendar:
    """The shop's days off: ``weekend`` are ISO weekdays (6 = Saturday), ``zone`` an IANA name."""

    zone: str = "UTC"
    weekend: tuple[int, ...] = (6, 7)
    holidays: tuple[date, ...] = ()
    rolls_to_working_day: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of a policy.

    ``market`` is a name; ``countries`` (ISO 3166-1 alpha-2) are where it holds, and a fallback holds also
    where no other policy does. Orders placed from ``valid_from`` on, a day of the calendar's zone, are sold
    under it; without one it has always held. ``express_shipping_back``: also what the customer paid beyond
    standard delivery, whoever is at fault; it always comes back when the shop is.
    """

    policy_id: str
    version: int
    market: str
    source: str
    windows: Windows
    timers: ReturnTimers = field(default_factory=ReturnTimers)
    fees: ReturnFees = field(default_factory=ReturnFees)
    calendar: Calendar = field(default_factory=Calendar)
    outside_window: OutsideWindow = OutsideWindow.DENY
    final_sale_honoured: bool = True
    evidence_for: tuple[Reason, ...] = ()
    review_reasons: tuple[Reason, ...] = (Reason.OTHER,)
    arrived_late_freight: FreightPayer = FreightPayer.MERCHANT
    outbound_shipping_back_when_whole_order: bool = True
    express_shipping_back: bool = False
    prepaid_labels: bool = True
    tender_order: tuple[str, ...] = ()
    return_address_id: str = "default"
    countries: tuple[str, ...] = ()
    is_fallback: bool = False
    valid_from: date | None = None
    in_kind: InKind = field(default_factory=InKind)


def check_policy(policy: Policy) -> None:
    """Refuse a policy whose values make no sense, whatever the law says.

    Raises:
        InvalidArgument: With a problem per fault.
    """
    problems = (
        *_faults_of_names(policy),
        *_faults_of_periods(policy),
        *_faults_of_fees(policy.fees),
        *_faults_of_calendar(policy.calendar),
    )
    if problems:
        raise InvalidArgument("the policy makes no sense", problems=problems)


def _faults_of_names(policy: Policy) -> Iterator[FieldProblem]:
    if not _POLICY_ID.fullmatch(policy.policy_id):
        yield FieldProblem("/policy_id", "pattern", "lower-case letters, digits and dashes")
    if policy.version < 1:
        yield FieldProblem("/version", "too_small", "counts from 1")
    for name in ("market", "source", "return_address_id"):
        if not getattr(policy, name).strip():
            yield FieldProblem(f"/{name}", "required", "empty")
    if not policy.countries and not policy.is_fallback:
        yield FieldProblem("/countries", "required", "names no country")
    for index, country in enumerate(policy.countries):
        if not _COUNTRY.fullmatch(country):
            yield FieldProblem(f"/countries/{index}", "pattern", "ISO 3166-1 alpha-2")


def _faults_of_periods(policy: Policy) -> Iterator[FieldProblem]:
    for part in ("windows", "timers"):
        periods = getattr(policy, part)
        for member in fields(periods):
            count = getattr(periods, member.name)
            least = 0 if part == "windows" or member.name == "parcel_reminder_days_before" else 1
            if isinstance(count, int) and not least <= count <= _LONGEST_PERIOD:
                yield FieldProblem(f"/{part}/{member.name}", "out_of_range", f"{least} to {_LONGEST_PERIOD}")
    if policy.timers.parcel_reminder_days_before >= policy.timers.send_parcel_days:
        yield FieldProblem(
            "/timers/parcel_reminder_days_before", "too_large", "before the parcel is asked for"
        )


def _faults_of_fees(fees: ReturnFees) -> Iterator[FieldProblem]:
    if not 0 <= fees.restocking_percent <= 100:  # noqa: PLR2004 — a share of the whole
        yield FieldProblem("/fees/restocking_percent", "out_of_range", "0 to 100")
    if fees.return_freight < 0:
        yield FieldProblem("/fees/return_freight", "too_small", "not negative")
    for grade, percent in fees.lost_value_percent.items():
        most = 0 if grade is Grade.A else 100
        if not 0 <= percent <= most:
            yield FieldProblem(f"/fees/lost_value_percent/{grade}", "out_of_range", f"0 to {most}")


def _faults_of_calendar(calendar: Calendar) -> Iterator[FieldProblem]:
    try:
        ZoneInfo(calendar.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield FieldProblem("/calendar/zone", "unknown_value", "an IANA time zone")
    weekend = set(calendar.weekend)
    if not weekend < _DAYS_OF_WEEK:
        yield FieldProblem("/calendar/weekend", "out_of_range", "ISO weekdays 1 to 7, not all of them")
