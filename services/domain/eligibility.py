"""Whether something may come back: rules over the order as sold, the request, the policy, and the time.

Every rule that is asked leaves its answer, its source and what it read, so that "why?" is always answered
from what was decided on. One failing rule denies; else one doubting rule asks a person; else it is allowed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.domain.case import RequestedLine
from services.domain.deadline import day_of_window, window_end
from services.domain.decision import (
    Decision,
    RuleResult,
    RuleVerdict,
    Silence,
    Verdict,
)
from services.domain.errors import FieldProblem, QuantityExceedsRemaining, UnknownOrderLine
from services.domain.liability import (
    MERCHANT_FAULT,
    NOT_DELIVERED,
    evidence_for,
    freight_payer,
    is_merchants,
)
from services.domain.order import Exclusion, Order, OrderLine, OrderStatus
from services.domain.policy import OutsideWindow, Policy

RETURN_REMEDIES: Final = ("refund", "store_credit")
_GOODS_WITH_CUSTOMER: Final = {OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.DELIVERED}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One requested line beside what was sold."""

    requested: RequestedLine
    line: OrderLine
    delivered_at: datetime | None
    is_shipped: bool


def check_request(order: Order, lines: Sequence[RequestedLine], rows: Sequence[int] = ()) -> None:
    """Refuse a request that cannot be opened at all, whatever the policy says.

    ``rows`` are where the lines stand in what was sent, if not one after the other; a problem points there.

    Raises:
        UnknownOrderLine: If a line is not the order's.
        QuantityExceedsRemaining: If more units are asked for than are free.
    """
    wanted: dict[str, int] = {}
    sent = list(zip(rows or range(len(lines)), lines, strict=True))
    for row, requested in sent:
        if order.sold.line(requested.line_id) is None:
            problem = FieldProblem(f"/lines/{row}/line_id", "unknown_value", "not a line of the order")
            raise UnknownOrderLine(f"the order has no line {requested.line_id}", problems=(problem,))
        wanted[requested.line_id] = wanted.get(requested.line_id, 0) + requested.quantity
    for row, requested in sent:
        remaining = order.remaining(requested.line_id)
        if wanted[requested.line_id] > remaining:
            problem = FieldProblem(f"/lines/{row}/quantity", "exceeds_remaining", f"{remaining} remain")
            raise QuantityExceedsRemaining(
                f"line {requested.line_id}: {wanted[requested.line_id]} asked, {remaining} remain",
                problems=(problem,),
            )


def decide_return(order: Order, lines: Sequence[RequestedLine], policy: Policy, *, now: datetime) -> Decision:
    """Decide whether ``lines`` may come back at ``now``; the answer carries every rule's.

    ``check_request`` must have passed. Outside the window the shop's silence refuses, for there is only
    goodwill; inside, it agrees, for there is a right.
    """
    asked = [_asked(order, requested) for requested in lines]
    rules = [_order_paid(order, policy)]
    for one in asked:
        rules += [
            _window(order, one, policy, now),
            _final_sale(one, policy),
            _withdrawal_exclusion(one, policy),
            _delivery(one),
            _reason(one, policy),
        ]
    reasons = [requested.reason for requested in lines]
    verdict = _verdict(rules)
    outside = any(rule.rule == "return_window" and rule.verdict is RuleVerdict.REVIEW for rule in rules)
    return Decision(
        verdict=verdict,
        policy=order.policy,
        decided_at=now,
        decided_by="policy",
        rules=tuple(rules),
        freight_paid_by=freight_payer(reasons, policy),
        silence=Silence.REFUSES if outside else Silence.AGREES,
        evidence_required=evidence_for(reasons, policy),
        remedies=RETURN_REMEDIES if verdict is not Verdict.DENY else (),
    )


def _asked(order: Order, requested: RequestedLine) -> _Asked:
    line = order.sold.line(requested.line_id)
    if line is None:
        raise UnknownOrderLine(f"the order has no line {requested.line_id}")
    shipped = any(
        part.line_id == requested.line_id for shipment in order.shipments for part in shipment.lines
    )
    return _Asked(requested, line, order.units_of(requested.line_id).delivered_at, shipped)


def _verdict(rules: Iterable[RuleResult]) -> Verdict:
    verdicts = {rule.verdict for rule in rules}
    if RuleVerdict.FAIL in verdicts:
        return Verdict.DENY
    return Verdict.REVIEW if RuleVerdict.REVIEW in verdicts else Verdict.ALLOW


