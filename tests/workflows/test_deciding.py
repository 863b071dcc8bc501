"""Allowed, denied, reviewed; silence, escalation, withdrawal."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import CaseStatus, Party, Reason, RequestedLine, Then
from services.domain.decision import Verdict
from services.domain.errors import (
    ActionNotAllowed,
    CaseClosed,
    OrderNotFound,
    QuantityExceedsRemaining,
    TaskAlreadyCompleted,
    UnknownOrderLine,
)
from services.domain.facts import FactKind, MessageBounced
from services.domain.ids import LineId
from services.domain.logistics import ParcelStatus
from services.domain.policy import OutsideWindow
from tests.builders import a_line, a_policy, an_order
from tests.fixtures.temporal import AGENT, CUSTOMER, SUPERVISOR, Stage
from workflows.messages import CompleteTask, Escalate, Withdraw


@pytest.mark.rule("S020")
async def test_outside_the_window_the_answer_is_no_and_can_be_escalated(stage: Stage) -> None:
    """A denied request is a case: it claims nothing, may be escalated for seven days, closes as denied."""
    await stage.sell(delivered_days_ago=15)
    case = await stage.open()

    assert case.decision.verdict is Verdict.DENY
    assert (case.phase, case.waiting_on.then) == ("refused", Then.CLOSE_DENIED)
    assert (await stage.world.orders.get("demo", "536365")).remaining("1") == 6
    await stage.advance(days=6, hours=23, minutes=59)
    assert (await stage.now()).status is CaseStatus.OPEN
    await stage.advance(minutes=2)
    assert (await stage.until("denied")).status is CaseStatus.CLOSED
    assert stage.told() == ["return_denied"]


async def test_a_supervisor_may_take_a_refusal_back(stage: Stage) -> None:
    """Overturned, the return goes its way; the decision names who decided."""
    await stage.sell(delivered_days_ago=15)
    await stage.open()
    await stage.command("escalate", Escalate(CUSTOMER, "I was in hospital"))
    case = await stage.complete("review_escalation", "overturn", SUPERVISOR)

    assert (case.decision.verdict, case.decision.decided_by) == (Verdict.ALLOW, "supervisor-1")
    await stage.until("awaiting_parcel")
    assert (await stage.world.orders.get("demo", "536365")).remaining("1") == 4


async def test_silence_agrees_where_there_is_a_right(stage: Stage) -> None:
    """Inside the window nobody's answer within 48 hours approves."""
    await stage.sell()
    case = await stage.open(reason=Reason.OTHER)
    assert (case.waiting_on.party, case.waiting_on.then) == (Party.MERCHANT, Then.APPROVE)
    await stage.advance(hours=47, minutes=59)
    assert (await stage.now()).phase == "merchant_review"
    await stage.advance(minutes=2)

    case = await stage.until("awaiting_parcel")
    assert case.decision.decided_by == "timer:merchant_answer"
    assert stage.open_tasks() == []


async def test_silence_refuses_where_there_is_only_goodwill(stage: Stage) -> None:
    """Outside the window a shop that looks at such requests has five days; its silence is a no."""
    stage.policy = a_policy(outside_window=OutsideWindow.REVIEW)
    await stage.sell(delivered_days_ago=15)
    case = await stage.open()
    assert (case.phase, case.waiting_on.then) == ("merchant_review", Then.REFUSE)
    await stage.advance(days=5, minutes=1)

    refused = await stage.until("refused")
    assert refused.decision.verdict is Verdict.DENY
    assert (await stage.world.orders.get("demo", "536365")).remaining("1") == 6


async def test_of_two_people_one_decides(stage: Stage) -> None:
    """Two agents complete one task at once: one wins, the other is told by whom."""
    await stage.sell()
    await stage.open(reason=Reason.OTHER)
    task = stage.task("review_return")
    other = replace(AGENT, actor_id="agent-2")
    answers = await asyncio.gather(
        stage.command("complete_task", CompleteTask(AGENT, task.task_id, "approve")),
        stage.command("complete_task", CompleteTask(other, task.task_id, "refuse")),
        return_exceptions=True,
    )

    lost = [answer for answer in answers if isinstance(answer, TaskAlreadyCompleted)]
    assert len(lost) == 1
    assert "agent-" in lost[0].detail


async def test_the_first_person_owns_the_case(stage: Stage) -> None:
    """No owner while only the system acted; from the first agent on, exactly that one."""
    await stage.sell()
    opened = await stage.open(reason=Reason.OTHER)
    assert opened.owner is None
    case = await stage.complete("review_return", "approve", AGENT)
    assert case.owner == "agent-1"


