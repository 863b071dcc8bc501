"""Watching a case: how it stands now, and every time it is published."""

import asyncio
from contextlib import aclosing

import pytest

from services.domain.errors import CaseNotFound
from services.domain.ids import StoreId
from tests.builders import STORE
from tests.casework.papers import CASE, a_snapshot

# News travel at once; looking now and then would take two seconds.
AT_ONCE = 1.5
# A look, and what it takes to connect again.
AT_THE_LATEST = 4.0
SILENCE_LISTENERS = """
SELECT pg_terminate_backend(pid)
  FROM pg_stat_activity
 WHERE datname = current_database() AND query ILIKE 'listen%' AND pid <> pg_backend_pid()
"""


async def test_a_watcher_sees_every_state_at_once(casework):
    """First how it stands, then each publication as it comes."""
    await casework.publish(a_snapshot(sequence=1))
    async with aclosing(casework.watch(STORE, CASE)) as watched:
        assert (await anext(watched)).sequence == 1
        for sequence in (2, 3, 4):
            await casework.publish(a_snapshot(sequence=sequence))
            async with asyncio.timeout(AT_ONCE):
                assert (await anext(watched)).sequence == sequence


async def test_a_watcher_never_goes_back(casework):
    """Publications race; what is watched only grows, and ends with the newest."""
    await casework.publish(a_snapshot(sequence=1))
    seen = []
    async with aclosing(casework.watch(STORE, CASE)) as watched, asyncio.timeout(AT_THE_LATEST):
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

    async with asyncio.timeout(AT_THE_LATEST):
        seen = await asyncio.gather(*(anext(watch) for watch in watches))

    assert {(case.case_id, case.sequence) for case in seen} == {(CASE, 2)}
    for watch in watches:
        await watch.aclose()


async def test_a_lost_connection_delays_news_and_loses_none(casework, database):
    """The listening connection dies; the next publication comes a little later, the one after at once."""
    behind = await database("casework")
    await casework.publish(a_snapshot())
    async with aclosing(casework.watch(STORE, CASE)) as watched:
        await anext(watched)
        assert await behind.fetch(SILENCE_LISTENERS)
        for sequence, seconds in ((2, AT_THE_LATEST), (3, AT_ONCE)):
            await casework.publish(a_snapshot(sequence=sequence))
            async with asyncio.timeout(seconds):
                assert (await anext(watched)).sequence == sequence


@pytest.mark.parametrize(("store_id", "case"), [(StoreId("other"), CASE), (STORE, "RT-0000-0000")])
async def test_another_stores_case_cannot_be_watched(casework, store_id, case):
    """It does not exist, as far as anybody can tell."""
    await casework.publish(a_snapshot())

    with pytest.raises(CaseNotFound):
        await anext(casework.watch(store_id, case))
