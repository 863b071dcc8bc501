"""A case that finishes still takes what it is told: its last look is taken again before it ends."""

import asyncio

import pytest

from services.domain.case import Action, CaseStatus, RefundStatus
from services.domain.facts import FactKind, MessageBounced
from tests.fixtures.temporal import AGENT, CUSTOMER, Stage
from tests.workflows.test_returned_money import bank_returns
from workflows.messages import Confirm


async def refunded(stage: Stage, quantity: int = 2, accepted: int = 2) -> None:
    """Open a return, have some of it accepted, and close it."""
    await stage.sell()
    await stage.open(quantity)
    await stage.receive(accepted)
    await stage.inspect(accepted)
    if accepted < quantity:
        await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded)
        await stage.until("awaiting_parcel")
        await stage.advance(days=14, seconds=2)
    await stage.until("refunded" if accepted == quantity else "partially_refunded")


async def expired(stage: Stage) -> None:
    await stage.sell()
    await stage.open()
    await stage.advance(days=14, seconds=2)
    await stage.until("expired")


async def goes_on_without(stage: Stage, service: str) -> None:
    """Let the present wait run out while a service is down; what the case asks of it is left behind."""
    waiting = (await stage.now()).waiting_on
    assert waiting is not None
    now = await stage.advance(seconds=1)
    stage.world.down(service)
    before = asked_of(stage, service)
    # No further than needed: what is tried again is tried ever more rarely.
    await stage.advance(seconds=(waiting.until - now).total_seconds())
    await stage.until_true(lambda: asked_of(stage, service) > before)


def asked_of(stage: Stage, service: str) -> int:
    """Return how often a service has been asked for something."""
    return sum(call.service == service for call in stage.world.board.calls)


def left(stage: Stage, kind: str) -> int:
    """Return how many tasks of that kind the stage's cases have left."""
    return sum(task.kind == kind for task in stage.world.register.tasks.values())


async def test_money_that_comes_back_while_a_case_finishes_is_seen_to(stage: Stage) -> None:
    """The bank's refusal comes after the last look, the register being down: the case opens again."""
    await refunded(stage)
    await stage.advance(days=3, seconds=2)
    await goes_on_without(stage, "casework")
    await bank_returns(stage)
    stage.world.up("casework")

    assert (await stage.until("refunding")).status is CaseStatus.OPEN
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    await stage.complete("refund_stuck", "retry", AGENT)
    closed = await stage.until("refunded")
    assert [refund.status for refund in closed.refunds] == [RefundStatus.FAILED, RefundStatus.SUCCEEDED]


@pytest.mark.parametrize("is_inspected", [False, True], ids=["received", "inspected"])
async def test_goods_that_come_while_a_case_finishes_are_paid(stage: Stage, is_inspected: bool) -> None:  # noqa: FBT001
    """A parcel is recorded after the last look at a return that expired: its goods are judged and paid."""
    await expired(stage)
    await goes_on_without(stage, "casework")
    if is_inspected:
        await stage.inspect(accepted=2)
    else:
        await stage.receive(2)
    stage.world.up("casework")
    if not is_inspected:
        await stage.until("inspecting")
        await stage.inspect(accepted=2)

    closed = await stage.until("refunded")
    assert [refund.amount.minor_units for refund in closed.refunds] == [510]


async def test_goods_that_come_while_an_errand_catches_up_are_paid(stage: Stage) -> None:
    """All is published, only a message is still to be said: the case takes what it is told meanwhile."""
    await refunded(stage, quantity=3)
    await goes_on_without(stage, "notification")
    await stage.command("confirm", Confirm(CUSTOMER, ok=True, score=5))
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].waiting_on is None)
    await stage.receive(1)
    await stage.inspect(accepted=1)
    stage.world.up("notification")

    closed = await stage.until("refunded")
    assert sum(refund.amount.minor_units for refund in closed.refunds) == 765


async def test_a_task_that_comes_up_while_a_case_finishes_is_left(stage: Stage) -> None:
    """A message bounced, and an empty box came: nothing to reopen a case for, but people hear of both."""
    await refunded(stage)
    await stage.advance(days=3, seconds=2)
    await goes_on_without(stage, "casework")
    await stage.tell(FactKind.MESSAGE_BOUNCED, bounce=MessageBounced("m1", "refund_succeeded"))
    await stage.receive(0)
    stage.world.up("casework")

    result = await stage.client.get_workflow_handle(f"{stage.kind}/{stage.case_id}").result()
    assert result["outcome"] == "refunded"
    assert stage.open_tasks() == ["message_bounced", "empty_box"]
    told = [entry.what for entry in stage.world.register.timeline(stage.case_id)]
    assert {"message_bounced", "goods_received"} <= set(told)


async def test_a_customer_is_asked_for_a_score_once(stage: Stage) -> None:
    """Rated badly, reopened while it finished, paid again: nothing more is asked, and one task is left."""
    await refunded(stage)
    await stage.advance(days=3, seconds=2)
    stage.world.down("casework")
    rating = asyncio.create_task(stage.command("confirm", Confirm(CUSTOMER, ok=False, score=1)))
    await stage.until_true(lambda: stage.world.board.calls[-1].what == "open_task")
    await bank_returns(stage)
    stage.world.up("casework")
    await rating
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    await stage.complete("refund_stuck", "retry", AGENT)
    await stage.until("refunded")
    await stage.advance(days=3, seconds=2)

    case = await stage.now()
    assert case.waiting_on is not None
    assert case.waiting_on.action is Action.FOLLOW_UP
    assert stage.told().count("satisfaction_question") == 1
    assert left(stage, "low_score") == 1
