"""The relay: facts from the services' outboxes to the cases they concern, at least once.

A fact that no running case takes (it ended, or there is none) becomes a task for a person. What cannot be
delivered now keeps its lease until that lapses, and is handed out again.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from services.domain.case import PREFIXES, CaseKind, CaseSnapshot, RefundStatus
from services.domain.dispute import QUIET
from services.domain.errors import CaseNotFound, RecourseError
from services.domain.facts import DisputeChanged, Fact, FactKind
from services.domain.ids import RefundId, TaskId, derived_id
from services.domain.inbox import InboxTask
from services.platform.grpc_errors import ServiceFault

log = structlog.get_logger()

_BATCH: Final = 100
_LEASE_SECONDS: Final = 20
_WAIT_SECONDS: Final = 15
_PAUSE_SECONDS: Final = 1.0
_PERSON_ANSWERS_WITHIN: Final = timedelta(days=2)
_KINDS: Final = {prefix: kind for kind, prefix in PREFIXES.items()}


class Source(Protocol):
    """A service's outbox."""

    async def pull(
        self, limit: int, lease_seconds: int, wait_seconds: int, delivered: Sequence[str] = ()
    ) -> list[Fact]: ...


class CaseBook(Protocol):
    async def tell(self, kind: CaseKind, case_id: str, fact: Fact) -> bool: ...


class Casework(Protocol):
    """What became of a case that has ended, and the people who see to what it cannot."""

    async def get(self, store_id: str, case_id: str) -> CaseSnapshot: ...
    async def open_task(self, task: InboxTask) -> InboxTask: ...


@dataclass(frozen=True, slots=True)
class Relay:
    """Runs one loop per source; several relays may run at once."""

    sources: Mapping[str, Source]
    cases: CaseBook
    casework: Casework

    async def run(self) -> None:
        """Relay until cancelled."""
        await asyncio.gather(*(self._follow(name, source) for name, source in self.sources.items()))

    async def _follow(self, name: str, source: Source) -> None:
        delivered: list[str] = []
        while True:
            try:
                delivered = await self.relay_once(source, _WAIT_SECONDS, delivered)
            except (RecourseError, ServiceFault) as error:
                log.warning("relay.paused", source=name, error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def relay_once(self, source: Source, wait_seconds: int, delivered: Sequence[str] = ()) -> list[str]:
        """Pull a batch and deliver it; returns what was delivered, for the next pull to acknowledge.

        An acknowledgement of its own would be one more call for nearly every fact: most come alone.
        """
        facts = await source.pull(_BATCH, _LEASE_SECONDS, wait_seconds, delivered)
        parts = await asyncio.gather(*(self._deliver_in_turn(part) for part in _by_case(facts)))
        return [event_id for part in parts for event_id in part]

    async def _deliver_in_turn(self, facts: list[Fact]) -> list[str]:
        """Deliver the facts of one case in their order; the rest waits behind one that fails."""
        done: list[str] = []
        for fact in facts:
            try:
                await self._deliver(fact)
            except (RecourseError, ServiceFault) as error:
                log.warning("fact.undelivered", event_id=fact.event_id, kind=fact.kind, error=str(error))
                break
            except Exception as error:  # noqa: BLE001 — one fact never stops the others; it is tried again
                log.warning("fact.broke", event_id=fact.event_id, kind=fact.kind, error=type(error).__name__)
                break
            done.append(fact.event_id)
        return done

    async def _deliver(self, fact: Fact) -> None:
        kind = _KINDS.get(fact.case_id.partition("-")[0]) if fact.case_id else None
        if fact.case_id and kind and await self.cases.tell(kind, fact.case_id, fact):
            return
        if task := task_for(fact, moved_twice=await self._has_moved_twice(fact)):
            await self.casework.open_task(task)

    async def _has_moved_twice(self, fact: Fact) -> bool:
        """Tell whether a refund moved without which its case has ended: finance had paid it outside."""
        refund = fact.refund
        if refund is None or refund.status is not RefundStatus.SUCCEEDED or not fact.case_id:
            return False
        try:
            case = await self.casework.get(fact.store_id, fact.case_id)
        except CaseNotFound:
            return False
        legs = {leg.refund_id: leg.status for leg in case.refunds}
        return legs.get(refund.refund_id or RefundId(""), refund.status) is not RefundStatus.SUCCEEDED


def _by_case(facts: Iterable[Fact]) -> list[list[Fact]]:
    parts: dict[str, list[Fact]] = {}
    for fact in facts:
        parts.setdefault(fact.case_id or fact.event_id, []).append(fact)
    return list(parts.values())


# What a person has to see to when no running case does: queue and title.
_TASKS: Final[Mapping[FactKind, tuple[str, str]]] = {
    FactKind.GOODS_RECEIVED: ("warehouse", "Goods came that no open case expects"),
    FactKind.GOODS_INSPECTED: ("warehouse", "Goods were inspected that no open case expects"),
    FactKind.MESSAGE_BOUNCED: ("agent", "A message of a case that has ended did not arrive"),
    FactKind.REFUND_CHANGED: ("finance", "A refund changed that no open case follows"),
    FactKind.DISPUTE_CHANGED: ("finance", "A payment is disputed: see what the bank asks, and until when"),
}


def task_for(fact: Fact, *, moved_twice: bool = False) -> InboxTask | None:
    """Return the task that a fact without a running case becomes; None when it needs nobody."""
    if fact.kind not in _TASKS or (_is_expected(fact) and not moved_twice):
        return None
    queue, title = _TASKS[fact.kind]
    about: dict[str, str | None] = {
        "event_id": fact.event_id,
        "case_id": fact.case_id,
        "order_id": fact.order_id,
    }
    if fact.receipt:
        about |= {"receipt_id": fact.receipt.receipt_id, "scan": fact.receipt.scan}
    if fact.refund:
        amount = fact.refund.amount
        about |= {
            "payment_id": fact.refund.payment_id,
            "amount": f"{amount.minor_units} {amount.currency}",
            "status": fact.refund.status,
        }
    if fact.dispute:
        about |= _about_dispute(fact.dispute)
    return InboxTask(
        task_id=TaskId(derived_id("fact", fact.event_id)),
        store_id=fact.store_id,
        queue=queue,
        kind="paid_twice" if moved_twice else f"stray_{fact.kind}",
        title="A refund moved that finance had paid outside" if moved_twice else title,
        due_at=_due(fact),
        context={name: value for name, value in about.items() if value},
        outcomes=("done",),
    )


def _about_dispute(dispute: DisputeChanged) -> dict[str, str | None]:
    return {
        "dispute_id": dispute.dispute_id,
        "payment_id": dispute.payment_id,
        "amount": f"{dispute.amount.minor_units} {dispute.amount.currency}",
        "status": dispute.status,
        "reason": dispute.reason,
        "due_by": dispute.due_by.isoformat() if dispute.due_by else None,
    }


def _due(fact: Fact) -> datetime:
    """Return until when a person has to answer: in two days, or before the bank's own deadline."""
    due = fact.occurred_at + _PERSON_ANSWERS_WITHIN
    by_bank = fact.dispute.due_by if fact.dispute else None
    return min(due, by_bank) if by_bank else due


def _is_expected(fact: Fact) -> bool:
    """A refund of ours that ended well after its case did, or a dispute that only moves on, asks nothing."""
    if fact.dispute is not None:
        return fact.dispute.status in QUIET
    refund = fact.refund
    return refund is not None and refund.refund_id is not None and refund.status is RefundStatus.SUCCEEDED
