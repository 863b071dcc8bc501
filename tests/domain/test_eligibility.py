"""Whether something may come back: by the order, the request, the policy and the time alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.domain.case import Reason
from services.domain.decision import Decision, FreightPayer, RuleVerdict, Silence, Verdict
from services.domain.eligibility import check_request, decide_return
from services.domain.errors import QuantityExceedsRemaining, UnknownOrderLine
from services.domain.liability import MERCHANT_FAULT, NOT_DELIVERED
from services.domain.order import (
    Exclusion,
    LineUnits,
    Order,
    OrderStatus,
    Points,
    UnitRange,
)
from services.domain.policy import Calendar, OutsideWindow, Policy, Windows
from tests.builders import NOW, a_line, a_policy, an_order, as_it_stands, asked

MINUTE = timedelta(minutes=1)
NO_FAULT = [reason for reason in Reason if reason not in MERCHANT_FAULT | NOT_DELIVERED]
# What the law of a market, or the shop where the law is silent, gives: days without a reason, for a defect.
CN = a_policy(market="CN", windows=Windows(7, 15), calendar=Calendar("Asia/Shanghai"))
EU = a_policy(
    market="EU", windows=Windows(14, 730), calendar=Calendar("Europe/Berlin", rolls_to_working_day=True)
)
UK = a_policy(market="UK", windows=Windows(14, 30), calendar=Calendar("Europe/London"))
US = a_policy(market="US", windows=Windows(30, 30), calendar=Calendar("America/New_York"))


def delivered(**changes: object) -> Order:
    """Six lanterns, delivered on Monday 2 March 2026 at noon UTC."""
    return as_it_stands(an_order(**changes), delivered_at=NOW)  # type: ignore[arg-type]


def decide(order: Order, reason: Reason, policy: Policy, now: datetime = NOW) -> Decision:
    return decide_return(order, [asked(reason=reason)], policy, now=now)


def answer(decision: Decision, rule: str) -> RuleVerdict:
    return next(result.verdict for result in decision.rules if result.rule == rule)


def detail(decision: Decision, rule: str) -> str:
    return next(result.detail for result in decision.rules if result.rule == rule)


@pytest.mark.rule("S020")
@pytest.mark.rule("S140")
@pytest.mark.rule("S156")
@pytest.mark.parametrize(
    ("policy", "no_fault_ends", "defect_ends"),
    [
        pytest.param(CN, "2026-03-10T00:00+08:00", "2026-03-18T00:00+08:00", id="CN"),
        pytest.param(EU, "2026-03-17T00:00+01:00", "2028-03-02T00:00+01:00", id="EU"),
        pytest.param(UK, "2026-03-17T00:00+00:00", "2026-04-02T00:00+01:00", id="UK"),
        pytest.param(US, "2026-04-02T00:00-04:00", "2026-04-02T00:00-04:00", id="US"),
    ],
)
@pytest.mark.parametrize("reason", Reason)
def test_the_window_is_the_markets_and_the_reasons(
    policy: Policy, no_fault_ends: str, defect_ends: str, reason: Reason
) -> None:
    """A minute before its end there is a right; from its end on there is none."""
    ends_at = datetime.fromisoformat(no_fault_ends if reason in NO_FAULT else defect_ends)

    inside = decide(delivered(), reason, policy, ends_at - MINUTE)
    outside = decide(delivered(), reason, policy, ends_at)

    assert (answer(inside, "return_window"), answer(outside, "return_window")) == (
        RuleVerdict.PASS,
        RuleVerdict.FAIL,
    )
    assert outside.verdict is Verdict.DENY


@pytest.mark.parametrize(("hours", "day"), [(0, 1), (30, 1), (72, 3), (14 * 24, 14), (15 * 24, 15)])
def test_the_customer_is_told_which_day_it_is(hours: int, day: int) -> None:
    """Days of the shop's calendar, the first one after the delivery."""
    decision = decide(delivered(), Reason.CHANGED_MIND, UK, NOW + timedelta(hours=hours))

    assert detail(decision, "return_window") == f"day {day} of 14"


