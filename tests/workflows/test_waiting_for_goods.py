"""Who a return waits for, until when, and what happens then: every timer fired, and beaten by a minute."""

from datetime import timedelta

import pytest

from services.domain.case import Party, Then
from services.domain.logistics import ParcelStatus
from tests.fixtures.temporal import AGENT, CUSTOMER, SUPERVISOR, Stage
from workflows.messages import Extend, Pause, RegisterParcel


async def test_a_parcel_that_is_never_sent_ends_the_case(stage: Stage) -> None:
    """The customer is reminded three days before; then the case expires and gives the units back."""
    await stage.sell()
    opened = await stage.open()
    assert timedelta(days=14) <= opened.waiting_on.until - opened.opened_at < timedelta(days=14, minutes=1)

    await stage.advance(days=11, minutes=1)
    assert stage.told() == ["return_approved", "parcel_reminder"]
    await stage.advance(days=3)

    closed = await stage.until("expired")
    assert closed.outcome == "expired"
    assert stage.told()[-1] == "parcel_expired"
    assert (await stage.world.orders.get("demo", "536365")).remaining("1") == 6


async def test_a_scan_in_the_last_minute_saves_the_return(stage: Stage) -> None:
    """Handing over a minute before the deadline is in time: the case waits for the carrier from then on."""
    await stage.sell()
    await stage.open()
    await stage.advance(days=13, hours=23, minutes=59)
    await stage.track(ParcelStatus.IN_TRANSIT)

    case = await stage.until("in_transit")
    assert (case.waiting_on.party, case.waiting_on.then) == (Party.CARRIER, Then.SEARCH_CARRIER)


async def test_goods_after_the_deadline_are_still_handled(stage: Stage) -> None:
    """A parcel that comes after the case expired reopens it; the goods are inspected and refunded."""
    await stage.sell()
    await stage.open()
    await stage.advance(days=14, minutes=1)
    await stage.until("expired")

    await stage.receive(2)
    await stage.until("inspecting")
    await stage.inspect(accepted=2)
    closed = await stage.until("refunded")
    assert closed.refunds[0].amount.minor_units == 510
    assert (await stage.world.orders.get("demo", "536365")).units_of("1").refunded == 2


async def test_late_goods_whose_units_another_case_took_go_to_a_person(stage: Stage) -> None:
    """Units given back may be in another return by the time the parcel comes: nothing is refunded twice."""
    await stage.sell()
    await stage.open(quantity=6)
    await stage.advance(days=14, minutes=1)
    await stage.until("expired")
    late = stage.case_id
    await stage.open(quantity=6)
    stage.case_id = late

    await stage.receive(6)
    await stage.until_true(lambda: "late_goods" in stage.open_tasks())
    assert stage.world.done("provider") == []


async def test_a_parcel_nobody_records_is_deemed_received(stage: Stage) -> None:
    """Ten days after the carrier delivered it, what the dock has not recorded counts as received in full."""
    await stage.sell()
    await stage.open()
    await stage.track(ParcelStatus.DELIVERED)
    case = await stage.until("awaiting_receipt")
    assert (case.waiting_on.party, case.waiting_on.then) == (Party.WAREHOUSE, Then.DEEM_RECEIVED)
    await stage.advance(days=9, hours=23, minutes=59)
    assert (await stage.now()).phase == "awaiting_receipt"

    await stage.advance(minutes=2)
    closed = await stage.until("refunded")
    assert closed.refunds[0].cause == "timer:deemed_received"


async def test_a_stalled_parcel_is_searched_and_a_lost_one_decided(stage: Stage) -> None:
    """Three days without a scan ask the carrier, ten a supervisor; silence then counts it as received."""
    await stage.sell()
    await stage.open()
    await stage.track(ParcelStatus.IN_TRANSIT)
    await stage.until("in_transit")
    await stage.advance(days=3, minutes=1)
    await stage.until_true(lambda: "search_parcel" in stage.open_tasks())
    await stage.advance(days=7)
    await stage.until_true(lambda: "parcel_lost" in stage.open_tasks())
    await stage.advance(days=5, minutes=1)

    closed = await stage.until("refunded")
    assert closed.refunds[0].cause == "timer:parcel_lost"


async def test_a_new_scan_starts_the_carriers_time_again(stage: Stage) -> None:
    """Every scan moves the day on which a parcel counts as stalled."""
    await stage.sell()
    await stage.open()
    await stage.track(ParcelStatus.IN_TRANSIT)
    first = await stage.until("in_transit")
    await stage.advance(days=2)
    await stage.track(ParcelStatus.IN_TRANSIT, days=2)
    await stage.until_true(
        lambda: stage.world.register.cases[stage.case_id].waiting_on.until > first.waiting_on.until
    )
    await stage.advance(days=2)
    assert "search_parcel" not in stage.open_tasks()