def _order_paid(order: Order, policy: Policy) -> RuleResult:
    is_paid = order.sold.status in _GOODS_WITH_CUSTOMER
    return RuleResult(
        rule="order_paid",
        source=f"policy {policy.policy_id}",
        verdict=RuleVerdict.PASS if is_paid else RuleVerdict.FAIL,
        detail=f"the order is {order.sold.status}",
    )


def _window_opens_at(order: Order, one: _Asked, policy: Policy) -> datetime:
    """Return the delivery a window counts from; one that is not on record is assumed late.

    A defect counts from its own line's. Of an order that comes in several parcels, withdrawal counts from
    the last of its goods (Directive 2011/83/EU art. 9(2)(b)(i), CCR 2013 reg. 30(4)).
    """
    assumed = order.sold.placed_at + timedelta(days=policy.windows.not_delivered_assumed_days)
    own = one.delivered_at or assumed
    if is_merchants(one.requested.reason):
        return own
    return max([own, *(at or assumed for at in _deliveries(order))])


def _deliveries(order: Order) -> Iterable[datetime | None]:
    """Give the delivery of each of the order's goods, None for one that is still to come."""
    for line in order.sold.lines:
        units = order.units_of(line.line_id)
        is_expected = (
            order.sold.status is not OrderStatus.DELIVERED
            and units.refunded < line.quantity
            and line.excluded_from_withdrawal is not Exclusion.DOWNLOAD
        )
        if units.delivered_at is not None or is_expected:
            yield units.delivered_at


def _window(order: Order, one: _Asked, policy: Policy, now: datetime) -> RuleResult:
    windows = policy.windows
    days = windows.defect_days if is_merchants(one.requested.reason) else windows.no_fault_days
    opens_at = _window_opens_at(order, one, policy)
    if now < window_end(opens_at, days, policy.calendar):
        verdict = RuleVerdict.PASS
    elif policy.outside_window is OutsideWindow.REVIEW:
        verdict = RuleVerdict.REVIEW
    else:
        verdict = RuleVerdict.FAIL
    if verdict is RuleVerdict.PASS and (one.delivered_at is None or opens_at > now):
        detail = f"delivery not on record: {days} days from it have not begun"
    else:
        detail = f"day {max(day_of_window(opens_at, now, policy.calendar), 1)} of {days}"
    return RuleResult("return_window", policy.source, verdict, detail, one.line.line_id)


def _final_sale(one: _Asked, policy: Policy) -> RuleResult:
    no_fault = not is_merchants(one.requested.reason)
    refused = one.line.final_sale and no_fault and policy.final_sale_honoured
    return RuleResult(
        rule="final_sale",
        source=f"policy {policy.policy_id}",
        verdict=RuleVerdict.FAIL if refused else RuleVerdict.PASS,
        detail="sold as final, confirmed at purchase" if one.line.final_sale else "not a final sale",
        line_id=one.line.line_id,
    )


def _withdrawal_exclusion(one: _Asked, policy: Policy) -> RuleResult:
    excluded = one.line.excluded_from_withdrawal
    no_fault = not is_merchants(one.requested.reason)
    return RuleResult(
        rule="withdrawal_exclusion",
        source=policy.source,
        verdict=RuleVerdict.FAIL if excluded and no_fault else RuleVerdict.PASS,
        detail=f"excluded: {excluded}" if excluded else "not excluded",
        line_id=one.line.line_id,
    )


def _delivery(one: _Asked) -> RuleResult:
    """A carrier's word is evidence, not a verdict: a doubt goes to a person."""
    reason = one.requested.reason
    if one.delivered_at is not None:
        verdict = RuleVerdict.REVIEW if reason in NOT_DELIVERED else RuleVerdict.PASS
        detail = f"delivered on {one.delivered_at.date().isoformat()}"
    elif reason in NOT_DELIVERED:
        verdict, detail = RuleVerdict.REVIEW, "not delivered: to be checked with the carrier first"
    elif one.is_shipped and reason in MERCHANT_FAULT:
        verdict, detail = RuleVerdict.REVIEW, "a fault is claimed before the delivery is on record"
    else:
        verdict, detail = RuleVerdict.PASS, "no delivery on record; the right stands before it too"
    return RuleResult("delivery", "carrier's record", verdict, detail, one.line.line_id)


def _reason(one: _Asked, policy: Policy) -> RuleResult:
    review = one.requested.reason in policy.review_reasons
    return RuleResult(
        rule="reason",
        source=f"policy {policy.policy_id}",
        verdict=RuleVerdict.REVIEW if review else RuleVerdict.PASS,
        detail=f"stated: {one.requested.reason}",
        line_id=one.line.line_id,
    )
