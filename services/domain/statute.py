"""The law's floors: what a policy grants at least in each country where it holds.

Each floor names its source and what it demands. A policy is held to the law of its market and of every
country it names; a fallback is not held to others' laws, and so never applies where it falls short of them.
Where no law is on record, nothing is demanded. Law as of 2026; not legal advice.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.domain.errors import FieldProblem, PolicyBelowStatute
from services.domain.policy import Policy, RefundCapStart

MEMBER_STATES: Final = (
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
)


@dataclass(frozen=True, slots=True)
class Floor:
    """One demand of a law: the member it is about, what it has to be, and where that is written."""

    pointer: str
    demand: str
    source: str
    is_met_by: Callable[[Policy], bool]


def _at_least(pointer: str, least: int, source: str) -> Floor:
    return Floor(pointer, f"at least {least}", source, lambda policy: _member(policy, pointer) >= least)


def _at_most(pointer: str, most: int, source: str) -> Floor:
    return Floor(pointer, f"at most {most}", source, lambda policy: _member(policy, pointer) <= most)


def _is(pointer: str, wanted: bool, source: str) -> Floor:  # noqa: FBT001 — the value the law demands
    return Floor(pointer, str(wanted).lower(), source, lambda policy: _member(policy, pointer) == wanted)


def _counts_from(starts: tuple[RefundCapStart, ...], source: str) -> Floor:
    return Floor(
        "/timers/refund_cap_from",
        f"from {' or '.join(starts)}",
        source,
        lambda policy: policy.timers.refund_cap_from in starts,
    )


def _member(policy: Policy, pointer: str) -> int:
    """Return the number (or yes or no) that a pointer names."""
    value: object = policy
    for step in pointer.removeprefix("/").split("/"):
        value = getattr(value, step)
    if not isinstance(value, int):
        raise TypeError(f"{pointer} is no number")
    return value


_UK: Final = (
    _at_least("/windows/no_fault_days", 14, "CCR 2013 reg. 30"),
    _at_least("/windows/defect_days", 30, "Consumer Rights Act 2015 s. 22"),
    _at_least("/timers/send_parcel_days", 14, "CCR 2013 reg. 35(5)"),
    _at_most("/timers/refund_cap_days", 14, "CCR 2013 reg. 34(4)–(5), Consumer Rights Act 2015 s. 20(15)"),
    _counts_from((RefundCapStart.RECEIPT_OR_PROOF, RefundCapStart.NOTICE), "CCR 2013 reg. 34(5)"),
    _at_most("/fees/restocking_percent", 0, "CCR 2013 reg. 34(1), (9)"),
    _is("/outbound_shipping_back_when_whole_order", wanted=True, source="CCR 2013 reg. 34(2)–(3)"),
    _is("/in_kind/points_used_back", wanted=True, source="CCR 2013 reg. 34(1), (7)"),
    _is("/final_sale_honoured", wanted=False, source="CCR 2013 regs. 28–29"),
)
_UNION: Final = (
    _at_least("/windows/no_fault_days", 14, "Directive 2011/83/EU art. 9(1)"),
    _at_least("/windows/defect_days", 730, "Directive (EU) 2019/771 art. 10(1)"),
    _at_least("/timers/send_parcel_days", 14, "Directive 2011/83/EU art. 14(1)"),
    _at_most("/timers/refund_cap_days", 14, "Directive 2011/83/EU art. 13(1)"),
    _counts_from((RefundCapStart.NOTICE,), "Directive 2011/83/EU art. 13(1), (3)"),
    _at_most("/fees/restocking_percent", 0, "Directive 2011/83/EU arts. 13(1), 14(2)"),
    _is(
        "/outbound_shipping_back_when_whole_order", wanted=True, source="Directive 2011/83/EU art. 13(1)–(2)"
    ),
    _is("/in_kind/points_used_back", wanted=True, source="Directive 2011/83/EU art. 13(1)"),
    _is("/final_sale_honoured", wanted=False, source="Directive 2011/83/EU art. 16"),
)
_CHINA: Final = (
    _at_least("/windows/no_fault_days", 7, "消费者权益保护法 art. 25"),
    _at_least("/windows/defect_days", 15, "部分商品修理更换退货责任规定 arts. 9–10"),
    _at_most("/timers/refund_cap_days", 7, "消费者权益保护法 art. 25"),
    _at_most("/fees/restocking_percent", 0, "消费者权益保护法 art. 25"),
)
# By market and by country; what is missing here has no law on record.
STATUTES: Final[Mapping[str, tuple[Floor, ...]]] = MappingProxyType(
    {"UK": _UK, "GB": _UK, "CN": _CHINA, "EU": _UNION, **dict.fromkeys(MEMBER_STATES, _UNION)}
)


def check_statute(policy: Policy) -> None:
    """Refuse a policy that grants less than the law of its market, or of a country that it names.

    Raises:
        PolicyBelowStatute: With a problem per demand that is not met.
    """
    problems = tuple(
        FieldProblem(floor.pointer, "below_statute", f"{floor.demand} ({floor.source})")
        for floor in shortfalls(policy, (policy.market, *policy.countries))
    )
    if problems:
        raise PolicyBelowStatute(f"{policy.policy_id} grants less than the law", problems=problems)


def shortfalls(policy: Policy, places: Iterable[str]) -> list[Floor]:
    """Return the demands of these places' laws that ``policy`` does not meet, each once."""
    laws = dict.fromkeys(STATUTES[place] for place in places if place in STATUTES)
    return [floor for law in laws for floor in law if not floor.is_met_by(policy)]