@pytest.mark.parametrize("reason", [Reason.CHANGED_MIND, Reason.DEFECTIVE])
def test_goods_that_have_not_come_have_no_window_yet(reason: Reason) -> None:
    """Before a delivery is on record the right stands; after a month it is assumed to have been."""
    order = as_it_stands(an_order(placed_at=NOW), delivered_at=None)
    days = 30 + (14 if reason is Reason.CHANGED_MIND else 30)

    early = decide(order, reason, UK, NOW + timedelta(days=days))
    late = decide(order, reason, UK, NOW + timedelta(days=days + 1))

    assert answer(early, "return_window") is RuleVerdict.PASS
    assert "not on record" in detail(early, "return_window")
    assert answer(late, "return_window") is RuleVerdict.FAIL


def in_two_parcels(second: datetime | None, **changes: object) -> Order:
    """One line delivered on 2 March, the other at ``second`` or still to come."""
    changes = {"status": OrderStatus.SHIPPED, "placed_at": NOW - timedelta(days=5), **changes}
    order = as_it_stands(an_order(a_line("1"), a_line("2"), **changes), delivered_at=NOW)  # type: ignore[arg-type]
    first, other = order.units
    return replace(order, units=(first, replace(other, delivered_at=second)))


@pytest.mark.parametrize("reason", [Reason.CHANGED_MIND, Reason.DEFECTIVE])
def test_withdrawal_counts_from_the_last_of_the_orders_goods(reason: Reason) -> None:
    """Directive 2011/83/EU art. 9(2)(b)(i); what is broken counts from its own delivery."""
    order = in_two_parcels(NOW + timedelta(days=20))
    is_withdrawal = reason is Reason.CHANGED_MIND

    decision = decide(order, reason, UK, NOW + timedelta(days=34))

    assert answer(decision, "return_window") is (RuleVerdict.PASS if is_withdrawal else RuleVerdict.FAIL)


@pytest.mark.parametrize(
    ("order", "is_open"),
    [
        pytest.param(in_two_parcels(None), True, id="the rest is still to come"),
        pytest.param(in_two_parcels(None, status=OrderStatus.DELIVERED), False, id="all has been delivered"),
        pytest.param(
            replace(
                in_two_parcels(None),
                units=(
                    LineUnits(asked("1").line_id, delivered_at=NOW),
                    LineUnits(asked("2").line_id, refunded=6),
                ),
            ),
            False,
            id="the rest was refunded and never came",
        ),
        pytest.param(
            replace(
                in_two_parcels(None),
                sold=an_order(
                    a_line("1"),
                    a_line("2", excluded_from_withdrawal=Exclusion.DOWNLOAD),
                    status=OrderStatus.SHIPPED,
                ),
            ),
            False,
            id="the rest is a download",
        ),
    ],
)
def test_what_never_comes_keeps_no_window_open(order: Order, *, is_open: bool) -> None:
    """Only goods that are still to come do, and they only for the assumed month."""
    decision = decide(order, Reason.CHANGED_MIND, UK, NOW + timedelta(days=16))

    assert answer(decision, "return_window") is (RuleVerdict.PASS if is_open else RuleVerdict.FAIL)
    if is_open:
        assert "have not begun" in detail(decision, "return_window")


@pytest.mark.parametrize(
    ("outside", "reason", "verdict", "silence"),
    [
        (OutsideWindow.DENY, Reason.CHANGED_MIND, Verdict.DENY, Silence.AGREES),
        (OutsideWindow.REVIEW, Reason.CHANGED_MIND, Verdict.REVIEW, Silence.REFUSES),
        (OutsideWindow.REVIEW, Reason.OTHER, Verdict.REVIEW, Silence.REFUSES),
    ],
)
def test_outside_the_window_there_is_only_goodwill(
    outside: OutsideWindow, reason: Reason, verdict: Verdict, silence: Silence
) -> None:
    """A shop may look at it; then its silence refuses, for there is no right."""
    decision = decide(delivered(), reason, a_policy(outside_window=outside), NOW + timedelta(days=40))

    assert (decision.verdict, decision.silence) == (verdict, silence)
    assert decision.remedies == (() if verdict is Verdict.DENY else ("refund", "store_credit"))


def test_inside_the_window_silence_agrees() -> None:
    """A reason of the customer's own words is looked at by a person, who has to answer in time."""
    decision = decide(delivered(), Reason.OTHER, UK)

    assert (decision.verdict, decision.silence) == (Verdict.REVIEW, Silence.AGREES)
    assert answer(decision, "reason") is RuleVerdict.REVIEW


