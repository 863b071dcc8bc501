"""Rejected goods: every rejection is decided on for itself, line by line."""

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import Action, CaseSnapshot, Reason, RequestedLine
from services.domain.errors import ActionNotAllowed
from services.domain.facts import FactKind
from services.domain.ids import LineId, rma_for
from services.domain.logistics import Inspection
from tests.builders import a_line, an_order, judged
from tests.fixtures.temporal import AGENT, CUSTOMER, SUPERVISOR, Stage
from workflows.messages import Choose, Escalate, Extend


async def inspect(stage: Stage, name: str, **rejected: int) -> None:
    """The dock rejects so many units of each line (``line_1=2``); they came with it."""
    rows = tuple(
        judged(line.removeprefix("line_"), count, accepted=False) for line, count in rejected.items()
    )
    inspection = Inspection(name, rma_for(stage.case_id), datetime.now(UTC), rows)
    assert await stage.tell(FactKind.GOODS_INSPECTED, inspection=inspection)


async def send_back(stage: Stage) -> CaseSnapshot:
    await stage.until("inspection_rejected")
    await stage.command("choose", Choose(CUSTOMER, "send_back"))
    return await stage.until("awaiting_parcel")


async def overturn(stage: Stage) -> None:
    await stage.until("inspection_rejected")
    await stage.command("escalate", Escalate(CUSTOMER, "it was sealed"))
    await stage.complete("review_rejection", "accept_goods", SUPERVISOR)


def counts(case: CaseSnapshot) -> dict[str, tuple[int, int, int]]:
    return {line.line_id: (line.accepted, line.rejected, line.refunded) for line in case.lines}


@pytest.mark.rule("S248")
async def test_what_is_overturned_later_leaves_an_earlier_rejection(stage: Stage) -> None:
    """One of line 1 goes back to the customer; a supervisor accepts the second parcel's, and no more."""
    order = an_order(
        a_line("1", quantity=3, unit_price=100),
        a_line("2", quantity=2, unit_price=1000),
        placed_at=datetime.now(UTC) - timedelta(days=5),
    )
    await stage.sell(order)
    wanted = ((LineId("1"), 3), (LineId("2"), 2))
    await stage.open(lines=tuple(RequestedLine(line, count, Reason.CHANGED_MIND) for line, count in wanted))
    await inspect(stage, "first", line_1=1)
    await send_back(stage)
    await inspect(stage, "second", line_1=2, line_2=2)
    await overturn(stage)

    closed = await stage.until("partially_refunded")
    assert counts(closed) == {"1": (2, 1, 2), "2": (2, 0, 2)}
    assert [refund.amount.minor_units for refund in closed.refunds] == [2200]
    assert stage.task("send_back_rejected").context["units"] == "1"


@pytest.mark.rule("S248")
async def test_a_later_rejection_is_asked_about_though_an_earlier_one_was_overturned(stage: Stage) -> None:
    """The first parcel's unit was accepted after all; the customer decides on the second parcel's alone."""
    await stage.sell()
    await stage.open(quantity=3)
    await inspect(stage, "first", line_1=1)
    await overturn(stage)
    await stage.until("awaiting_parcel")
    await inspect(stage, "second", line_1=2)
    case = await stage.until("inspection_rejected")
    assert [option.option_id for option in case.options] == ["send_back", "dispose"]
    closed = await stage.command("choose", Choose(CUSTOMER, "dispose"))

    assert counts(closed) == {"1": (1, 2, 1)}
    assert stage.task("dispose_rejected").context["units"] == "2"


