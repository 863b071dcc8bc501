"""The tables of what may follow what: a return's phases and a refund's life."""

from itertools import product

import pytest

from services.domain import refund, return_phases
from services.domain.case import RefundStatus
from services.domain.refund import COUNTED, IllegalRefundTransition
from services.domain.return_phases import OUTCOMES, TAKEN_IN, TRANSITIONS, IllegalTransition, ReturnPhase

P = ReturnPhase
UNDERWAY = [P.AWAITING_PARCEL, P.IN_TRANSIT, P.AWAITING_RECEIPT]


def reachable(start: ReturnPhase) -> set[ReturnPhase]:
    found = {start}
    pending = [start]
    while pending:
        fresh = TRANSITIONS[pending.pop()] - found
        found |= fresh
        pending += fresh
    return found


@pytest.mark.parametrize(("current", "target"), list(product(ReturnPhase, ReturnPhase)))
def test_a_return_goes_only_where_the_table_leads(current: ReturnPhase, target: ReturnPhase) -> None:
    """Staying is always allowed, for a repeat changes nothing; any other step is in the table or refused."""
    if current is target or target in TRANSITIONS[current]:
        assert return_phases.advance(current, target) is target
        return
    with pytest.raises(IllegalTransition):
        return_phases.advance(current, target)


def test_every_phase_is_reached_and_every_one_ends() -> None:
    """Nothing is unreachable, and from wherever a return is it can still come to an outcome."""
    assert set(TRANSITIONS) == set(ReturnPhase)
    assert reachable(P.VERIFYING) == set(ReturnPhase)
    assert all(reachable(phase) & OUTCOMES for phase in ReturnPhase)
    assert all(TRANSITIONS[phase] for phase in set(ReturnPhase) - OUTCOMES)


def test_nothing_comes_back_to_the_decision() -> None:
    """Once goods are awaited the request is not decided again."""
    decided = {P.VERIFYING, P.MERCHANT_REVIEW, P.REFUSED}

    assert not any(reachable(phase) & decided for phase in UNDERWAY)


@pytest.mark.parametrize("phase", UNDERWAY)
def test_goods_may_be_settled_from_wherever_they_are(phase: ReturnPhase) -> None:
    """Scan, receipt and judgement may arrive at one instant, and a lost parcel's timer settles in transit."""
    assert TRANSITIONS[phase] >= {
        P.INSPECTING,
        P.REFUNDING,
        P.INSPECTION_REJECTED,
        P.REFUNDED,
        P.PARTIALLY_REFUNDED,
        P.REJECTED,
    }


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
def test_late_goods_reopen_and_may_leave_it_as_it_was(outcome: ReturnPhase) -> None:
    """Whatever became of a return, goods that still come are looked at; others' units change nothing."""
    assert P.INSPECTING in TRANSITIONS[outcome]
    assert outcome in TRANSITIONS[P.INSPECTING]


@pytest.mark.parametrize("outcome", [P.REFUNDED, P.PARTIALLY_REFUNDED])
def test_a_late_failure_of_the_money_reopens(outcome: ReturnPhase) -> None:
    """The bank may send a refund back after the case was closed."""
    assert P.REFUNDING in TRANSITIONS[outcome]


@pytest.mark.rule("S248")
def test_both_refusals_can_be_escalated() -> None:
    """Before the goods came and after they were looked at; the table then leads on."""
    assert TAKEN_IN["escalate"] == {P.REFUSED, P.INSPECTION_REJECTED, P.INSPECTING, P.REFUNDING}
    assert P.MERCHANT_REVIEW in TRANSITIONS[P.REFUSED]
    assert P.REFUNDING in TRANSITIONS[P.INSPECTION_REJECTED]


def test_a_request_is_withdrawn_only_until_the_goods_are_looked_at() -> None:
    """Where it may be withdrawn the table leads there."""
    assert all(P.WITHDRAWN in TRANSITIONS[phase] for phase in TAKEN_IN["withdraw"])
    assert not TAKEN_IN["withdraw"] & {P.INSPECTING, P.REFUNDING, P.INSPECTION_REJECTED, *OUTCOMES}


S = RefundStatus


@pytest.mark.parametrize(("current", "target"), list(product(RefundStatus, RefundStatus)))
def test_a_refund_goes_only_where_the_table_leads(current: RefundStatus, target: RefundStatus) -> None:
    """A repeated word of the provider changes nothing; one that the table does not know is refused."""
    if current is target or target in refund.TRANSITIONS[current]:
        assert refund.advance(current, target) is target
        return
    with pytest.raises(IllegalRefundTransition):
        refund.advance(current, target)


def test_what_a_refund_may_still_become() -> None:
    """The bank may take success back; a dead refund stays dead, and only it is not money out."""
    assert refund.TRANSITIONS[S.SUCCEEDED] == {S.FAILED}
    assert [status for status in S if not refund.TRANSITIONS[status]] == [S.FAILED, S.CANCELED]
    assert set(S) - COUNTED == {S.FAILED, S.CANCELED}
