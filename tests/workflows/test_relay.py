"""Facts reach their case at least once and in order; what no case takes becomes a task."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import RefundStatus
from services.domain.dispute import DisputeStatus
from services.domain.errors import DependencyUnavailable
from services.domain.facts import DisputeChanged, Fact, FactKind, RefundChanged
from services.domain.ids import CaseId, EventId, PaymentId, RefundId
from services.domain.logistics import Receipt, ReceivedLine
from services.domain.money import Money
from tests.builders import NOW, STORE, a_policy_with_timers
from tests.fixtures.temporal import Stage
from workflows.relay import Relay, task_for


@dataclass
class Outbox:
    """A service's outbox: a fact is handed out until it is said to be delivered."""

    facts: list[Fact] = field(default_factory=list)
    pulls: int = 0
    down_at: tuple[int, ...] = ()

    async def pull(
        self, limit: int, lease_seconds: int, wait_seconds: int, delivered: Sequence[str] = ()
    ) -> list[Fact]:
        self.pulls += 1
        if self.pulls in self.down_at:
            raise DependencyUnavailable("down")
        self.facts = [fact for fact in self.facts if fact.event_id not in delivered]
        if not self.facts:
            await asyncio.sleep(wait_seconds)
        return self.facts[:limit]


def a_receipt(case_id: str | None, event_id: str = "e1") -> Fact:
    receipt = Receipt(event_id, "RMA", datetime.now(UTC), (ReceivedLine(2, sku="SKU-1"),))
    return Fact(
        EventId(event_id),
        FactKind.GOODS_RECEIVED,
        datetime.now(UTC),
        STORE,
        case_id and CaseId(case_id),
        receipt=receipt,
    )


def a_refund(status: RefundStatus, refund_id: str | None = None) -> Fact:
    changed = RefundChanged(PaymentId("p"), Money(100, "GBP"), status, refund_id and RefundId(refund_id))
    return Fact(EventId("e1"), FactKind.REFUND_CHANGED, datetime.now(UTC), STORE, refund=changed)


def a_dispute(status: DisputeStatus, due_by: datetime | None = None) -> Fact:
    changed = DisputeChanged("d1", PaymentId("p"), Money(100, "GBP"), status, "fraudulent", due_by)
    return Fact(EventId("e1"), FactKind.DISPUTE_CHANGED, NOW, STORE, dispute=changed)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def relay(stage: Stage, outbox: Outbox) -> Relay:
    return Relay({"warehouse": outbox}, stage.cases, stage.world.register)


async def test_a_fact_reaches_its_case_and_is_acknowledged(
    stage: Stage, relay: Relay, outbox: Outbox
) -> None:
    """Delivered, it is never handed out again, although the service went away before it could be told."""
    await stage.sell()
    await stage.open()
    outbox.facts.append(a_receipt(stage.case_id))
    outbox.down_at = (2,)
    relaying = asyncio.create_task(relay.run())

    await stage.until("inspecting")
    async with asyncio.timeout(60):
        while outbox.facts:
            await asyncio.sleep(0.01)
    relaying.cancel()
    assert outbox.pulls == 3


@pytest.mark.parametrize("case_id", [None, "RT-0000-0000", "XX-0000-0000"])
async def test_goods_of_no_case_become_a_task(
    stage: Stage, relay: Relay, outbox: Outbox, case_id: str | None
) -> None:
    """An unknown parcel, a case that ended, a kind nobody knows: a person sees to it, once."""
    fact = a_receipt(case_id)
    for _ in range(2):
        outbox.facts = [fact]
        assert await relay.relay_once(outbox, 0) == [fact.event_id]

    assert stage.open_tasks() == ["stray_goods_received"]


async def test_what_cannot_be_delivered_stays_and_keeps_its_order(
    stage: Stage, relay: Relay, outbox: Outbox
) -> None:
    """While the inbox is down nothing is acknowledged, and nothing behind it overtakes."""
    stage.world.down("casework")
    outbox.facts += [a_receipt("RT-0000-0000", "e1"), a_receipt("RT-0000-0000", "e2")]
    assert await relay.relay_once(outbox, 0) == []

    stage.world.up("casework")
    assert await relay.relay_once(outbox, 0) == ["e1", "e2"]


async def test_a_fact_that_breaks_its_delivery_stops_no_other(
    stage: Stage, relay: Relay, outbox: Outbox
) -> None:
    """What cannot even be written down stays, and is tried again; the next case's fact is delivered."""
    await stage.sell()
    await stage.open()
    outbox.facts += [a_receipt(stage.case_id, "\ud800"), a_receipt("RT-0000-0000", "e2")]

    assert await relay.relay_once(outbox, 0) == ["e2"]


@pytest.mark.parametrize(
    ("fact", "queue"),
    [
        (a_refund(RefundStatus.SUCCEEDED), "finance"),
        (a_refund(RefundStatus.FAILED, "r1"), "finance"),
        (a_refund(RefundStatus.SUCCEEDED, "r1"), None),
        (a_dispute(DisputeStatus.NEEDS_RESPONSE), "finance"),
        (a_dispute(DisputeStatus.LOST), "finance"),
        (a_dispute(DisputeStatus.WON), None),
    ],
    ids=["made outside", "failed late", "ours, arrived", "disputed", "lost", "won"],
)
def test_finance_hears_of_what_it_has_to_see_to(fact: Fact, queue: str | None) -> None:
    """A refund made outside, or failed after its case ended, is finance's; an arrived one nobody's."""
    task = task_for(fact)
    assert (task.queue if task else None) == queue


@pytest.mark.parametrize("method", ["card_refund_pending", "card"])
async def test_a_refund_that_moves_after_its_case_has_ended(
    stage: Stage, relay: Relay, outbox: Outbox, method: str
) -> None:
    """One that finance had paid outside is paid twice now; one that the case saw move asks nobody."""
    stage.policy = a_policy_with_timers(provider_pending_days=0)
    await stage.sell()
    stage.world.payments.behave("pay_536365", method)
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=2)
    if method == "card_refund_pending":
        await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"])
        await stage.complete("refund_stuck", "settled_outside")
    (refund,) = (await stage.until("refunded")).refunds
    await stage.advance(days=60)
    moved = RefundChanged(refund.payment_id, refund.amount, RefundStatus.SUCCEEDED, refund.refund_id)
    fact = Fact(EventId("e1"), FactKind.REFUND_CHANGED, NOW, STORE, stage.case_id, refund=moved)
    outbox.facts.append(fact)

    assert not await stage.cases.tell(stage.kind, stage.case_id, fact)
    assert await relay.relay_once(outbox, 0) == ["e1"]
    assert stage.open_tasks() == (["paid_twice"] if method == "card_refund_pending" else [])


@pytest.mark.parametrize(("days", "due"), [(1, 1), (20, 2), (None, 2)])
def test_finance_has_until_the_bank_s_own_deadline_at_most(days: int | None, due: int) -> None:
    """Two days as for everything, or less where the bank takes no later answer."""
    task = task_for(a_dispute(DisputeStatus.NEEDS_RESPONSE, days and NOW + timedelta(days=days)))
    assert task is not None
    assert task.due_at == NOW + timedelta(days=due)


async def test_a_source_that_is_down_is_tried_again(relay: Relay) -> None:
    """The relay passes on what it could not do."""
    with pytest.raises(DependencyUnavailable):
        await relay.relay_once(Outbox(down_at=(1,)), 0)
