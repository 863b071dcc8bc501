"""Whoever is killed, at whatever step of a return: it ends as if nobody had died."""

from collections import Counter

import pytest

from tests.chaos.conftest import Campaign
from tests.chaos.fate import Death, Kind
from tests.chaos.steps import QUESTIONS, STEPS, deaths, in_history
from tests.e2e.outside import until

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.heavy,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(3600),
]


@pytest.mark.parametrize("death", list(deaths()), ids=str)
async def test_a_return_ends_as_if_nobody_had_died(campaign: Campaign, death: Death):
    """Refunded once, on the shelf once, its units settled once, its case closed, nothing left open."""
    story = await campaign.stories[death]

    assert story.has_struck
    assert (await story.back.now())["outcome"] == "refunded"


async def test_every_step_of_a_return_has_its_deaths(campaign: Campaign):
    """The steps listed are those that the processes took, and none of the history is missing among them.

    Everybody dies at some of them: each service, the worker, the database, Temporal, and whoever is outside.
    """
    taken = [step for step in campaign.quiet.steps() if (step.process, step.name) not in QUESTIONS]
    history = in_history(await campaign.quiet.history())

    assert taken == sorted(STEPS)
    kinds = {Kind.ACTIVITY, Kind.SIGNAL, Kind.UPDATE}
    assert Counter((step.kind, step.name) for step in STEPS if step.kind in kinds) == history
    assert {death.victim for death in deaths()} == set(campaign.processes())


async def test_after_everything_whoever_died_has_come_back(campaign: Campaign):
    """Each was killed and started again; what Temporal knew before all of its deaths, it knows after them."""
    await campaign.all()
    dead, restarts = campaign.quiet.fates.dead(), campaign.processes()

    assert set(dead) == {death.victim for death in campaign.stories}
    assert {name: len(pids) for name, pids in dead.items() if restarts[name] < len(pids)} == {}
    assert await campaign.quiet.history() == campaign.known


async def test_after_everything_each_customer_was_told_everything_at_most_once(campaign: Campaign):
    """Approved, refunded, asked: nobody hears of a fact twice, nor of anything else.

    A letter is missing only where its sender, or the mail server, died while it was handed over, and each of
    those is on record.
    """
    stories = await campaign.all()
    told: Counter[str] = Counter()
    for story in stories:
        told += await story.told()

    due = {letter for story in stories for letter in story.letters}
    assert set(told.values()) == {1}
    assert due - campaign.quiet.unconfirmed() <= told.keys() <= due
    assert len(due - told.keys()) < len(stories)


async def test_after_everything_all_books_agree(campaign: Campaign):
    """The reconciliation report finds nothing, over all that was played."""
    await campaign.all()
    outside = campaign.quiet.outside

    broken = await until(outside.invariants, lambda violations: not any(violations.values()))

    assert len(broken) >= 8
