"""What a case has answered stays true: a command taken while a service is away decides what becomes of it."""

import asyncio
from datetime import datetime

from services.domain.case import Action, CaseSnapshot, CaseStatus, Party
from tests.fixtures.temporal import CUSTOMER, SUPERVISOR, Stage
from workflows.messages import AddNote, Escalate, Withdraw


def known(stage: Stage) -> CaseSnapshot:
    return stage.world.register.cases[stage.case_id]


def waits_for_the_shop(stage: Stage) -> bool:
    waiting = known(stage).waiting_on
    return waiting is not None and (waiting.party, waiting.action) == (Party.MERCHANT, Action.RESUME)


async def runs_out(stage: Stage, **time: float) -> "asyncio.Task[datetime]":
    """Let the time that is left run out with the order service down; the case waits for the shop then."""
    stage.world.down("order")
    running = asyncio.create_task(stage.advance(**time))
    await stage.until_true(lambda: waits_for_the_shop(stage))
    return running


async def test_a_withdrawal_while_a_case_is_undone_counts(stage: Stage) -> None:
    """Time ran out, the units cannot be given back yet: what the customer is told then is what happens."""
    await stage.sell()
    await stage.open()
    await stage.until_true(lambda: "return_approved" in stage.told())
    await stage.advance(days=13, hours=23)
    clock = await runs_out(stage, hours=1, seconds=1)
    taken = await stage.command("withdraw", Withdraw(CUSTOMER, "I keep them"))
    assert taken.status is CaseStatus.OPEN
    stage.world.up("order")
    await stage.until_true(lambda: known(stage).status is CaseStatus.CLOSED)
    await asyncio.gather(clock, return_exceptions=True)

    assert known(stage).outcome == "withdrawn"
    assert stage.told()[-1] == "case_withdrawn"
    assert "parcel_expired" not in stage.told()


async def test_an_overturned_refusal_is_answered_while_the_order_service_is_away(stage: Stage) -> None:
    """The supervisor's word is taken at once; the units are held when the service is back."""
    await stage.sell(delivered_days_ago=15)
    await stage.open()
    await stage.command("escalate", Escalate(CUSTOMER, "in hospital"))
    stage.world.down("order")
    await stage.complete("review_escalation", "overturn", SUPERVISOR)
    assert waits_for_the_shop(stage)
    await stage.command("add_note", AddNote(SUPERVISOR, "called the customer"))
    stage.world.up("order")

    await stage.until("awaiting_parcel")
    assert (await stage.world.orders.get("demo", "536365")).remaining("1") == 4


async def test_late_goods_are_answered_for_while_the_order_service_is_away(stage: Stage) -> None:
    """Goods that reopen a case are shown to be looked at before their units can be taken again."""
    await stage.sell()
    await stage.open()
    await stage.advance(days=14, minutes=1)
    await stage.until("expired")
    stage.world.down("order")
    await stage.receive(2)
    await stage.until_true(lambda: waits_for_the_shop(stage))
    noted = await stage.command("add_note", AddNote(SUPERVISOR, "it came at last"))
    assert (noted.status, noted.phase) == (CaseStatus.OPEN, "inspecting")
    stage.world.up("order")

    await stage.inspect(accepted=2)
    assert (await stage.until("refunded")).lines[0].refunded == 2
