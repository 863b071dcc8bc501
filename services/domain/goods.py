"""Goods of a return: what was asked, what came, what was accepted; the refund follows the last.

Counts are units per order line. What nobody expected is kept as ``extras`` and goes to a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.domain.case import RequestedLine
from services.domain.deductions import GradedUnits
from services.domain.ids import LineId
from services.domain.logistics import InspectedLine, Inspection, Receipt, ReceivedLine
from services.domain.order import Order


@dataclass(frozen=True, slots=True)
class LineGoods:
    """What was told of a line's units, as totals, so that the order of telling does not matter.

    ``counted`` were in a recorded parcel, ``assumed`` taken as received by a timer; ``passed`` and ``failed``
    were inspected, ``deemed`` accepted by a timer that no inspection had judged by then. ``grades`` are those
    of accepted units in the order of their acceptance, so that none changes once it has been paid for.
    """

    line_id: LineId
    sku: str
    requested: int
    counted: int = 0
    assumed: int = 0
    passed: int = 0
    failed: int = 0
    deemed: int = 0
    grades: tuple[GradedUnits, ...] = ()

    @property
    def received(self) -> int:
        """Units that have come: a parcel recorded after a timer or its inspection is not another one."""
        return max(self.counted, self.assumed, self.passed + self.failed)

    @property
    def accepted(self) -> int:
        return self.passed + self.deemed - max(0, self._judged_too_late - self.failed)

    @property
    def rejected(self) -> int:
        return self.failed - min(self.failed, self._judged_too_late)

    @property
    def _judged_too_late(self) -> int:
        """Units inspected after they had been deemed accepted; that stands, for it has been paid."""
        return max(0, self.deemed - (self.received - self.passed - self.failed))

    @property
    def refundable(self) -> int:
        """Accepted units the case holds: what came beyond the request is not the case's to refund."""
        return min(self.accepted, self.requested)

    def inspect(self, rows: Sequence[InspectedLine]) -> "LineGoods":
        """Count a judgement of the line's units; those that are accepted by it have its grades."""
        good = sorted((row for row in rows if row.accepted), key=lambda row: row.grade)
        after = replace(
            self,
            passed=self.passed + sum(row.quantity for row in good),
            failed=self.failed + sum(row.quantity for row in rows if not row.accepted),
        )
        # What a timer accepted before has none; what was judged after that changes nothing any more.
        ungraded = self.accepted - sum(units.count for units in self.grades)
        grades, left = _with(self.grades, GradedUnits(ungraded)), after.accepted - self.accepted
        for row in good:
            units = min(row.quantity, left)
            left -= units
            grades = _with(grades, GradedUnits(units, row.grade))
        return replace(after, grades=grades)

    @property
    def judged(self) -> int:
        return self.accepted + self.rejected

    @property
    def uninspected(self) -> int:
        return max(0, self.received - self.judged)

    @property
    def missing(self) -> int:
        return max(0, self.requested - self.received)

    @property
    def surplus(self) -> int:
        """Units in parcels beyond what was asked back."""
        return max(0, self.counted - self.requested)


@dataclass(frozen=True, slots=True)
class ReturnedGoods:
    """All lines of a return; every change makes a new value."""

    lines: tuple[LineGoods, ...]
    parcels: int = 0
    extras: tuple[ReceivedLine, ...] = field(default=())

    @classmethod
    def expected(cls, requested: tuple[RequestedLine, ...], order: Order) -> "ReturnedGoods":
        """Return nothing received yet of what was requested; a line asked for twice is one line."""
        skus = {line.line_id: line.sku for line in order.sold.lines}
        units: dict[LineId, int] = {}
        for line in requested:
            units[line.line_id] = units.get(line.line_id, 0) + line.quantity
        return cls(
            tuple(LineGoods(line_id, skus.get(line_id, ""), count) for line_id, count in units.items())
        )

    def receive(self, receipt: Receipt) -> "ReturnedGoods":
        """Count a parcel; a bare SKU is taken for the requested line that has it."""
        came: dict[LineId, int] = {}
        extras: list[ReceivedLine] = []
        for item in receipt.lines:
            line_id = self._line_of(item)
            if line_id is None:
                extras.append(item)
            else:
                came[line_id] = came.get(line_id, 0) + item.quantity
        lines = tuple(replace(line, counted=line.counted + came.get(line.line_id, 0)) for line in self.lines)
        extras += [
            ReceivedLine(after.surplus - before.surplus, after.line_id)
            for before, after in zip(self.lines, lines, strict=True)
            if after.surplus > before.surplus
        ]
        return replace(self, lines=lines, parcels=self.parcels + 1, extras=(*self.extras, *extras))

    def _line_of(self, item: ReceivedLine) -> LineId | None:
        for line in self.lines:
            if item.line_id == line.line_id or (item.line_id is None and item.sku == line.sku):
                return line.line_id
        return None

    def inspect(self, inspection: Inspection) -> "ReturnedGoods":
        """Count a judgement; what was judged has come, also when its receipt is not known yet."""
        return replace(
            self,
            lines=tuple(
                line.inspect([row for row in inspection.lines if row.line_id == line.line_id])
                for line in self.lines
            ),
        )

    def deem_received(self) -> "ReturnedGoods":
        """Take all that was asked as received, though nobody recorded it."""
        return replace(
            self,
            lines=tuple(replace(line, assumed=line.requested) for line in self.lines),
        )

    def deem_accepted(self) -> "ReturnedGoods":
        """Take all that came and was not judged as accepted."""
        return replace(
            self,
            lines=tuple(replace(line, deemed=line.deemed + line.uninspected) for line in self.lines),
        )

    def accept_rejected(self, standing: Mapping[LineId, int] | None = None) -> "ReturnedGoods":
        """Take rejections back, as a supervisor may after an escalation; ``standing`` ones stay."""
        kept = standing or {}

        def accept(line: LineGoods) -> LineGoods:
            units = max(0, line.rejected - kept.get(line.line_id, 0))
            return replace(line, passed=line.passed + units, failed=line.failed - units)

        return replace(self, lines=tuple(accept(line) for line in self.lines))

    def set_aside(self) -> "ReturnedGoods":
        """Leave what came and was not judged to people: the return does not count it."""
        return replace(
            self, lines=tuple(replace(line, counted=line.judged, assumed=0) for line in self.lines)
        )

    @property
    def has_come(self) -> bool:
        return self.parcels > 0 or any(line.received for line in self.lines)

    @property
    def judged(self) -> int:
        return sum(line.judged for line in self.lines)

    @property
    def uninspected(self) -> int:
        return sum(line.uninspected for line in self.lines)

    @property
    def missing(self) -> int:
        return sum(line.missing for line in self.lines)

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked back is the case's to refund."""
        return all(line.refundable == line.requested for line in self.lines)

    @property
    def rejected(self) -> Mapping[LineId, int]:
        return {line.line_id: line.rejected for line in self.lines if line.rejected}

    @property
    def refundable(self) -> Mapping[LineId, int]:
        return {line.line_id: line.refundable for line in self.lines}

    @property
    def grades(self) -> Mapping[LineId, tuple[GradedUnits, ...]]:
        return {line.line_id: line.grades for line in self.lines if line.grades}


def _with(grades: tuple[GradedUnits, ...], more: GradedUnits) -> tuple[GradedUnits, ...]:
    """Return ``grades`` with ``more`` units; neighbours of one grade are one entry."""
    if not more.count:
        return grades
    if grades and grades[-1].grade == more.grade:
        return (*grades[:-1], GradedUnits(grades[-1].count + more.count, more.grade))
    return (*grades, more)
