"""Rejected goods: every rejection is decided on for itself, line by line."""

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import Action, CaseSnapshot, Reason, RequestedLine
from services.domain.errors import ActionNotAllowed
from services.domain.facts import FactKind
from services.domain.ids import LineId, rma_for
from services.domain.logistics import Inspection
from tests.builders import a_line, an_order, judged
from tests.fixtures.temporal import CUSTOMER, SUPERVISOR, Stage
from workflows.messages import Choose, Escalate


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


async def test_goods_that_come_while_the_customer_chooses_go_first(stage: Stage) -> None:
    """The third unit is judged and paid within its own time; the choice keeps what it had left."""
    await stage.sell()
    await stage.open(quantity=3)
    await stage.receive(2)
    await stage.inspect(accepted=0, rejected=2)
    promised = (await stage.until("inspection_rejected")).waiting_on.until
    await stage.receive(1)
    assert (await stage.until("inspecting")).options == ()
    await stage.advance(hours=12)
    await stage.inspect(accepted=1)
    case = await stage.until("inspection_rejected")

    assert [refund.status for refund in case.refunds] == ["succeeded"]
    assert [option.option_id for option in case.options] == ["send_back", "dispose"]
    moved = case.waiting_on.until - promised
    assert timedelta(hours=12) <= moved < timedelta(hours=12, minutes=5)
    assert stage.told().count("inspection_rejected") == 1
    closed = await stage.command("choose", Choose(CUSTOMER, "dispose"))
    assert (counts(closed), closed.outcome) == ({"1": (1, 2, 1)}, "partially_refunded")
