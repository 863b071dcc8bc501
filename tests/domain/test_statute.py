"""The law's floors: a policy may give more than the law, never less."""

from dataclasses import replace

import pytest

from services.domain.errors import InvalidArgument, PolicyBelowStatute
from services.domain.logistics import Grade
from services.domain.policy import (
    Calendar,
    Policy,
    RefundCapStart,
    ReturnFees,
    ReturnTimers,
    Windows,
    check_policy,
)
from services.domain.statute import MEMBER_STATES, STATUTES, check_statute, shortfalls
from tests.builders import a_policy

# What each market's law gives, and nothing more.
BARELY = {
    "UK": (
        ("GB",),
        Windows(14, 30),
        ReturnTimers(
            send_parcel_days=14, refund_cap_days=14, refund_cap_from=RefundCapStart.RECEIPT_OR_PROOF
        ),
    ),
    "EU": (
        ("DE",),
        Windows(14, 730),
        ReturnTimers(send_parcel_days=14, refund_cap_days=14, refund_cap_from=RefundCapStart.NOTICE),
    ),
    "CN": (
        ("CN",),
        Windows(7, 15),
        ReturnTimers(send_parcel_days=7, refund_cap_days=7, refund_cap_from=RefundCapStart.RECEIPT),
    ),
    "US": (("US",), Windows(0, 0), ReturnTimers(send_parcel_days=4, refund_cap_days=60)),
}


def lawful(market: str, **changes: object) -> Policy:
    """A policy that gives what the law of its market demands, to the day."""
    countries, windows, timers = BARELY[market]
    policy = a_policy(
        market=market,
        countries=countries,
        windows=windows,
        timers=timers,
        final_sale_honoured=market in {"US", "CN"},
    )
    return replace(policy, **changes)  # type: ignore[arg-type]


def changed(policy: Policy, pointer: str, value: object) -> Policy:
    """The same with another value at ``pointer``."""
    name, _, rest = pointer.removeprefix("/").partition("/")
    return replace(policy, **{name: changed(getattr(policy, name), rest, value) if rest else value})


@pytest.mark.parametrize("market", BARELY)
def test_what_the_law_demands_is_enough(market):
    """To the day; and the policy makes sense."""
    check_policy(lawful(market))
    check_statute(lawful(market))


@pytest.mark.rule("S157")
@pytest.mark.parametrize(
    ("market", "pointer", "value", "source"),
    [
        ("UK", "/windows/no_fault_days", 13, "CCR 2013 reg. 30"),
        ("UK", "/windows/defect_days", 29, "Consumer Rights Act 2015 s. 22"),
        ("UK", "/timers/send_parcel_days", 7, "CCR 2013 reg. 35"),
        ("UK", "/timers/refund_cap_days", 15, "CCR 2013 reg. 34"),
        ("UK", "/timers/refund_cap_from", RefundCapStart.RECEIPT, "CCR 2013 reg. 34"),
        ("UK", "/fees/restocking_percent", 1, "CCR 2013 reg. 34"),
        ("UK", "/outbound_shipping_back_when_whole_order", False, "CCR 2013 reg. 34"),
        ("UK", "/in_kind/points_used_back", False, "CCR 2013 reg. 34"),
        ("UK", "/final_sale_honoured", True, "CCR 2013 reg"),
        ("EU", "/windows/no_fault_days", 13, "2011/83/EU art. 9"),
        ("EU", "/windows/defect_days", 729, "2019/771"),
        ("EU", "/timers/send_parcel_days", 13, "2011/83/EU art. 14"),
        ("EU", "/timers/refund_cap_days", 15, "2011/83/EU art. 13"),
        ("EU", "/timers/refund_cap_from", RefundCapStart.RECEIPT, "2011/83/EU art. 13"),
        ("EU", "/fees/restocking_percent", 1, "2011/83/EU art"),
        ("EU", "/outbound_shipping_back_when_whole_order", False, "2011/83/EU art. 13"),
        ("EU", "/in_kind/points_used_back", False, "2011/83/EU art. 13"),
        ("EU", "/final_sale_honoured", True, "2011/83/EU art. 16"),
        ("CN", "/windows/no_fault_days", 6, "消费者权益保护法"),
        ("CN", "/windows/defect_days", 14, "部分商品修理更换退货责任规定"),
        ("CN", "/timers/refund_cap_days", 8, "消费者权益保护法"),
        ("CN", "/fees/restocking_percent", 1, "消费者权益保护法"),
    ],
)
def test_less_than_the_law_is_refused(market, pointer, value, source):
    """The member is pointed at, with the law that demands more of it."""
    with pytest.raises(PolicyBelowStatute) as caught:
        check_statute(changed(lawful(market), pointer, value))

    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code) == (pointer, "below_statute")
    assert source in problem.detail