async def test_the_choice_outlives_an_objection(stage: Stage) -> None:
    """A supervisor upholds the rejection: until the day that was promised, the customer still chooses."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=0, rejected=2)
    promised = (await stage.until("inspection_rejected")).waiting_on.until
    await stage.command("escalate", Escalate(CUSTOMER, "it was sealed"))
    assert stage.task("review_rejection").context["objection"] == "it was sealed"
    case = await stage.complete("review_rejection", "uphold", SUPERVISOR)

    assert (case.waiting_on.action, case.waiting_on.until) == (Action.CHOOSE, promised)
    assert [option.option_id for option in case.options] == ["send_back", "dispose"]
    with pytest.raises(ActionNotAllowed):
        await stage.command("escalate", Escalate(CUSTOMER, "it was sealed, really"))
    await stage.command("choose", Choose(CUSTOMER, "dispose"))
    await stage.until("rejected")
    assert (stage.open_tasks(), stage.told().count("inspection_rejected")) == (["dispose_rejected"], 2)


async def two_of_three_are_rejected(stage: Stage) -> CaseSnapshot:
    """The third unit has not come yet."""
    await stage.sell()
    await stage.open(quantity=3)
    await stage.receive(2)
    await stage.inspect(accepted=0, rejected=2)
    return await stage.until("inspection_rejected")


async def is_paid(stage: Stage) -> None:
    await stage.until_true(
        lambda: (
            [refund.status for refund in stage.world.register.cases[stage.case_id].refunds] == ["succeeded"]
        )
    )


async def test_goods_that_come_while_the_customer_chooses_go_first(stage: Stage) -> None:
    """The third unit is judged and paid within its own time; what was promised for the others stands."""
    case = await two_of_three_are_rejected(stage)
    promised, options = case.waiting_on.until, case.options
    await stage.receive(1)
    assert (await stage.until("inspecting")).options == options
    await stage.advance(hours=12)
    await stage.inspect(accepted=1)
    await is_paid(stage)
    case = await stage.until("inspection_rejected")

    assert (case.waiting_on.until, case.options) == (promised, options)
    assert stage.told().count("inspection_rejected") == 1
    closed = await stage.command("choose", Choose(CUSTOMER, "dispose"))
    assert (counts(closed), closed.outcome) == ({"1": (1, 2, 1)}, "partially_refunded")


async def test_a_choice_is_taken_while_other_goods_are_looked_at(stage: Stage) -> None:
    """The customer was told to choose, and may, whatever else the dock is busy with."""
    await two_of_three_are_rejected(stage)
    await stage.receive(1)
    await stage.until("inspecting")
    await stage.command("choose", Choose(CUSTOMER, "dispose"))
    await stage.inspect(accepted=1)

    assert (await stage.until("partially_refunded")).lines[0].refunded == 1
    assert stage.task("dispose_rejected").context["units"] == "2"


@pytest.mark.parametrize("come", ["during the second look", "after it"])
async def test_goods_wait_for_no_second_look(stage: Stage, come: str) -> None:
    """A unit that comes while a supervisor looks again, or after that, is paid; then the look goes on."""
    promised = (await two_of_three_are_rejected(stage)).waiting_on.until
    await stage.command("escalate", Escalate(CUSTOMER, "it was sealed"))
    if come == "after it":
        await stage.complete("review_rejection", "uphold", SUPERVISOR)
    await stage.receive(1)
    await stage.inspect(accepted=1)
    await is_paid(stage)
    await stage.until("inspection_rejected")
    if come != "after it":
        await stage.until_true(lambda: stage.open_tasks() == ["review_rejection"])
        await stage.complete("review_rejection", "uphold", SUPERVISOR)

    case = await stage.now()
    assert (case.waiting_on.action, case.waiting_on.until) == (Action.CHOOSE, promised)
    assert stage.told().count("inspection_rejected") == 2


async def test_time_given_for_one_choice_is_not_the_next_one_s(stage: Stage) -> None:
    """A hundred days more to choose of the first unit; the second has the days that its mail says."""
    await stage.sell()
    await stage.open(quantity=2)
    await stage.receive(1)
    await stage.inspect(accepted=0, rejected=1)
    until = (await stage.until("inspection_rejected")).waiting_on.until
    await stage.command("extend", Extend(AGENT, until + timedelta(days=100), "on holiday"))
    await stage.command("choose", Choose(CUSTOMER, "dispose"))
    await stage.until("awaiting_parcel")
    await stage.receive(1)
    await stage.inspect(accepted=0, rejected=1)
    case = await stage.until("inspection_rejected")

    mail = [said for said in stage.world.messages.taken.values() if said.template == "inspection_rejected"][
        -1
    ]
    assert mail.values["answer_by"] == case.waiting_on.until.isoformat()
    assert case.waiting_on.until - case.opened_at < timedelta(days=25)
