"""Store credit: what a shop owes a customer in goods, lot by lot, each good until its own day.

What is left of a lot is what the ledger says of it; no balance is stored anywhere. All amounts are minor
units of the lot's currency.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from services.domain.errors import InvalidArgument
from services.domain.ids import CaseId, CustomerId, StoreId
from services.domain.money import Money

# What a payment's ``provider`` says when an order was paid with it.
STORE_CREDIT_PROVIDER: Final = "store_credit"
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CreditGrant:
    """Credit given out of goodwill; ``grant_id`` is the caller's, and becomes the lot's.

    It may be spent before ``expires_at``; without one it does not lapse. ``cause`` names who granted it.
    """

    grant_id: str
    store_id: StoreId
    customer_id: CustomerId
    amount: Money
    cause: str
    granted_at: datetime
    expires_at: datetime | None = None
    case_id: CaseId | None = None


def check_grant(grant: CreditGrant) -> None:
    """Refuse a grant that is none.

    Raises:
        InvalidArgument: If it is nothing, or would lapse before it is granted.
    """
    if grant.amount.minor_units <= 0:
        raise InvalidArgument("the amount must be positive")
    if grant.expires_at is not None and grant.expires_at <= grant.granted_at:
        raise InvalidArgument("it would lapse before it is granted")


@dataclass(frozen=True, slots=True)
class CreditLot:
    """Credit that was given at once, and what is left of it."""

    lot_id: str
    given: Money
    left: Money
    cause: str
    granted_at: datetime
    expires_at: datetime | None = None

    @property
    def lapses_at(self) -> datetime:
        return self.expires_at or _NEVER


@dataclass(frozen=True, slots=True)
class CreditBalance:
    """What may be spent in one currency: the sum of what is left of ``lots``, the next to lapse first."""

    balance: Money
    lots: tuple[CreditLot, ...]


@dataclass(frozen=True, slots=True)
class SpentLot:
    """What a payment took of a lot, less what has been given back for it."""

    lot_id: str
    amount: int
    spent_at: datetime
    expires_at: datetime | None = None

    def good_until(self, at: datetime) -> datetime | None:
        """Return until when it is good if it is given back at ``at``: as long as it was when it was spent."""
        return None if self.expires_at is None else at + (self.expires_at - self.spent_at)

    @property
    def was_good_for(self) -> float:
        """How long it could still have been spent, in seconds."""
        return ((self.expires_at or _NEVER) - self.spent_at).total_seconds()


def spendable(lots: Iterable[CreditLot], at: datetime) -> list[CreditLot]:
    """Return what may be spent at an instant, the next to lapse first."""
    good = [lot for lot in lots if lot.left.minor_units > 0 and lot.lapses_at > at]
    return sorted(good, key=lambda lot: (lot.lapses_at, lot.granted_at, lot.lot_id))


def take(lots: Iterable[CreditLot], wanted: int, at: datetime) -> Mapping[str, int] | None:
    """Say how much of each lot pays ``wanted``, the next to lapse first; None when they do not suffice."""
    taken: dict[str, int] = {}
    left = wanted
    for lot in spendable(lots, at):
        part = min(left, lot.left.minor_units)
        left -= part
        if part:
            taken[lot.lot_id] = part
    return None if left else taken


def give_back(spent: Iterable[SpentLot], wanted: int) -> Mapping[SpentLot, int] | None:
    """Say how much goes back for what was taken of each lot, the longest good first.

    None when less was taken. The order is the customer's gain: spending takes what lapses next, giving back
    begins with what lapses last.
    """
    given: dict[SpentLot, int] = {}
    left = wanted
    for one in sorted(spent, key=lambda lot: (-lot.was_good_for, lot.lot_id)):
        part = min(left, one.amount)
        left -= part
        if part:
            given[one] = part
    return None if left else given


def balances(lots: Iterable[CreditLot], at: datetime) -> tuple[CreditBalance, ...]:
    """Return what may be spent at an instant, by currency."""
    of_currency: dict[str, list[CreditLot]] = {}
    for lot in spendable(lots, at):
        of_currency.setdefault(lot.left.currency, []).append(lot)
    return tuple(
        CreditBalance(Money.total((lot.left for lot in good), currency), tuple(good))
        for currency, good in sorted(of_currency.items())
    )
