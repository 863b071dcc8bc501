"""The dock expects the goods, and the customer gets a label: at once, later, or not at all."""

import pytest

from services.domain.ids import rma_for
from tests.builders import an_expected_return
from tests.fixtures.temporal import CUSTOMER, Stage
from workflows.messages import OpenCase, Withdraw


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
