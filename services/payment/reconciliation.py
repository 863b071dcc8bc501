"""Whether the money invariants hold: against our own books, and against the provider's own list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from services.domain.accounts import AccountBalance, LedgerClock
from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.facts import DisputeChanged
from services.domain.ids import PaymentId, RefundId, StoreId
from services.domain.money import Money
from services.domain.refund import Finding, InvariantReport, LedgerEntry
from services.payment.disputes import ProviderDispute
from services.payment.invariants import INVARIANTS
from services.payment.refunds import MOVING, NotUnderstood, Provider, ProviderRefund

_EXAMPLES: Final = 5
# Each becomes a question to a person, so a fault of ours that breaks everything asks no more than this.
_FINDINGS: Final = 100
# How long an outcome may stay unknown here before that is itself a finding: everybody who asks has given up.
_UNKNOWN_AT_MOST: Final = timedelta(hours=1)
# What a report checks: our own books, and the three that need the provider's word.
INVARIANT_NAMES: Final = frozenset(
    {*INVARIANTS, "one_movement_per_intent", "provider_agrees", "provider_agrees_on_disputes"}
)
_OUT: Final = frozenset({RefundStatus.SUCCEEDED, *MOVING})
# A refund as its provider lists it.
_Told = ProviderRefund | NotUnderstood


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """A payment, and what its provider calls it."""

    payment_id: PaymentId
    provider: str
    provider_ref: str


@dataclass(frozen=True, slots=True)
class KnownRefund:
    """What we believe of a refund, to be compared with what its provider says."""

    refund_id: RefundId
    provider_refund_id: str | None
    status: RefundStatus
    amount: Money
    reserved_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerSlice:
    """Which postings: of one payment, or (empty) a whole store; from an instant on, before another."""

    store_id: str
    payment_id: str
    posted_from: datetime | None = None
    posted_before: datetime | None = None


class Books(Protocol):
    """Where money is kept account of; every method reads one snapshot."""

    async def ledger(self, wanted: LedgerSlice, after: int, limit: int) -> list[tuple[int, LedgerEntry]]: ...
    async def trial_balance(
        self, store_id: str, as_of: datetime, clock: LedgerClock
    ) -> list[AccountBalance]: ...
    async def check_invariants(self, store_id: str, examples: int) -> list[InvariantReport]: ...
    async def keep_findings(self, store_id: str, reports: Sequence[InvariantReport]) -> list[Finding]: ...
    async def stores(self) -> list[StoreId]: ...
    async def payments(self, store_id: str) -> list[KnownPayment]: ...
    async def refunds(self, store_id: str) -> list[KnownRefund]: ...
    async def disputes(self, store_id: str) -> dict[str, DisputeStatus]: ...
    async def disputes_of(self, store_id: str, payment_id: str) -> list[DisputeChanged]: ...


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Reports every invariant with what was checked; it repairs nothing."""

    books: Books
    providers: Mapping[str, Provider]

    async def review(self, store_id: str) -> list[Finding]:
        """Check everything of a store, and keep what is broken for as long as it is.

        Raises:
            DependencyUnavailable: If a provider does not list what it moved.
        """
        return await self.books.keep_findings(store_id, await self.report(store_id, _FINDINGS))

    async def report(self, store_id: str, examples: int = _EXAMPLES) -> list[InvariantReport]:
        """Check everything of a store; of what breaks an invariant, so many are named.

        Raises:
            DependencyUnavailable: If a provider does not list what it moved.
        """
        reports = await self.books.check_invariants(store_id, examples)
        theirs, ours = await self._both_sides(store_id)
        disputed = _disagreements(ours, theirs)
        if disputed:
            # What moved while we were looking agrees by now; what does not is a finding.
            theirs, ours = await self._both_sides(store_id)
            again = set(_disagreements(ours, theirs))
            disputed = [one for one in disputed if one in again]
        return [
            *reports,
            _found("one_movement_per_intent", len(ours), _moved_twice(theirs), examples),
            _found("provider_agrees", len(ours), disputed, examples),
            await self._disputes(store_id, examples),
        ]

    async def _disputes(self, store_id: str, examples: int) -> InvariantReport:
        """Compare where disputes stand; what differs twice in a row is a finding."""
        theirs, broken = await self._disputes_apart(store_id)
        if broken:
            again = (await self._disputes_apart(store_id))[1]
            broken = [one for one in broken if one in again]
        return _found("provider_agrees_on_disputes", theirs, broken, examples)

    async def _disputes_apart(self, store_id: str) -> tuple[int, list[str]]:
        payments = await self.books.payments(store_id)
        theirs: dict[str, DisputeStatus] = {}
        hidden: list[str] = []
        for name in sorted({payment.provider for payment in payments}):
            refs = {payment.provider_ref for payment in payments if payment.provider == name}
            async for told in self.providers[name].disputes():
                if not _is_about(told, refs):
                    continue
                if isinstance(told, NotUnderstood):
                    hidden.append(told.provider_id)
                else:
                    theirs[told.provider_dispute_id] = told.status
        ours = await self.books.disputes(store_id)
        apart = [one for one, status in theirs.items() if ours.get(one) is not status]
        return len(theirs) + len(hidden), [*apart, *hidden]

    async def _both_sides(self, store_id: str) -> tuple[list[_Told], list[KnownRefund]]:
        payments = await self.books.payments(store_id)
        theirs: list[_Told] = []
        for name in sorted({payment.provider for payment in payments}):
            refs = {payment.provider_ref for payment in payments if payment.provider == name}
            theirs += [told async for told in self.providers[name].refunds() if _is_about(told, refs)]
        return theirs, await self.books.refunds(store_id)