@pytest.mark.parametrize("phase", ["merchant_review", "refused", "awaiting_parcel", "in_transit"])
async def test_the_customer_may_withdraw_until_the_goods_are_there(stage: Stage, phase: str) -> None:
    """Withdrawn, everything is undone: the units are free, the dock expects nothing, no question is open."""
    await stage.sell(delivered_days_ago=15 if phase == "refused" else 2)
    await stage.open(reason=Reason.OTHER if phase == "merchant_review" else Reason.CHANGED_MIND)
    if phase == "in_transit":
        await stage.track(ParcelStatus.IN_TRANSIT)
        await stage.until(phase)
    case = await stage.command("withdraw", Withdraw(CUSTOMER, "I keep it"))

    assert (case.status, case.outcome) == (CaseStatus.CLOSED, "withdrawn")
    assert (await stage.world.orders.get("demo", "536365")).remaining("1") == 6
    assert stage.open_tasks() == []
    with pytest.raises(CaseClosed):
        await stage.command("withdraw", Withdraw(CUSTOMER, "again"))


async def test_goods_that_are_there_cannot_be_withdrawn(stage: Stage) -> None:
    """From the receipt on the return takes its course."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    with pytest.raises(ActionNotAllowed):
        await stage.command("withdraw", Withdraw(CUSTOMER, "too late"))


async def test_what_cannot_be_opened_leaves_nothing(stage: Stage) -> None:
    """An unknown order or line, and units another case holds, are refused, however often asked."""
    await stage.sell()
    with pytest.raises(OrderNotFound):
        await stage.open(order_id="nope")
    unknown = (RequestedLine(LineId("9"), 1, Reason.CHANGED_MIND),)
    with pytest.raises(UnknownOrderLine):
        await stage.open(lines=unknown)
    await stage.open(quantity=5)
    request = stage.request(quantity=2)
    for _ in range(2):
        with pytest.raises(QuantityExceedsRemaining):
            await stage.cases.open(request)

    assert len(stage.world.register.cases) == 1


async def test_opening_twice_is_opening_once(stage: Stage) -> None:
    """Ten times the same request at once, and again after the end: one case, one claim, one label."""
    await stage.sell()
    request = stage.request()
    cases = await asyncio.gather(*(stage.cases.open(request) for _ in range(10)))
    assert {case.case_id for case in cases} == {request.case_id}
    assert len([e for e in stage.world.done("order") if e.what == "claimed"]) == 1

    await stage.command("withdraw", Withdraw(CUSTOMER, "no"))
    await stage.advance(days=31)
    assert await stage.cases.open(request) == cases[0]
    assert len(stage.world.register.cases) == 1


async def test_a_warehouse_that_is_down_does_not_hold_up_the_opening(stage: Stage) -> None:
    """The case opens without an authorisation, and catches up when the warehouse is back."""
    await stage.sell()
    stage.world.down("warehouse")
    opened = await stage.open()
    assert (opened.phase, opened.return_) == ("awaiting_parcel", None)
    assert stage.told() == []

    stage.world.up("warehouse")
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].return_ is not None)
    await stage.until_true(lambda: stage.told() == ["return_approved"])


async def test_a_register_and_a_mail_server_that_are_down_stop_nothing(stage: Stage) -> None:
    """Money and goods move on; what was to be published and said is caught up with."""
    await stage.sell()
    await stage.open()
    stage.world.down("notification")
    stage.world.down("casework")
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: len(stage.world.done("provider")) == 1)

    stage.world.up("casework")
    stage.world.up("notification")
    closed = await stage.until("refunded")
    await stage.until_true(lambda: "refund_succeeded" in stage.told())
    assert (closed.outcome, [refund.amount.minor_units for refund in closed.refunds]) == ("refunded", [510])
    assert stage.told().count("refund_succeeded") == 1


async def test_a_message_that_bounced_is_seen_to_by_a_person(stage: Stage) -> None:
    """The customer does not know what was said: the timeline says so, and an agent finds another way."""
    await stage.sell()
    await stage.open()
    await stage.tell(FactKind.MESSAGE_BOUNCED, bounce=MessageBounced("m1", "return_approved"))

    def said() -> list[str]:
        return [entry.what for entry in stage.world.register.timeline(stage.case_id)]

    await stage.until_true(lambda: said()[-2:] == ["message_bounced", "task_opened"])
    assert stage.open_tasks() == ["message_bounced"]


async def test_an_order_service_that_is_down_is_waited_for(stage: Stage) -> None:
    """Nothing is decided on a guess; the case decides when the order can be read."""
    await stage.sell()
    stage.world.down("order", calls=3)
    opened = await stage.open()
    assert opened.decision.verdict is Verdict.ALLOW


async def test_a_line_sold_as_final_is_not_taken_back_without_a_fault(stage: Stage) -> None:
    """A final sale stands against a change of mind, not against a defect."""
    order = an_order(a_line(final_sale=True), placed_at=datetime.now(UTC) - timedelta(days=5))
    await stage.sell(order)
    assert (await stage.open(quantity=1)).decision.verdict is Verdict.DENY
    assert (await stage.open(quantity=1, reason=Reason.DEFECTIVE)).decision.verdict is Verdict.ALLOW
