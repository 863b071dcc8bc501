"""Which units a claim takes, keeps and gives back: arithmetic on numbered units."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.domain.amounts import count_of, first_units
from services.domain.errors import QuantityExceedsRemaining
from services.domain.order import UnitRange, UnitSettlement


def take(line_id: str, free: Sequence[UnitRange], quantity: int) -> tuple[UnitRange, ...]:
    """Return the lowest-numbered ``quantity`` units of ``free``.

    Raises:
        QuantityExceedsRemaining: If there are fewer.
    """
    remaining = count_of(free)
    if quantity > remaining:
        raise QuantityExceedsRemaining(f"line {line_id}: {quantity} asked, {remaining} remain")
    return first_units(free, quantity)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim on one line as it stands."""

    line_id: str
    units: tuple[UnitRange, ...]
    returned: int
    refunded: int
    is_released: bool

    @property
    def held(self) -> int:
        """Units that no other case may take because of this claim."""
        return 0 if self.is_released else count_of(self.units) - self.refunded


@dataclass(frozen=True, slots=True)
class Change:
    """How a settlement moves a line's counts; the units of ``gives`` are free again."""

    returned: int
    refunded: int
    in_case: int
    gives: tuple[UnitRange, ...]


def settle(claim: Claim, settlement: UnitSettlement, *, release: bool) -> Change:
    """Return what ``settlement`` (totals, not increments) changes.

    Totals never go back: a request that was overtaken by a later one changes nothing.

    Raises:
        QuantityExceedsRemaining: If it settles more than the claim holds, or reopens a released one.
    """
    refunded = max(claim.refunded, settlement.refunded)
    if refunded > count_of(claim.units) or (claim.is_released and refunded > claim.refunded):
        raise QuantityExceedsRemaining(
            f"line {claim.line_id}: {refunded} settled of {count_of(claim.units)} held"
        )
    is_released = release or claim.is_released
    held = 0 if is_released else count_of(claim.units) - refunded
    return Change(
        returned=max(0, settlement.returned - claim.returned),
        refunded=refunded - claim.refunded,
        in_case=held - claim.held,
        gives=_units_after(claim.units, refunded) if is_released and not claim.is_released else (),
    )


def _units_after(units: Sequence[UnitRange], count: int) -> tuple[UnitRange, ...]:
    """Return all but the ``count`` lowest-numbered units."""
    rest = []
    for part in units:
        skipped = min(part.count, count)
        count -= skipped
        if skipped < part.count:
            rest.append(UnitRange(part.first + skipped, part.count - skipped))
    return tuple(rest)
