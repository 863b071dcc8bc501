"""The janitor: holds what we believe against what providers tell, and repairs what is certain.

It walks: over what is open here, asking for each, and down each provider's lists. A walk's position is kept
after every page, so that whoever dies, the next goes on there. A refund whose outcome its provider knows is
settled, a refund or dispute that we never heard of is booked, as if its webhook had come. It moves no money
and guesses nothing: what it cannot tell is left to a person.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.errors import DependencyUnavailable
from services.domain.ids import derived_id
from services.domain.refund import TRANSITIONS, Doubt, Mending, Refund
from services.payment.disputes import KnownDispute, ProviderDispute
from services.payment.refunds import NotUnderstood, Provider, ProviderEvent, ProviderRefund, Reserved

# Whoever asked for a refund asks again for less long than this; and webhooks have had their time.
_SETTLED_AFTER: Final = timedelta(hours=1)
# A page of a list is one call of the provider; those that are asked for one by one are asked for all at once.
_LISTED_AT_ONCE: Final = 100
_ASKED_AT_ONCE: Final = 10
# What one step looks at, more than there are walks: a page takes as long as a provider's answer.
_PAGES: Final = 10

Listed = TypeVar("Listed")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far back a walk that begins now goes, when it was asked for, and what time it is."""

    since: datetime
    asked_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a walk has come: ``position`` names what was looked at last (empty: nothing yet)."""

    source: str
    position: str
    since: datetime
    began_at: datetime
    is_finished: bool


class Records(Protocol):
    """What we believe, of all stores; every method is one transaction."""

    async def walk(self, source: str, bounds: Bounds) -> Walk:
        """Return the walk over a source; one that was finished, and began before this was asked, begins anew.

        It then goes back as far before the last one as it is asked to go back from now: between two walks
        nothing is left out, however long nobody walked.
        """

    async def move(self, walk: Walk, position: str | None) -> None:
        """Say what a walk has looked at last; None: all. One that somebody else has moved on stays there."""

    async def unsettled(self, before: datetime, after: str, limit: int) -> list[Reserved]: ...
    async def undecided(self, after: str, limit: int) -> list[KnownDispute]: ...
    async def refunds_told(self, ids: Sequence[str]) -> dict[str, RefundStatus]: ...
    async def still_asked_for(self, ids: Sequence[str]) -> set[str]:
        """Return which of these are refunds of ours whose answer never came; whatever else it is is none."""

    async def disputes_told(self, provider: str, ids: Sequence[str]) -> dict[str, DisputeStatus]: ...
    async def settle(self, known: Refund, told: ProviderRefund, at: datetime) -> Refund: ...
    async def apply(self, provider: str, event: ProviderEvent) -> bool:
        """Take what a webhook would have told; False when it changed nothing here."""


@dataclass
class _Step:
    """One step: the time it is made, what may still be looked at, and what has been found."""

    bounds: Bounds
    pages_left: int = _PAGES
    checked: int = 0
    repaired: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)


# Looks at the page after a walk's position; returns the new position, or None at the end.
_Page = Callable[[_Step, Walk], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Janitor:
    records: Records
    providers: Mapping[str, Provider]

    async def mend(self, bounds: Bounds) -> Mending:
        """Make one step: go on with every walk by a page in turn, as far as one call may.

        Whoever does not answer is passed over, holds up nobody else, and is named.
        """
        step, going = _Step(bounds), self._sources()
        while going and step.pages_left:
            for source, look_at in list(going.items()):
                if step.pages_left and not await self._go_on(step, source, look_at):
                    del going[source]
        return Mending(
            checked=step.checked,
            repaired=tuple(step.repaired),
            doubts=tuple(step.doubts),
            unanswered=tuple(step.unanswered),
            is_done=not going,
        )

    def _sources(self) -> dict[str, _Page]:
        sources: dict[str, _Page] = {
            "open_refunds": self._open_refunds,
            "open_disputes": self._open_disputes,
        }
        for name, provider in self.providers.items():
            listed = _Listed(self.records, name, provider)
            sources |= {f"refunds/{name}": listed.refunds, f"disputes/{name}": listed.disputes}
        return sources

    async def _go_on(self, step: _Step, source: str, look_at: _Page) -> bool:
        """Look at a walk's next page; False when it has come to its end, or nobody answers."""
        walk = await self.records.walk(source, step.bounds)
        if walk.is_finished:
            return False
        step.pages_left -= 1
        try:
            position = await look_at(step, walk)
        except DependencyUnavailable:
            step.unanswered.append(source)
            return False
        await self.records.move(walk, position)
        return position is not None

    async def _open_refunds(self, step: _Step, walk: Walk) -> str | None:
        before = step.bounds.now - _SETTLED_AFTER
        page = await self.records.unsettled(before, walk.position, _ASKED_AT_ONCE)
        await asyncio.gather(*(self._ask_about_refund(step, reserved) for reserved in page))
        return page[-1].refund.intent.refund_id if len(page) == _ASKED_AT_ONCE else None

    async def _ask_about_refund(self, step: _Step, reserved: Reserved) -> None:
        step.checked += 1
        try:
            await self._settle(step, reserved)
        except DependencyUnavailable:
            step.unanswered.append(reserved.refund.intent.refund_id)

    async def _settle(self, step: _Step, reserved: Reserved) -> None:
        """Settle a refund by what its provider knows of it; nothing is asked for."""
        refund, provider, now = reserved.refund, self.providers[reserved.provider], step.bounds.now
        told = await _told(reserved, provider)
        if told is None:
            step.doubts.append(_doubt(refund, "refund_never_arrived"))
            return
        if refund.provider_refund_id is None:
            # First it is told apart from a stranger's, then it is settled as its webhook would.
            refund = await self.records.settle(refund, replace(told, status=refund.status), now)
        if told.status is not refund.status:
            event_id = derived_id("listed", refund.intent.refund_id, told.status)
            if await self.records.apply(reserved.provider, ProviderEvent(event_id, now, told)):
                step.repaired.append(refund.intent.refund_id)

    async def _open_disputes(self, step: _Step, walk: Walk) -> str | None:
        """Ask for each dispute that is not ruled: a ruling may come when no list reaches back so far."""
        page = await self.records.undecided(walk.position, _ASKED_AT_ONCE)
        await asyncio.gather(*(self._ask_about_dispute(step, known) for known in page))
        return page[-1].dispute_id if len(page) == _ASKED_AT_ONCE else None

    async def _ask_about_dispute(self, step: _Step, known: KnownDispute) -> None:
        step.checked += 1
        try:
            told = await self.providers[known.provider].look_up_dispute(known.provider_dispute_id)
        except DependencyUnavailable:
            step.unanswered.append(known.provider_dispute_id)
            return
        if told.status is not known.status:
            await _hear_dispute(step, self.records, known.provider, told)


