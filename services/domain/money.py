"""Money is a count of minor units with its currency, and there is one exact way to split it.

The minor unit is ISO 4217's (cents for GBP, yen for JPY, fils for KWD). Nothing here rounds but
``allocate``, and its parts always add up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.domain.errors import CurrencyMismatch


@dataclass(frozen=True, slots=True)
class Money:
    """``minor_units`` of ``currency`` (ISO 4217, upper case); may be negative, as in a ledger."""

    minor_units: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor_units + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor_units - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor_units < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor_units <= self._same(other)

    def __bool__(self) -> bool:
        return self.minor_units != 0

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{other.currency} cannot be counted with {self.currency}")
        return other.minor_units

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return cls(0, currency)

    @classmethod
    def total(cls, amounts: Iterable["Money"], currency: str) -> "Money":
        """Return the sum of ``amounts``, all of which must be in ``currency``."""
        result = cls.zero(currency)
        for amount in amounts:
            result += amount
        return result

    def allocate(self, weights: Sequence[int]) -> list["Money"]:
        """Split into parts proportional to ``weights`` that add up to exactly this amount."""
        return [Money(part, self.currency) for part in allocate(self.minor_units, weights)]


def allocate(units: int, weights: Sequence[int]) -> list[int]:
    """Split ``units`` into parts proportional to ``weights`` that add up to exactly ``units``.

    Parts are rounded down; the units left over go, one each, to the parts that lost most by rounding
    (ties: the earlier part), so each part is within one unit of its exact share.

    Raises:
        ValueError: If weights are empty, negative, or all zero.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and not all zero")
    shares = [divmod(units * weight, total) for weight in weights]
    parts = [floor for floor, _ in shares]
    by_loss = sorted(range(len(shares)), key=lambda index: (-shares[index][1], index))
    for index in by_loss[: units - sum(parts)]:
        parts[index] += 1
    return parts


def share_of_first(units: int, taken: int, of: int) -> int:
    """Return what the first ``taken`` of ``of`` equal units carry of ``units``, rounded half up.

    The share of units ``a+1 … b`` is ``share_of_first(b) - share_of_first(a)``, so any sequence of
    partial returns adds up to the whole and the last unit takes the rounding.

    Raises:
        ValueError: If ``taken`` is not within 0…``of``, or ``of`` is not positive.
    """
    if of <= 0 or not 0 <= taken <= of:
        raise ValueError(f"cannot take {taken} of {of} units")
    return (2 * units * taken + of) // (2 * of)
