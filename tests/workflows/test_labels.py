"""The dock expects the goods, and the customer gets a label: at once, later, or not at all."""

from datetime import datetime, timedelta

import pytest

from services.domain.ids import rma_for
from services.domain.message import Message
from tests.builders import an_expected_return
from tests.fixtures.temporal import AGENT, CUSTOMER, Stage
from workflows.messages import Extend, OpenCase, Withdraw


async def takes_the_rma(stage: Stage, request: OpenCase) -> None:
    """Let the dock expect something else under the case's RMA: it refuses the case's own goods."""
    await stage.world.warehouse.authorize(an_expected_return(rma=rma_for(request.case_id)))


def said(stage: Stage) -> list[str]:
    return [entry.what for entry in stage.world.register.timeline(stage.case_id)]


@pytest.mark.parametrize("tries", [0, 1], ids=["at once", "when it is back"])
async def test_a_label_that_is_refused_is_asked_for_by_a_person(stage: Stage, tries: int) -> None:
    """The dock refuses, also after it could not be reached: a supervisor sees to it, and the case waits."""
    await stage.sell()
    request = stage.request()
    await takes_the_rma(stage, request)
    stage.world.down("warehouse", calls=tries)
    opened = await stage.cases.open(request)
    await stage.until_true(lambda: "return_not_authorised" in said(stage))

    assert stage.open_tasks() == ["authorise_return"]
    assert (opened.phase, opened.return_) == ("awaiting_parcel", None)
    assert stage.told() == []


async def test_a_label_that_comes_after_a_withdrawal_is_not_told_of(stage: Stage) -> None:
    """The dock answers at last, and is told that nothing comes; the customer hears of the withdrawal."""
    await stage.sell()
    stage.world.down("warehouse")
    await stage.open()
    await stage.command("withdraw", Withdraw(CUSTOMER, "I keep it"))
    stage.world.up("warehouse")
    await stage.until_true(
        lambda: [e.what for e in stage.world.done("warehouse")] == ["authorized", "closed"]
    )

    assert stage.told() == ["case_withdrawn"]


def told_of(stage: Stage, template: str) -> Message:
    return next(said for said in stage.world.messages.taken.values() if said.template == template)


async def test_a_label_that_comes_late_leaves_the_whole_time_to_send(stage: Stage) -> None:
    """Nobody can send anything without a label: the time counts from it, as told and as waited for."""
    await stage.sell()
    stage.world.down("warehouse")
    opened = await stage.open()
    before = opened.waiting_on.until
    await stage.advance(minutes=5)
    stage.world.up("warehouse")
    # What has been tried for so long is tried again within five minutes.
    await stage.advance(minutes=5)
    await stage.until_true(lambda: "return_approved" in stage.told())

    told = told_of(stage, "return_approved")
    send_by = datetime.fromisoformat(told.values["send_by"])
    assert send_by - before >= timedelta(minutes=4)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].waiting_on.until == send_by)


async def test_the_time_to_send_that_is_told_is_the_one_in_force(stage: Stage) -> None:
    """Staff gave more time before the label came: that is what the customer hears."""
    await stage.sell()
    stage.world.down("warehouse")
    opened = await stage.open()
    until = opened.waiting_on.until + timedelta(days=10)
    await stage.command("extend", Extend(AGENT, until, "on holiday"))
    stage.world.up("warehouse")
    await stage.until_true(lambda: "return_approved" in stage.told())

    assert datetime.fromisoformat(told_of(stage, "return_approved").values["send_by"]) == until
    assert (await stage.now()).waiting_on.until == until
