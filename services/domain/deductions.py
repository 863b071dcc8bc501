"""What is kept back of a return's money, and by which rule; more goods never lower what is due.

In this order, each bounded by what is left: value the goods have lost, gifts that stay with the customer,
restocking, the freight of the way back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.domain.ids import LineId
from services.domain.logistics import Grade
from services.domain.money import allocate
from services.domain.order import HeldUnits, Order
from services.domain.policy import Policy
from services.domain.quote import Fee


@dataclass(frozen=True, slots=True)
class GradedUnits:
    """``count`` units judged alike; without a grade nobody judged them, and they count as good."""

    count: int
    grade: Grade | None = None


def lost_value(worth: Mapping[LineId, Mapping[Grade, int]], policy: Policy) -> list[Fee]:
    """Return what goods lost by more than trying them out; ``worth`` is what those of each grade come to."""
    percents = policy.fees.lost_value_percent
    fees = []
    for line_id, by_grade in worth.items():
        lost = {grade: amount * percents.get(grade, 0) // 100 for grade, amount in by_grade.items()}
        told = ", ".join(f"{grade} {percents[grade]} %" for grade, amount in lost.items() if amount)
        if told:
            rule = f"{policy.policy_id}: fees.lost_value_percent, {told}"
            fees.append(Fee("lost_value", sum(lost.values()), rule, line_id))
    return fees


def kept_gifts(order: Order, units: Sequence[HeldUnits], policy: Policy) -> tuple[int, str]:
    """Return what the free gifts are worth that do not come back with all the rest, and which they are."""
    if not policy.fees.kept_gifts:
        return 0, ""
    coming = {held.line_id: sum(part.count for part in held.ranges) for held in units}
    kept = {
        line.line_id: line.quantity
        - min(line.quantity, order.units_of(line.line_id).refunded + coming.get(line.line_id, 0))
        for line in order.sold.lines
        if line.is_free_gift
    }
    worth = sum(line.unit_price * kept.get(line.line_id, 0) for line in order.sold.lines)
    told = ", ".join(f"{count} of line {line_id}" for line_id, count in kept.items() if count)
    return worth, f"{policy.policy_id}: fees.kept_gifts, {told}"


def shared(code: str, amount: int, rule: str, room: Mapping[LineId, int]) -> list[Fee]:
    """Spread a deduction over lines by their ``room``, and never beyond it."""
    bounded = min(amount, sum(room.values()))
    if not bounded:
        return []
    parts = zip(room, allocate(bounded, list(room.values())), strict=True)
    return [Fee(code, part, rule, line_id) for line_id, part in parts if part]


def handling(left: int, policy: Policy, *, label_is_ours: bool) -> list[Fee]:
    """Return what taking goods back costs a customer for whom nobody else is at fault."""
    fees = []
    restocking = left * policy.fees.restocking_percent // 100
    if restocking:
        fees.append(Fee("restocking", restocking, f"{policy.policy_id}: fees.restocking_percent"))
    freight = min(left - restocking, policy.fees.return_freight) if label_is_ours else 0
    if freight:
        fees.append(Fee("return_freight", freight, f"{policy.policy_id}: fees.return_freight"))
    return fees