def test_every_floor_of_every_law_is_tried_above():
    """A floor that is added without a case here is seen."""
    tried = {
        (mark.args[1][index][0], mark.args[1][index][1])
        for mark in test_less_than_the_law_is_refused.pytestmark
        if mark.name == "parametrize"
        for index in range(len(mark.args[1]))
    }

    assert tried == {(market, floor.pointer) for market in ("UK", "EU", "CN") for floor in STATUTES[market]}


def test_all_that_falls_short_is_told_at_once():
    """Whoever writes a policy corrects it once."""
    meagre = lawful("UK", windows=Windows(7, 15), fees=ReturnFees(restocking_percent=15))

    with pytest.raises(PolicyBelowStatute) as caught:
        check_statute(meagre)

    assert [problem.pointer for problem in caught.value.problems] == [
        "/windows/no_fault_days",
        "/windows/defect_days",
        "/fees/restocking_percent",
    ]


def test_a_market_does_not_hide_a_countrys_law():
    """A policy that calls its market US and names Germany is held to the law of Germany."""
    with pytest.raises(PolicyBelowStatute):
        check_statute(lawful("US", countries=("US", "DE")))


def test_the_union_has_twenty_seven_members():
    """One law in each of them."""
    assert len(set(MEMBER_STATES)) == 27
    assert {STATUTES[country] for country in MEMBER_STATES} == {STATUTES["EU"]}


def test_where_no_law_is_on_record_nothing_is_demanded():
    """The merchant's own terms hold."""
    assert shortfalls(lawful("US"), ["US", "JP"]) == []
    assert shortfalls(lawful("US"), ["GB"]) != []


@pytest.mark.parametrize(
    ("pointer", "value", "at"),
    [
        ("/policy_id", "UK Standard", "/policy_id"),
        ("/version", 0, "/version"),
        ("/source", " ", "/source"),
        ("/countries", (), "/countries"),
        ("/countries", ("GB", "uk"), "/countries/1"),
        ("/windows/defect_days", -1, "/windows/defect_days"),
        ("/timers/pause_days", 0, "/timers/pause_days"),
        ("/timers/inspection_hours", 99999, "/timers/inspection_hours"),
        ("/timers/parcel_reminder_days_before", 14, "/timers/parcel_reminder_days_before"),
        ("/fees/restocking_percent", 101, "/fees/restocking_percent"),
        ("/fees/return_freight", -1, "/fees/return_freight"),
        ("/fees/lost_value_percent", {Grade.C: 101}, "/fees/lost_value_percent/C"),
        ("/fees/lost_value_percent", {Grade.A: 1}, "/fees/lost_value_percent/A"),
        ("/calendar", Calendar(zone="Europe/Atlantis"), "/calendar/zone"),
        ("/calendar", Calendar(zone="../etc/passwd"), "/calendar/zone"),
        ("/calendar", Calendar(weekend=(1, 2, 3, 4, 5, 6, 7)), "/calendar/weekend"),
        ("/calendar", Calendar(weekend=(0,)), "/calendar/weekend"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(pointer, value, at):
    """Whatever the law says."""
    with pytest.raises(InvalidArgument) as caught:
        check_policy(changed(lawful("UK"), pointer, value))

    assert [problem.pointer for problem in caught.value.problems] == [at]


def test_a_fallback_needs_no_country():
    """It holds wherever no other policy does."""
    check_policy(lawful("US", countries=(), is_fallback=True))