def _found(name: str, checked: int, broken: list[str], examples: int) -> InvariantReport:
    return InvariantReport(name, checked, len(broken), tuple(broken[:examples]))


def _is_about(told: _Told | ProviderDispute, refs: set[str]) -> bool:
    """Tell whether it is about one of these payments; what names none may be about any."""
    return told.provider_ref in refs or (isinstance(told, NotUnderstood) and not told.provider_ref)


def _understood(theirs: list[_Told]) -> list[ProviderRefund]:
    return [told for told in theirs if isinstance(told, ProviderRefund)]


def _moved_twice(theirs: list[_Told]) -> list[str]:
    """Return the intents that have moved money more than once at their provider."""
    moved = Counter(told.refund_id for told in _understood(theirs) if told.refund_id and told.status in _OUT)
    return [refund_id for refund_id, times in moved.items() if times > 1]


def _disagreements(ours: list[KnownRefund], theirs: list[_Told]) -> list[str]:
    """Return our refunds that the provider tells otherwise, and its refunds that we know nothing of.

    What makes no sense is named by the provider's id of it, also where it is a refund of ours.
    """
    understood = _understood(theirs)
    hidden = [told.provider_id for told in theirs if isinstance(told, NotUnderstood)]
    by_their_id = {told.provider_refund_id: told for told in understood}
    by_our_id = {told.refund_id: told for told in understood if told.refund_id}
    broken, met = [], set()
    for refund in ours:
        if refund.provider_refund_id in hidden:
            continue
        told = by_their_id.get(refund.provider_refund_id) or by_our_id.get(refund.refund_id)
        if told is not None:
            met.add(told.provider_refund_id)
        if not _agrees(refund, told):
            broken.append(str(refund.refund_id))
    strangers = [told for told in understood if told.provider_refund_id not in met and told.status in _OUT]
    return [*broken, *(str(told.provider_refund_id) for told in strangers), *hidden]


def _agrees(ours: KnownRefund, told: ProviderRefund | None) -> bool:
    is_as_asked = told is not None and Money(told.amount, told.currency) == ours.amount
    if ours.status is RefundStatus.SUCCEEDED:
        return told is not None and told.status is ours.status and is_as_asked
    if ours.status in MOVING:
        is_young = ours.reserved_at > datetime.now(UTC) - _UNKNOWN_AT_MOST
        return told is None or is_young or (told.status in MOVING and is_as_asked)
    return told is None or told.status not in _OUT
