"""Whatever is accepted is paid, whenever it was judged; a service that is away holds up only its own part."""

import pytest
from temporalio.client import Client

from services.domain.case import Action, CaseStatus, Party, RefundStatus
from services.domain.errors import ActionNotAllowed
from services.domain.facts import RefundChanged
from tests.fixtures.temporal import CUSTOMER, Stage
from workflows.hosting import case_worker
from workflows.messages import Choose, Escalate, RegisterParcel, Withdraw


def paid(stage: Stage) -> int:
    refunds = stage.world.register.cases[stage.case_id].refunds
    return sum(refund.amount.minor_units for refund in refunds if refund.status == "succeeded")


async def test_a_unit_judged_while_money_is_on_its_way_is_paid_too(stage: Stage) -> None:
    """The provider has not moved the first two units' money when the third is accepted."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await stage.open(3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until("refunding")
    await stage.receive(1)
    await stage.inspect(accepted=1)
    for _ in range(4):
        await stage.advance(minutes=6)

    closed = await stage.until("refunded")
    assert (paid(stage), closed.lines[0].accepted, closed.lines[0].refunded) == (765, 3, 3)
    assert (await stage.world.orders.get("demo", "536365")).units_of("1").refunded == 3


async def two_of_three_are_on_their_way_to_the_bank(stage: Stage) -> None:
    """Two units are accepted, and their provider takes its time; the third has not come."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await stage.open(3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].refunds != ())


@pytest.mark.rule("S096")
async def test_goods_have_their_time_while_money_is_on_its_way(stage: Stage) -> None:
    """The dock is waited for from the receipt on; the provider is asked meanwhile, and what moved is told."""
    await two_of_three_are_on_their_way_to_the_bank(stage)
    await stage.receive(1)
    waiting = (await stage.until("inspecting")).waiting_on
    assert waiting is not None
    assert (waiting.party, waiting.action) == (Party.WAREHOUSE, Action.INSPECT_GOODS)
    for _ in range(2):
        await stage.advance(minutes=6)

    await stage.until_true(lambda: "refund_succeeded" in stage.told())
    assert (await stage.now()).phase == "inspecting"
    stage.world.payments.behave("pay_536365", "card")
    await stage.inspect(accepted=1)
    assert (await stage.until("refunded")).lines[0].refunded == 3


async def test_money_that_moves_during_an_inspection_is_settled(stage: Stage) -> None:
    """The late unit is rejected and nothing more is paid: what moved meanwhile counts as given back."""
    await two_of_three_are_on_their_way_to_the_bank(stage)
    await stage.receive(1)
    await stage.until("inspecting")
    for _ in range(2):
        await stage.advance(minutes=6)
    await stage.until_true(lambda: "refund_succeeded" in stage.told())
    await stage.inspect(accepted=0, rejected=1)
    await stage.until("inspection_rejected")
    await stage.command("choose", Choose(CUSTOMER, "dispose"))

    closed = await stage.until("partially_refunded")
    assert (closed.lines[0].refunded, closed.settled and closed.settled.refund.minor_units) == (
        2,
        paid(stage),
    )


async def test_a_second_parcel_is_followed_too(stage: Stage) -> None:
    """The customer names the parcel of what is still missing: the dock gets to know its number."""
    await stage.sell()
    await stage.open(3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: paid(stage) > 0)
    await stage.until("awaiting_parcel")
    await stage.command("register_parcel", RegisterParcel(CUSTOMER, "royal-mail", "RM2"))

    await stage.until_true(lambda: "registered" in [done.what for done in stage.world.done("warehouse")])
    assert (await stage.now()).phase == "awaiting_parcel"


async def test_what_is_accepted_is_paid_although_earlier_money_is_on_its_way(stage: Stage) -> None:
    """The third unit's money does not queue behind that of the first two."""
    await two_of_three_are_on_their_way_to_the_bank(stage)
    stage.world.payments.behave("pay_536365", "card")
    await stage.receive(1)
    await stage.inspect(accepted=1)

    def stand() -> list[str]:
        return [refund.status for refund in stage.world.register.cases[stage.case_id].refunds]

    await stage.until_true(lambda: stand() == ["pending", "succeeded"])
    assert stage.world.register.cases[stage.case_id].lines[0].refunded == 0
    for _ in range(2):
        await stage.advance(minutes=6)
    closed = await stage.until("refunded")
    assert (paid(stage), closed.lines[0].refunded) == (765, 3)
    assert stage.told().count("refund_succeeded") == 2


