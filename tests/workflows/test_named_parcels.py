"""A parcel that its customer names: the carrier's time runs from the first word of it until it is scanned."""

from datetime import timedelta

from services.domain.case import CaseSnapshot
from tests.fixtures.temporal import CUSTOMER, Stage
from workflows.messages import RegisterParcel


async def names(stage: Stage, number: str) -> CaseSnapshot:
    return await stage.command("register_parcel", RegisterParcel(CUSTOMER, "royal-mail", number))


def searched(stage: Stage) -> int:
    return sum(task.kind == "search_parcel" for task in stage.world.register.tasks.values())


async def test_naming_another_parcel_postpones_nothing(stage: Stage) -> None:
    """Nobody has seen any of them: the case closes when it would have without the other names."""
    await stage.sell()
    first = await stage.open()
    await names(stage, "RM1")
    await stage.advance(days=9)
    await names(stage, "RM2")
    await stage.advance(days=2)
    await stage.until_true(lambda: "parcel_lost" in stage.open_tasks())
    last = await names(stage, "RM3")
    assert last.waiting_on.until - first.opened_at < timedelta(days=15, minutes=5)
    await stage.advance(days=4, minutes=5)

    await stage.until("expired")
    assert stage.world.done("provider") == []


async def test_an_agent_is_asked_once_for_each_parcel(stage: Stage) -> None:
    """The same number told again is the same parcel; another is another."""
    await stage.sell()
    await stage.open()
    await names(stage, "RM1")
    await stage.advance(days=4)
    await stage.until_true(lambda: searched(stage) == 1)
    await names(stage, "RM1")
    await stage.advance(days=4)
    assert searched(stage) == 1
    await names(stage, "RM2")
    await stage.until_true(lambda: searched(stage) == 2)