async def test_goods_nobody_inspects_go_to_a_supervisor_and_are_then_deemed_accepted(stage: Stage) -> None:
    """After 48 hours a supervisor is asked; at the legal cap, 14 days, the goods count as accepted."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    case = await stage.until("inspecting")
    assert case.waiting_on.then is Then.ASK_SUPERVISOR
    await stage.advance(hours=48, minutes=1)
    await stage.until_true(lambda: "inspection_overdue" in stage.open_tasks())
    await stage.advance(days=12)

    closed = await stage.until("refunded")
    assert closed.refunds[0].cause == "timer:deemed_accepted"
    assert "inspection_overdue" not in stage.open_tasks()


async def test_an_inspection_beats_the_supervisors_answer(stage: Stage) -> None:
    """An inspection that comes while a supervisor is asked decides, and withdraws the question."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.advance(hours=48, minutes=1)
    await stage.until_true(lambda: "inspection_overdue" in stage.open_tasks())
    await stage.inspect(accepted=2)

    closed = await stage.until("refunded")
    assert closed.refunds[0].cause == "inspection_accepted"
    assert stage.open_tasks() == []


async def test_a_supervisor_may_accept_unseen_goods(stage: Stage) -> None:
    """The refund then names who accepted."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.advance(hours=48, minutes=1)
    await stage.until_true(lambda: "inspection_overdue" in stage.open_tasks())
    await stage.complete("inspection_overdue", "accept_goods", SUPERVISOR)

    closed = await stage.until("refunded")
    assert closed.refunds[0].cause == "supervisor-1"


async def test_a_deadline_moves_only_by_a_person_with_a_reason(stage: Stage) -> None:
    """An extension is logged, and moves the deadline the customer sees."""
    await stage.sell()
    opened = await stage.open()
    until = opened.waiting_on.until + timedelta(days=7)
    extended = await stage.command("extend", Extend(AGENT, until, "on holiday"))
    assert extended.waiting_on.until == until
    assert extended.owner == "agent-1"

    await stage.advance(days=15)
    assert (await stage.now()).phase == "awaiting_parcel"
    await stage.advance(days=6, minutes=1)
    await stage.until("expired")
    said = [
        entry for entry in stage.world.register.timeline(stage.case_id) if entry.what == "deadline_extended"
    ]
    assert "on holiday" in said[0].detail


async def test_a_paused_clock_stands_still(stage: Stage) -> None:
    """While staff have paused a case its deadline moves along; resumed, the rest of the time counts."""
    await stage.sell()
    opened = await stage.open()
    await stage.advance(days=4)
    paused = await stage.command("pause", Pause(AGENT, "in hospital"))
    assert (paused.waiting_on.party, paused.waiting_on.then) == (Party.MERCHANT, Then.CONTINUE)
    await stage.advance(days=20)

    resumed = await stage.command("resume", Pause(AGENT, "back"))
    left = resumed.waiting_on.until - opened.waiting_on.until
    assert timedelta(days=20) <= left < timedelta(days=20, minutes=5)


async def test_the_customers_own_parcel_is_followed(stage: Stage) -> None:
    """A parcel the customer names is told to the dock, and counts as on its way."""
    await stage.sell()
    await stage.open()
    case = await stage.command("register_parcel", RegisterParcel(CUSTOMER, "royal-mail", "RM123"))

    assert case.phase == "in_transit"
    await stage.until_true(lambda: any(e.what == "registered" for e in stage.world.done("warehouse")))


async def test_a_number_nobody_ever_scanned_proves_nothing(stage: Stage) -> None:
    """A parcel that the customer named and no carrier saw is not deemed received: the case expires."""
    await stage.sell()
    await stage.open()
    await stage.command("register_parcel", RegisterParcel(CUSTOMER, "royal-mail", "RM123"))
    await stage.advance(days=15, minutes=5)

    await stage.until("expired")
    assert stage.world.done("provider") == []


@pytest.mark.parametrize("quantity", [0, 1])
async def test_an_unexpected_parcel_is_looked_at(stage: Stage, quantity: int) -> None:
    """An empty box, and goods nobody expected, go to an agent; the case still waits for its own goods."""
    await stage.sell()
    await stage.open()
    await stage.receive(quantity, sku="ANOTHER")

    kind = "extra_goods" if quantity else "empty_box"
    await stage.until_true(lambda: kind in stage.open_tasks())
    case = await stage.now()
    assert (case.phase, case.lines[0].received) == ("awaiting_parcel", 0)