@pytest.mark.rule("S064")
@pytest.mark.rule("S255")
@pytest.mark.parametrize("reason", sorted(MERCHANT_FAULT))
def test_any_defect_is_approved_at_once(reason: Reason) -> None:
    """A slight defect is a defect: there is no grade, no review, and the shop pays the way back."""
    decision = decide(delivered(), reason, UK)

    assert (decision.verdict, decision.freight_paid_by) == (Verdict.ALLOW, FreightPayer.MERCHANT)


@pytest.mark.rule("S015")
@pytest.mark.rule("S016")
@pytest.mark.rule("S092")
@pytest.mark.rule("S214")
def test_a_claimed_defect_asks_for_evidence_and_moves_no_money_yet() -> None:
    """Photo or video is asked for and may follow; the return is allowed, its refund comes later."""
    decision = decide(delivered(), Reason.DEFECTIVE, UK)

    assert decision.evidence_required == ("photo_or_video",)
    assert decision.remedies == ("refund", "store_credit")


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("honoured", [True, False])
def test_a_final_sale_binds_only_who_changed_their_mind(reason: Reason, *, honoured: bool) -> None:
    """A fault is the shop's also in a sale, and where the law knows no final sale it binds nobody."""
    order = delivered(lines=(a_line(final_sale=True),))

    decision = decide(order, reason, a_policy(final_sale_honoured=honoured))

    is_refused = honoured and reason in NO_FAULT
    assert answer(decision, "final_sale") is (RuleVerdict.FAIL if is_refused else RuleVerdict.PASS)
    assert (decision.verdict is Verdict.DENY) is is_refused


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("exclusion", Exclusion)
def test_an_exclusion_is_from_withdrawal_only(exclusion: Exclusion, reason: Reason) -> None:
    """Bespoke, perishable, unsealed or downloaded: no change of mind; a fault is another matter."""
    decision = decide(delivered(lines=(a_line(excluded_from_withdrawal=exclusion),)), reason, UK)

    assert (decision.verdict is Verdict.DENY) is (reason in NO_FAULT)
    assert f"excluded: {exclusion}" in {rule.detail for rule in decision.rules}


@pytest.mark.rule("S063")
@pytest.mark.rule("S193")
@pytest.mark.parametrize("status", OrderStatus)
def test_only_a_paid_order_can_come_back(status: OrderStatus) -> None:
    """Of an unpaid or cancelled order there is nothing to give back."""
    decision = decide(delivered(status=status), Reason.CHANGED_MIND, UK)

    is_paid = status not in {OrderStatus.UNPAID, OrderStatus.CANCELLED}
    assert decision.verdict is (Verdict.ALLOW if is_paid else Verdict.DENY)


@pytest.mark.rule("S067")
@pytest.mark.parametrize(
    ("reason", "is_delivered", "is_shipped", "verdict"),
    [
        (Reason.NOT_RECEIVED, True, True, RuleVerdict.REVIEW),
        (Reason.MISSING_ITEM, True, True, RuleVerdict.REVIEW),
        (Reason.NOT_RECEIVED, False, True, RuleVerdict.REVIEW),
        (Reason.DEFECTIVE, True, True, RuleVerdict.PASS),
        (Reason.DEFECTIVE, False, True, RuleVerdict.REVIEW),
        (Reason.CHANGED_MIND, False, True, RuleVerdict.PASS),
        (Reason.CHANGED_MIND, False, False, RuleVerdict.PASS),
        (Reason.DEFECTIVE, False, False, RuleVerdict.PASS),
    ],
)
def test_the_carriers_word_is_evidence_not_a_verdict(
    reason: Reason, verdict: RuleVerdict, *, is_delivered: bool, is_shipped: bool
) -> None:
    """A claim against the record, or ahead of it, is neither believed nor refused but looked at."""
    order = as_it_stands(an_order(), delivered_at=NOW if is_delivered else None)
    order = order if is_shipped else replace(order, shipments=())

    assert answer(decide(order, reason, UK), "delivery") is verdict


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ((a_line("1"), a_line("2")), Verdict.ALLOW),
        ((a_line("1"), a_line("2", final_sale=True)), Verdict.DENY),
    ],
)
def test_one_line_that_fails_denies_the_request(lines: tuple, verdict: Verdict) -> None:  # type: ignore[type-arg]
    """A failing rule outweighs a doubting one, a doubting one all that pass."""
    order = delivered(lines=lines)
    calm = [asked("1"), asked("2")]
    doubtful = [asked("1", reason=Reason.OTHER), asked("2")]

    assert decide_return(order, calm, UK, now=NOW).verdict is verdict
    assert decide_return(order, doubtful, UK, now=NOW).verdict is (
        Verdict.DENY if verdict is Verdict.DENY else Verdict.REVIEW
    )


