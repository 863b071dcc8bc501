"""Watching a case: how it stands now, and every time it is published."""

import asyncio
from contextlib import aclosing

import pytest

from services.domain.errors import CaseNotFound
from services.domain.ids import StoreId
from tests.builders import STORE
from tests.casework.papers import CASE, a_snapshot

PATIENCE = 60
SILENCE_LISTENERS = """
SELECT pg_terminate_backend(pid)
  FROM pg_stat_activity
 WHERE datname = current_database() AND query ILIKE 'listen%' AND pid <> pg_backend_pid()
"""


@pytest.fixture
def casework_settings(casework_settings):
    """Nobody looks for what is new within the time of a test: what is seen was heard of."""
    return casework_settings.model_copy(update={"look_seconds": 3600})


async def test_a_watcher_sees_every_state_as_it_comes(casework):
    """First how it stands, then each publication."""
    await casework.publish(a_snapshot(sequence=1))
    async with aclosing(casework.watch(STORE, CASE)) as watched:
        assert (await anext(watched)).sequence == 1
        for sequence in (2, 3, 4):
            await casework.publish(a_snapshot(sequence=sequence))
            async with asyncio.timeout(PATIENCE):
                assert (await anext(watched)).sequence == sequence


async def test_a_watcher_never_goes_back(casework):
    """Publications race; what is watched only grows, and ends with the newest."""
    await casework.publish(a_snapshot(sequence=1))
    seen = []
    async with aclosing(casework.watch(STORE, CASE)) as watched, asyncio.timeout(PATIENCE):
        seen.append((await anext(watched)).sequence)
        await asyncio.gather(*(casework.publish(a_snapshot(sequence=n)) for n in range(20, 1, -1)))
        while seen[-1] < 20:
            seen.append((await anext(watched)).sequence)

    assert seen == sorted(set(seen))


async def test_many_watch_one_case(casework):
    """Each of twenty sees the publication; a case beside it disturbs nobody."""
    await casework.publish(a_snapshot())
    watches = [casework.watch(STORE, CASE) for _ in range(20)]
    for watch in watches:
        await anext(watch)
    await casework.publish(a_snapshot(2))
    await casework.publish(a_snapshot(sequence=2))

    async with asyncio.timeout(PATIENCE):
        seen = await asyncio.gather(*(anext(watch) for watch in watches))

    assert {(case.case_id, case.sequence) for case in seen} == {(CASE, 2)}
    for watch in watches:
        await watch.aclose()


async def test_a_lost_connection_loses_no_news(casework, database):
    """The listening connection dies: another one listens, and what was said meanwhile is looked for."""
    behind = await database("casework")
    await casework.publish(a_snapshot())
    async with aclosing(casework.watch(STORE, CASE)) as watched:
        await anext(watched)
        assert await behind.fetch(SILENCE_LISTENERS)
        for sequence in (2, 3):
            await casework.publish(a_snapshot(sequence=sequence))
            async with asyncio.timeout(PATIENCE):
                assert (await anext(watched)).sequence == sequence


@pytest.mark.parametrize(("store_id", "case"), [(StoreId("other"), CASE), (STORE, "RT-0000-0000")])
async def test_another_stores_case_cannot_be_watched(casework, store_id, case):
    """It does not exist, as far as anybody can tell."""
    await casework.publish(a_snapshot())

    with pytest.raises(CaseNotFound):
        await anext(casework.watch(store_id, case))