@dataclass(frozen=True, slots=True)
class _Listed:
    """What one provider lists, newest first."""

    records: Records
    name: str
    provider: Provider

    async def refunds(self, step: _Step, walk: Walk) -> str | None:
        """Book the refunds of a page that were made outside, and those that moved on without a word."""
        page, is_last = await _page(
            self.provider.refunds(walk.position), lambda told: _is_older(told.created_at, walk.since)
        )
        step.checked += len(page)
        understood = _understood(page)
        known = await self.records.refunds_told([str(told.provider_refund_id) for told in understood])
        ours = [told.refund_id for told in understood if told.refund_id]
        asked_for = await self.records.still_asked_for(ours)
        for told in understood:
            before = known.get(str(told.provider_refund_id))
            # Ours, and not known by its provider's id: whoever asked for it, or our look at what is open,
            # settles it. Any other id is somebody's note on a refund made outside.
            is_ours = before is None and told.refund_id in asked_for
            # What contradicts us is no news that a webhook could bring: the books' review asks about it.
            is_news = before is None or told.status in TRANSITIONS[before]
            if is_ours or not is_news or told.created_at is None:
                continue
            event_id = derived_id("listed", str(told.provider_refund_id), told.status)
            # What is of a payment that is not ours changes nothing, however often it is listed.
            if await self.records.apply(self.name, ProviderEvent(event_id, told.created_at, told)):
                step.repaired.append(str(told.provider_refund_id))
        return None if is_last else _provider_id(page[-1])

    async def disputes(self, step: _Step, walk: Walk) -> str | None:
        """Book the disputes of a page that we never heard of, and those that moved on without a word."""
        page, is_last = await _page(
            self.provider.disputes(walk.position), lambda told: _is_older(told.opened_at, walk.since)
        )
        step.checked += len(page)
        understood = _understood(page)
        known = await self.records.disputes_told(self.name, [told.provider_dispute_id for told in understood])
        for told in understood:
            if known.get(told.provider_dispute_id) is not told.status:
                await _hear_dispute(step, self.records, self.name, told)
        return None if is_last else _provider_id(page[-1])


async def _page(
    listed: AsyncIterator[Listed | NotUnderstood], is_beyond: Callable[[Listed], bool]
) -> tuple[list[Listed | NotUnderstood], bool]:
    """Return the next page of a list, and whether it is the last that is wanted."""
    page: list[Listed | NotUnderstood] = []
    async for told in listed:
        if not isinstance(told, NotUnderstood) and is_beyond(told):
            return page, True
        page.append(told)
        if len(page) == _LISTED_AT_ONCE:
            return page, False
    return page, True


def _understood(page: Sequence[Listed | NotUnderstood]) -> list[Listed]:
    """Return what can be acted on; the books' review asks finance about the rest."""
    return [told for told in page if not isinstance(told, NotUnderstood)]


def _provider_id(told: ProviderRefund | ProviderDispute | NotUnderstood) -> str:
    if isinstance(told, NotUnderstood):
        return told.provider_id
    return told.provider_dispute_id if isinstance(told, ProviderDispute) else str(told.provider_refund_id)


def _is_older(at: datetime | None, since: datetime) -> bool:
    return at is not None and at < since


async def _told(reserved: Reserved, provider: Provider) -> ProviderRefund | None:
    if reserved.refund.provider_refund_id is not None:
        return await provider.look_up(reserved.refund.provider_refund_id)
    if reserved.provider_ref is None and reserved.provider == reserved.payment.provider:
        return None
    return await provider.find(reserved.refund.intent, reserved.provider_ref or "")


async def _hear_dispute(step: _Step, records: Records, provider: str, told: ProviderDispute) -> None:
    # A ruling may be turned over and back, so each time that it is found is a telling of its own.
    event_id = derived_id("listed", told.provider_dispute_id, step.bounds.now.isoformat())
    await records.apply(provider, ProviderEvent(event_id, step.bounds.now, dispute=told))
    step.repaired.append(told.provider_dispute_id)


def _doubt(refund: Refund, why: str) -> Doubt:
    intent = refund.intent
    return Doubt(
        store_id=intent.store_id,
        payment_id=intent.payment_id,
        refund_id=intent.refund_id,
        case_id=intent.case_id or None,
        why=why,
        promised_at=intent.requested_at,
    )
