"""The janitor: holds what we believe against what providers tell, and repairs what is certain.

A refund whose outcome its provider knows is settled, a refund or dispute that we never heard of is booked, as
if its webhook had come. It moves no money and guesses nothing: what it cannot tell is left to a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.ids import derived_id
from services.domain.refund import TRANSITIONS, Doubt, Mending, Refund
from services.payment.disputes import ProviderDispute
from services.payment.refunds import Provider, ProviderEvent, ProviderRefund, Reserved

# Whoever asked for a refund asks again for less long than this; and webhooks have had their time.
_SETTLED_AFTER: Final = timedelta(hours=1)
_PAGE: Final = 100
_MOST_DOUBTS: Final = 100


class Records(Protocol):
    """What we believe, of all stores; every method is one transaction."""

    async def unsettled(self, before: datetime, after: str, limit: int) -> list[Reserved]: ...
    async def refunds_told(self, ids: Sequence[str]) -> dict[str, RefundStatus]: ...
    async def disputes_told(self, provider: str) -> dict[str, DisputeStatus]: ...
    async def settle(self, known: Refund, told: ProviderRefund, at: datetime) -> Refund: ...
    async def apply(self, provider: str, event: ProviderEvent) -> None: ...


@dataclass
class _Look:
    """One look: how much was looked at, what was repaired, what is in doubt."""

    checked: int = 0
    repaired: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Janitor:
    records: Records
    providers: Mapping[str, Provider]

    async def mend(self, since: datetime, now: datetime) -> Mending:
        """Look at every refund that is open too long, and at what providers list since an instant.

        Raises:
            DependencyUnavailable: If a provider does not answer; what was repaired stays so.
        """
        look = _Look()
        await self._open_refunds(look, now)
        for name, provider in self.providers.items():
            await self._listed_refunds(look, name, provider, since)
            await self._listed_disputes(look, name, provider, since, now)
        return Mending(look.checked, tuple(look.repaired), tuple(look.doubts[:_MOST_DOUBTS]))

    async def _open_refunds(self, look: _Look, now: datetime) -> None:
        after = ""
        while page := await self.records.unsettled(now - _SETTLED_AFTER, after, _PAGE):
            for reserved in page:
                look.checked += 1
                await self._settle(look, reserved, now)
            after = page[-1].refund.intent.refund_id

    async def _settle(self, look: _Look, reserved: Reserved, now: datetime) -> None:
        """Settle a refund by what its provider knows of it; nothing is asked for."""
        refund, provider = reserved.refund, self.providers[reserved.payment.provider]
        told = await self._told(reserved, provider)
        if told is None:
            look.doubts.append(_doubt(refund, "refund_never_arrived"))
            return
        if refund.provider_refund_id is None:
            # First it is told apart from a stranger's, then it is settled as its webhook would.
            refund = await self.records.settle(refund, replace(told, status=refund.status), now)
        if told.status is not refund.status:
            event_id = derived_id("listed", refund.intent.refund_id, told.status)
            await self.records.apply(reserved.payment.provider, ProviderEvent(event_id, now, told))
            look.repaired.append(refund.intent.refund_id)

    async def _told(self, reserved: Reserved, provider: Provider) -> ProviderRefund | None:
        if reserved.refund.provider_refund_id is not None:
            return await provider.look_up(reserved.refund.provider_refund_id)
        if reserved.provider_ref is None:
            return None
        return await provider.find(reserved.refund.intent, reserved.provider_ref)

    async def _listed_refunds(self, look: _Look, name: str, provider: Provider, since: datetime) -> None:
        page: list[ProviderRefund] = []
        async for told in provider.refunds():
            if told.created_at is not None and told.created_at < since:
                break
            page.append(told)
            if len(page) == _PAGE:
                await self._hear_refunds(look, name, page)
                page = []
        await self._hear_refunds(look, name, page)

    async def _hear_refunds(self, look: _Look, name: str, page: list[ProviderRefund]) -> None:
        """Book the refunds of a page that were made outside, and those that moved on without a word."""
        look.checked += len(page)
        known = await self.records.refunds_told([str(told.provider_refund_id) for told in page])
        for told in page:
            before = known.get(str(told.provider_refund_id))
            # Ours, and not known by its provider's id: it is still being asked for, or open too long.
            is_ours = before is None and told.refund_id is not None
            # What contradicts us is no news that a webhook could bring: the reconciliation report names it.
            is_news = before is None or told.status in TRANSITIONS[before]
            if is_ours or not is_news or told.created_at is None:
                continue
            event_id = derived_id("listed", str(told.provider_refund_id), told.status)
            await self.records.apply(name, ProviderEvent(event_id, told.created_at, told))
            look.repaired.append(str(told.provider_refund_id))

    async def _listed_disputes(
        self, look: _Look, name: str, provider: Provider, since: datetime, now: datetime
    ) -> None:
        known = await self.records.disputes_told(name)
        async for told in provider.disputes():
            if told.opened_at < since:
                break
            look.checked += 1
            if known.get(told.provider_dispute_id) is not told.status:
                await self._hear_dispute(look, name, told, now)

    async def _hear_dispute(self, look: _Look, name: str, told: ProviderDispute, now: datetime) -> None:
        event_id = derived_id("listed", told.provider_dispute_id, now.isoformat())
        await self.records.apply(name, ProviderEvent(event_id, now, dispute=told))
        look.repaired.append(told.provider_dispute_id)


def _doubt(refund: Refund, why: str) -> Doubt:
    intent = refund.intent
    return Doubt(intent.store_id, intent.payment_id, intent.refund_id, intent.case_id or None, why)
