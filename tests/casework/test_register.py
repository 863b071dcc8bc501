"""The register: what is published is what everybody reads, in whatever order it comes."""

import asyncio
from dataclasses import replace

import pytest

from recourse.casework.v1 import casework_pb2 as pb
from recourse.casework.v1 import casework_pb2_grpc
from services.domain.case import CaseStatus
from services.domain.errors import CaseNotFound, InvalidArgument
from services.domain.ids import StoreId
from services.platform.database import STATEMENTS
from services.platform.grpc_channel import call
from tests.builders import NOW, STORE
from tests.casework.papers import CASE, a_case_task, a_snapshot, an_entry


async def test_a_case_is_read_as_it_was_published(casework):
    """Without its news: those are in the timeline and the inbox."""
    published = a_snapshot(timeline=(an_entry(1),), tasks=(a_case_task(),))

    await casework.publish(published)

    assert await casework.get(STORE, CASE) == replace(published, timeline=(), tasks=())


async def test_a_publication_is_one_statement(casework):
    """Case, timeline, tasks and notice in one round trip, whether it is the first, a repeat or overtaken."""
    full = a_snapshot(sequence=2, timeline=(an_entry(1), an_entry(2)), tasks=(a_case_task(),))
    # The driver asks once per connection what types there are.
    await casework.publish(a_snapshot(9))
    for snapshot in (full, full, replace(full, sequence=1), replace(full, sequence=3)):
        before = STATEMENTS.statements
        await casework.publish(snapshot)

        assert STATEMENTS.statements - before == 1


async def test_an_older_snapshot_never_overwrites_a_newer(casework):
    """Publications arrive in any order and more than once; the highest sequence stays."""
    story = [a_snapshot(sequence=number, phase=f"phase_{number}") for number in range(1, 9)]

    await asyncio.gather(*(casework.publish(snapshot) for snapshot in [*story, *reversed(story)]))
    await casework.publish(story[0])

    assert await casework.get(STORE, CASE) == story[-1]


async def test_no_entry_of_the_timeline_is_lost(casework):
    """An older snapshot that arrives late still brings its entries; each is there once, in its order."""
    await casework.publish(a_snapshot(sequence=3, timeline=tuple(an_entry(n) for n in (9, 10, 11))))
    await casework.publish(a_snapshot(sequence=1, timeline=(an_entry(1), an_entry(2))))
    await casework.publish(a_snapshot(sequence=1, timeline=(an_entry(1), an_entry(2))))

    assert await casework.timeline(STORE, CASE) == [an_entry(n) for n in (1, 2, 9, 10, 11)]


async def test_a_case_may_open_again(casework):
    """What a newer snapshot takes back is gone: the outcome, the date of closing, the owner."""
    closed = a_snapshot(
        status=CaseStatus.CLOSED, outcome="refunded", waiting_on=None, closed_at=NOW, owner="agent-1"
    )
    await casework.publish(closed)
    await casework.publish(a_snapshot(sequence=2))

    assert await casework.get(STORE, CASE) == a_snapshot(sequence=2)


@pytest.mark.parametrize("ask", ["get", "timeline"])
async def test_another_stores_case_does_not_exist(casework, ask):
    """Neither does one that was never published."""
    await casework.publish(a_snapshot(timeline=(an_entry(1),)))

    for store_id, case in ((StoreId("other"), CASE), (STORE, "RT-0000-0000")):
        with pytest.raises(CaseNotFound):
            await getattr(casework, ask)(store_id, case)


async def test_a_service_finds_a_case_in_any_store(casework):
    """It knows the case's id alone."""
    await casework.publish(a_snapshot())

    assert await casework.get("", CASE) == a_snapshot()


async def test_a_case_without_entries_has_an_empty_timeline(casework):
    """It exists, and nothing has happened."""
    await casework.publish(a_snapshot())

    assert await casework.timeline(STORE, CASE) == []


@pytest.mark.parametrize("document", ["{}", "[1]", "not JSON", '{"case_id": "RT-0000-0000"}'])
async def test_what_is_no_case_is_bad_input(casework_channel, document):
    """It is refused for good, so that nobody tries again for ever."""
    stub = casework_pb2_grpc.CaseworkServiceStub(casework_channel)
    request = pb.PublishCaseRequest(document_json=document)

    with pytest.raises(InvalidArgument):
        await call(stub.PublishCase, request, pb.PublishCaseResponse, seconds=3)
