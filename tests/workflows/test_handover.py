"""A case changes hands only into hands that take it."""

import pytest

from services.domain.case import Actor, ActorKind, TaskState
from services.domain.errors import ActionNotAllowed, PermissionDenied
from tests.fixtures.temporal import AGENT, SUPERVISOR, Stage
from workflows.messages import Assign

OTHER = Actor(ActorKind.STAFF, "agent-2", ("agent",))


async def offered(stage: Stage) -> None:
    """Open a return and offer it to the other agent."""
    await stage.sell()
    await stage.open()
    await stage.command("assign", Assign(SUPERVISOR, OTHER.actor_id, "speaks French"))
    assert stage.task("accept_case").context["to"] == OTHER.actor_id


async def test_who_accepts_owns_the_case(stage: Stage) -> None:
    """Nobody else can accept it; whose it is already is not offered it again."""
    await offered(stage)
    with pytest.raises(PermissionDenied):
        await stage.complete("accept_case", "accept", AGENT)
    assert (await stage.now()).owner == SUPERVISOR.actor_id

    assert (await stage.complete("accept_case", "accept", OTHER)).owner == OTHER.actor_id
    with pytest.raises(ActionNotAllowed):
        await stage.command("assign", Assign(SUPERVISOR, OTHER.actor_id, "again"))


async def test_who_declines_leaves_it_where_it_was(stage: Stage) -> None:
    """The first owner keeps the case."""
    await offered(stage)
    await stage.complete("accept_case", "accept", OTHER)
    await stage.command("assign", Assign(SUPERVISOR, AGENT.actor_id, "holidays"))

    assert (await stage.complete("accept_case", "decline", AGENT)).owner == OTHER.actor_id


async def test_an_offer_lapses_after_a_day(stage: Stage) -> None:
    """A minute before it still can be accepted; then it is withdrawn, and the customer's deadline stands."""
    await offered(stage)
    waits = (await stage.now()).waiting_on
    await stage.advance(hours=23, minutes=59)
    assert stage.open_tasks() == ["accept_case"]
    await stage.advance(minutes=2)
    await stage.until_true(lambda: stage.task("accept_case").state is TaskState.CANCELED)

    assert (await stage.now()).waiting_on == waits


async def test_an_answered_offer_does_not_lapse(stage: Stage) -> None:
    """Accepted in time, it is still accepted a day later."""
    await offered(stage)
    await stage.complete("accept_case", "accept", OTHER)
    await stage.advance(days=2)

    assert stage.task("accept_case").state is TaskState.COMPLETED
    assert (await stage.now()).owner == OTHER.actor_id
