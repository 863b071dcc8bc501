"""What has changed, for those who follow all cases: nothing is passed over, however late it commits."""

import asyncio

import pytest

from services.clients.casework import CaseworkClient
from services.domain.ids import StoreId, case_id
from services.platform.database import Connection
from tests.builders import STORE
from tests.casework.papers import CASE, a_snapshot, an_entry

HOLD = "UPDATE cases SET changed_in = pg_current_xact_id() WHERE case_id = $1"


async def follow(casework: CaseworkClient, position: str = "", limit: int = 50, store_id: str = ""):
    """Read on until nothing more has changed; returns the last position and what was seen on the way."""
    seen = []
    while True:
        cases, after = await casework.changes(position, limit, store_id)
        seen += cases
        if not cases:
            return position, seen
        assert after != position
        position = after


@pytest.fixture
async def behind(database) -> Connection:
    """Somebody whose transaction lasts."""
    return await database("casework")


@pytest.mark.parametrize("store_id", ["", STORE])
async def test_a_change_that_commits_late_is_not_passed_over(casework, behind, store_id):
    """While an older transaction runs, what is newer is held back; then both come."""
    await casework.publish(a_snapshot(1))
    position, _ = await follow(casework, store_id=store_id)
    slow = behind.transaction()
    await slow.start()
    await behind.execute(HOLD, CASE)
    await casework.publish(a_snapshot(2))
    early_position, early = await follow(casework, position, store_id=store_id)
    await slow.commit()

    _, late = await follow(casework, early_position, store_id=store_id)

    assert [case.case_id for case in early] == []
    assert [case.case_id for case in late] == [case_id("RT", 1), case_id("RT", 2)]


async def test_a_follower_ends_up_with_the_newest_of_everything(casework):
    """Hundreds of publications race while somebody follows them in small steps."""
    stories = [
        [a_snapshot(number, sequence, phase=f"phase_{sequence}") for sequence in range(1, 6)]
        for number in range(40)
    ]
    seen: dict[str, int] = {}

    async def tell(story):
        for snapshot in story:
            await casework.publish(snapshot)

    telling = asyncio.gather(*(tell(story) for story in stories))
    position = ""
    while not telling.done():
        position, cases = await follow(casework, position, limit=7)
        seen |= {case.case_id: case.sequence for case in cases}
        await asyncio.sleep(0)
    await telling
    _, cases = await follow(casework, position, limit=7)
    seen |= {case.case_id: case.sequence for case in cases}

    assert seen == {case_id("RT", number): 5 for number in range(40)}


async def test_a_change_comes_once(casework):
    """A case that changed three times comes as it is now; then no more until it changes again."""
    for sequence in (1, 2, 3):
        await casework.publish(a_snapshot(sequence=sequence))
    position, first = await follow(casework)
    again, nothing = await follow(casework, position)
    await casework.publish(a_snapshot(sequence=2, timeline=(an_entry(1),)))
    overtaken, still_nothing = await follow(casework, again)
    await casework.publish(a_snapshot(sequence=4))
    _, second = await follow(casework, overtaken)

    assert [case.sequence for case in first] == [3]
    assert (nothing, still_nothing) == ([], [])
    assert [case.sequence for case in second] == [4]


async def test_a_store_follows_its_own(casework):
    """A service that names none follows all."""
    other = a_snapshot(2, store_id=StoreId("other"))
    for snapshot in (a_snapshot(1), other, a_snapshot(3)):
        await casework.publish(snapshot)

    _, ours = await follow(casework, store_id=STORE, limit=1)
    _, theirs = await follow(casework, store_id="other", limit=1)
    _, all_cases = await follow(casework, limit=2)

    assert (ours, theirs) == ([a_snapshot(1), a_snapshot(3)], [other])
    assert all_cases == [a_snapshot(1), other, a_snapshot(3)]


async def test_who_follows_one_store_is_not_kept_by_the_others(casework):
    """What was looked through for it is not looked through again; its own next change comes all the same."""
    await casework.publish(a_snapshot(1))
    _, position = await casework.changes("", 50, STORE)
    await casework.publish(a_snapshot(2, store_id=StoreId("other")))
    nothing, later = await casework.changes(position, 50, STORE)
    await casework.publish(a_snapshot(3))

    found, _ = await casework.changes(later, 50, STORE)

    assert (nothing, later != position) == ([], True)
    assert found == [a_snapshot(3)]