@pytest.mark.rule("S019")
@pytest.mark.rule("S046")
@pytest.mark.rule("S056")
def test_every_rule_asked_leaves_its_answer_and_its_source() -> None:
    """Approval is the outcome of checks, each by law or by the policy the order was placed with."""
    decision = decide(delivered(), Reason.CHANGED_MIND, UK)

    assert [rule.rule for rule in decision.rules] == [
        "order_paid",
        "return_window",
        "final_sale",
        "withdrawal_exclusion",
        "delivery",
        "reason",
    ]
    assert all(rule.source and rule.detail for rule in decision.rules)
    assert {rule.line_id for rule in decision.rules[1:]} == {"1"}
    assert (decision.policy, decision.decided_by, decision.decided_at) == (delivered().policy, "policy", NOW)


@pytest.mark.rule("S222")
@pytest.mark.parametrize("reason", Reason)
def test_the_reason_is_the_customers_own(reason: Reason) -> None:
    """It is decided on as it was stated; nothing in the decision puts another in its place."""
    assert detail(decide(delivered(), reason, UK), "reason") == f"stated: {reason}"


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(
            delivered(points=Points(used=500, earned=9)), marks=pytest.mark.rule("S010"), id="points"
        ),
        pytest.param(
            delivered(customer=replace(an_order().customer, customer_id="18000", locale="zh-CN")),
            marks=pytest.mark.rule("S054"),
            id="who the customer is",
        ),
        pytest.param(
            delivered(lines=(a_line(category="lamps", title="A FAVOURITE", tax=255),)),
            marks=pytest.mark.rule("S005"),
            id="what they like",
        ),
    ],
)
@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("day", [1, 20, 40])
def test_what_is_no_condition_of_a_return(order: Order, reason: Reason, day: int) -> None:
    """Points, member level and shopping habits change no rule's answer, no freight and no evidence."""
    now = NOW + timedelta(days=day)

    assert decide(order, reason, UK, now) == decide(delivered(), reason, UK, now)


@pytest.mark.rule("S192")
@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ([("1", 6)], None),
        ([("1", 7)], QuantityExceedsRemaining),
        ([("1", 4), ("1", 3)], QuantityExceedsRemaining),
        ([("1", 3), ("1", 3)], None),
        ([("9", 1)], UnknownOrderLine),
    ],
)
def test_no_more_is_asked_back_than_was_bought_and_is_free(
    rows: list[tuple[str, int]], refused: type[Exception] | None
) -> None:
    """Rows of one line are added up; a line the order does not have cannot come back."""
    lines = [asked(line_id, quantity) for line_id, quantity in rows]

    if refused is None:
        check_request(delivered(), lines)
        return
    with pytest.raises(refused):
        check_request(delivered(), lines)


def test_units_of_another_case_are_not_free() -> None:
    """Of six lanterns two are with another case and one is refunded: three remain."""
    order = delivered()
    line_id = order.sold.lines[0].line_id
    free = (UnitRange(2, 2), UnitRange(5, 1))
    order = replace(order, units=(LineUnits(line_id, refunded=1, in_case=2, free=free),))

    check_request(order, [asked(quantity=3)])
    with pytest.raises(QuantityExceedsRemaining):
        check_request(order, [asked(quantity=4)])
    assert replace(order, units=()).remaining(line_id) == 0


def test_a_line_the_order_does_not_have_is_not_decided_on() -> None:
    """The request is checked first; the rules never guess."""
    with pytest.raises(UnknownOrderLine):
        decide_return(delivered(), [asked("9")], UK, now=NOW)
