"""Staff move deadlines: those of waits alone, each for itself, and never beyond what the law leaves."""

from datetime import datetime, timedelta

import pytest

from services.domain.case import Action, CaseSnapshot, Party, Then, WaitingOn
from services.domain.errors import ActionNotAllowed, InvalidArgument
from services.domain.logistics import ParcelStatus
from tests.fixtures.temporal import AGENT, CUSTOMER, SUPERVISOR, Stage
from workflows.messages import Escalate, Extend, Pause

# The policy's: when a supervisor is asked about goods nobody has judged, and the legal cap of the refund.
INSPECTION = timedelta(hours=48)
CAP = timedelta(days=14)
PAUSE = Pause(AGENT, "in hospital")


def waiting_on(case: CaseSnapshot) -> WaitingOn:
    assert case.waiting_on is not None
    return case.waiting_on


async def extend(stage: Stage, until: datetime) -> CaseSnapshot:
    return await stage.command("extend", Extend(AGENT, until, "on holiday"))


async def goods_are_there(stage: Stage) -> datetime:
    """Open a return and receive its goods; returns the instant by which the law wants the refund."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    return waiting_on(await stage.until("inspecting")).until - INSPECTION + CAP


async def part_is_paid(stage: Stage, units: int) -> CaseSnapshot:
    """Let another unit come and be accepted; returns the case as it waits for the rest."""
    await stage.receive(1)
    await stage.inspect(accepted=1)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded == units)
    return await stage.until("awaiting_parcel")


async def test_moving_money_is_not_paused(stage: Stage) -> None:
    """While a refund is asked for nobody's clock runs: it is neither stopped nor moved, then or later."""
    await stage.sell()
    await stage.open()
    stage.world.down("payment")
    await stage.receive(2)
    await stage.inspect(accepted=2)
    until = waiting_on(await stage.until("refunding")).until
    with pytest.raises(ActionNotAllowed):
        await stage.command("pause", PAUSE)
    with pytest.raises(ActionNotAllowed):
        await extend(stage, until + timedelta(days=1))

    stage.world.up("payment")
    case = await stage.until("refunded")
    assert waiting_on(case).action is Action.FOLLOW_UP
    with pytest.raises(ActionNotAllowed):
        await stage.command("resume", PAUSE)


async def test_a_pause_ends_with_its_wait(stage: Stage) -> None:
    """An inspection comes while staff have stopped the clock: what the case waits for next is not paused."""
    await goods_are_there(stage)
    await stage.command("pause", PAUSE)
    await stage.inspect(accepted=2)

    case = await stage.until("refunded")
    assert waiting_on(case).action is Action.FOLLOW_UP
    with pytest.raises(ActionNotAllowed):
        await stage.command("resume", PAUSE)


async def test_a_part_that_comes_during_a_pause_leaves_the_rest_its_deadline(stage: Stage) -> None:
    """Extended by seven days, paused for two: the rest has nine more, not until the pause would end."""
    await stage.sell()
    extended = waiting_on(await stage.open(quantity=3)).until + timedelta(days=7)
    await extend(stage, extended)
    await stage.command("pause", PAUSE)
    await stage.advance(days=2)
    rest = waiting_on(await part_is_paid(stage, units=1))

    assert (rest.party, rest.action) == (Party.CUSTOMER, Action.SEND_PARCEL)
    assert timedelta(days=2) <= rest.until - extended < timedelta(days=2, minutes=5)


async def test_an_extension_for_the_rest_counts_for_what_is_still_missing(stage: Stage) -> None:
    """One of three came, the deadline was moved, the second came: the third has the moved deadline."""
    await stage.sell()
    opened = waiting_on(await stage.open(quantity=3))
    first = waiting_on(await part_is_paid(stage, units=1))
    extended = opened.until + timedelta(days=7)
    await extend(stage, extended)
    second = waiting_on(await part_is_paid(stage, units=2))

    assert (first.until, second.until) == (opened.until, extended)