async def test_goods_judged_while_a_return_is_undone_are_paid(stage: Stage) -> None:
    """The units cannot be given back yet; the goods were sent before the customer withdrew."""
    await stage.sell()
    await stage.open()
    await stage.until_true(lambda: "return_approved" in stage.told())
    stage.world.board.down("order")
    await stage.command("withdraw", Withdraw(CUSTOMER, "I keep them"))
    await stage.receive(2)
    await stage.inspect(accepted=2)
    assert (await stage.now()).lines[0].accepted == 2
    stage.world.board.up("order")

    await stage.until("refunded")
    assert paid(stage) == 510


async def test_a_command_is_answered_while_the_order_service_is_away(stage: Stage) -> None:
    """The case says that it waits for the shop itself, and goes on when the service is back."""
    await stage.sell()
    await stage.open()
    stage.world.board.down("order")
    case = await stage.command("withdraw", Withdraw(CUSTOMER, "I keep them"))
    assert (case.waiting_on.party, case.waiting_on.action) == (Party.MERCHANT, Action.RESUME)

    stage.world.board.up("order")
    assert (await stage.until("withdrawn")).status is CaseStatus.CLOSED
    assert (await stage.world.orders.get("demo", "536365")).remaining("1") == 6


async def test_money_does_not_wait_for_the_order_service(stage: Stage) -> None:
    """Accepted goods are paid while the order cannot be told; it is told when it is back."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.until("inspecting")
    stage.world.board.down("order")
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: paid(stage) == 510)

    stage.world.board.up("order")
    await stage.until("refunded")
    assert (await stage.world.orders.get("demo", "536365")).units_of("1").refunded == 2


async def test_a_later_parcel_has_its_own_time_to_be_inspected(temporal: Client) -> None:
    """The first parcel's receipt and judgement were learned at one instant; its clock is not the second's."""
    stage = Stage(temporal)
    async with case_worker(temporal, stage.outside(), task_queue=stage.task_queue):
        await stage.sell()
        await stage.open(3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    async with case_worker(temporal, stage.outside(), task_queue=stage.task_queue):
        await stage.until_true(lambda: paid(stage) == 510)
        await stage.until("awaiting_parcel")
        await stage.advance(days=14, minutes=1)
        await stage.until("partially_refunded")
        await stage.advance(days=2)
        await stage.receive(1)

        case = await stage.until("inspecting")
        assert (case.waiting_on.party, case.lines[0].accepted) == (Party.WAREHOUSE, 2)


async def test_what_was_chosen_cannot_be_escalated(stage: Stage) -> None:
    """The goods may be disposed of already: the objection is refused, and not taken and forgotten."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=0, rejected=2)
    await stage.until("inspection_rejected")
    stage.world.board.down("order")
    await stage.command("choose", Choose(CUSTOMER, "dispose"))

    with pytest.raises(ActionNotAllowed):
        await stage.command("escalate", Escalate(CUSTOMER, "it was sealed"))
    stage.world.board.up("order")
    await stage.until("rejected")


async def test_a_case_closes_as_what_was_paid_by_then(stage: Stage) -> None:
    """The third unit is accepted while the order is still told of two: that reopens it, and is paid."""
    await stage.sell()
    await stage.open(3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: paid(stage) == 510)
    await stage.until("awaiting_parcel")
    stage.world.board.down("order")
    await stage.advance(days=14, minutes=1)
    await stage.receive(1)
    await stage.inspect(accepted=1)
    assert (await stage.now()).lines[0].accepted == 3
    stage.world.board.up("order")
    await stage.until_true(lambda: paid(stage) == 765)
    await stage.until("refunded")

    closings = [e.detail for e in stage.world.register.timeline(stage.case_id) if e.what == "closed"]
    assert closings == ["partially_refunded", "refunded"]


async def test_goods_that_come_while_a_reopened_case_asks_finance_do_not_close_it(stage: Stage) -> None:
    """Money came back after the closing, then the missing unit comes: it is judged, the money asked about."""
    await stage.sell()
    await stage.open(3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until("awaiting_parcel")
    await stage.advance(days=stage.policy.timers.send_parcel_days, minutes=1)
    (refund,) = (await stage.until("partially_refunded")).refunds
    await stage.refund_changed(
        RefundChanged(refund.payment_id, refund.amount, RefundStatus.FAILED, refund.refund_id)
    )
    await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"])
    await stage.receive(1)
    await stage.until("inspecting")
    await stage.inspect(accepted=1)
    await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"] and paid(stage) > 0)
    await stage.complete("refund_stuck", "settled_outside")
    await stage.until("refunded")

    closings = [entry for entry in stage.world.register.timeline(stage.case_id) if entry.what == "closed"]
    assert [entry.detail for entry in closings] == ["partially_refunded", "refunded"]