async def test_the_reminder_moves_with_its_deadline(stage: Stage) -> None:
    """Extended by ten days, paused for two: the customer is reminded twelve days later, no minute sooner."""
    await stage.sell()
    before = timedelta(days=stage.policy.timers.parcel_reminder_days_before)
    opened = waiting_on(await stage.open()).until
    await extend(stage, opened + timedelta(days=10))
    await stage.command("pause", PAUSE)
    await stage.advance(days=2)
    until = waiting_on(await stage.command("resume", PAUSE)).until
    assert until >= opened + timedelta(days=12)

    await stage.advance(
        seconds=(until - before - await stage.cases.now(stage.kind, stage.case_id)).total_seconds() - 60
    )
    assert stage.told() == ["return_approved"]
    await stage.advance(minutes=2)
    assert stage.told() == ["return_approved", "parcel_reminder"]


async def test_a_scan_does_not_take_an_extension_back(stage: Stage) -> None:
    """The parcel was given until then: a scan starts the clock anew, and it ends no earlier."""
    await stage.sell()
    await stage.open()
    await stage.track(ParcelStatus.IN_TRANSIT)
    until = waiting_on(await stage.until("in_transit")).until + timedelta(days=10)
    await extend(stage, until)
    scanned = stage.world.register.cases[stage.case_id].sequence
    await stage.track(ParcelStatus.IN_TRANSIT, hours=1)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].sequence > scanned)

    assert waiting_on(await stage.now()).until == until


async def test_a_deadline_is_never_brought_forward(stage: Stage) -> None:
    """What was promised, or given since, is not taken back; not while the case is paused either."""
    await stage.sell()
    until = waiting_on(await stage.open()).until
    with pytest.raises(InvalidArgument):
        await extend(stage, until - timedelta(days=1))
    await extend(stage, until + timedelta(days=3))
    await stage.command("pause", PAUSE)
    with pytest.raises(InvalidArgument):
        await extend(stage, until + timedelta(days=2))


async def test_time_given_for_one_question_is_not_the_next_one_s(stage: Stage) -> None:
    """Finance had sixty days more for the first refund: its retry has the days that its task says."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_declined")
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    first = stage.task("refund_stuck")
    await extend(stage, first.due_at + timedelta(days=60))
    await stage.complete("refund_stuck", "retry")
    await stage.until_true(lambda: stage.task("refund_stuck").task_id != first.task_id)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].waiting_on is not None)

    assert waiting_on(await stage.now()).until == stage.task("refund_stuck").due_at


async def test_a_pause_does_not_keep_the_provider_from_being_asked(stage: Stage) -> None:
    """Staff stop the dock's clock: the money on its way moves all the same, and is told."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await stage.open(3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].refunds != ())
    await stage.receive(1)
    await stage.until("inspecting")
    await stage.command("pause", PAUSE)
    for _ in range(2):
        await stage.advance(minutes=6)

    await stage.until_true(lambda: "refund_succeeded" in stage.told())
    assert waiting_on(await stage.now()).action is Action.RESUME


async def test_a_rejection_that_stands_leaves_an_extended_choice(stage: Stage) -> None:
    """The time to choose was moved before the escalation; after it the customer has the moved time."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=0, rejected=2)
    until = waiting_on(await stage.until("inspection_rejected")).until + timedelta(days=10)
    await extend(stage, until)
    await stage.command("escalate", Escalate(CUSTOMER, "never worn"))
    await stage.complete("review_rejection", "uphold", SUPERVISOR)

    case = await stage.now()
    assert (waiting_on(case).action, waiting_on(case).until) == (Action.CHOOSE, until)


@pytest.mark.rule("S096")
@pytest.mark.parametrize("asked", ["nobody", "supervisor", "warehouse"])
async def test_an_inspection_is_put_off_until_the_legal_cap_at_most(stage: Stage, asked: str) -> None:
    """Whoever is asked by then: to the last instant of the law, where a pause ends too; then goods count."""
    cap = await goods_are_there(stage)
    if asked != "nobody":
        await stage.advance(hours=48, minutes=1)
        await stage.until_true(lambda: "inspection_overdue" in stage.open_tasks())
    if asked == "warehouse":
        await stage.complete("inspection_overdue", "wait", SUPERVISOR)
    with pytest.raises(ActionNotAllowed):
        await extend(stage, cap + timedelta(seconds=1))
    assert waiting_on(await extend(stage, cap)).until == cap
    paused = waiting_on(await stage.command("pause", PAUSE))
    assert (paused.then, paused.until) == (Then.CONTINUE, cap)

    await stage.advance(days=14)
    refund = (await stage.until("refunded")).refunds[0]
    assert refund.cause == "timer:deemed_accepted"
    assert timedelta(0) <= refund.at - cap < timedelta(minutes=1)
