"""Lists of cases: narrowed, paged, and each store's own."""

import base64
from datetime import timedelta

import pytest

from services.clients.casework import CaseworkClient
from services.domain.case import CaseSnapshot, CaseStatus, Party
from services.domain.errors import InvalidArgument
from services.domain.ids import CustomerId, OrderId, StoreId, case_id
from services.domain.inbox import CaseFilter, TaskFilter
from tests.builders import NOW, STORE
from tests.casework.papers import a_snapshot, waiting_until

CASES = 7


@pytest.fixture
def shelf() -> list[CaseSnapshot]:
    """Seven cases, each published after the one before."""
    return [
        a_snapshot(
            number,
            updated_at=NOW + timedelta(minutes=number),
            order_id=OrderId(f"5363{number}"),
            customer_id=CustomerId(f"1785{number % 2}"),
            status=CaseStatus.CLOSED if number == 3 else CaseStatus.OPEN,
            phase="inspecting" if number > 4 else "awaiting_parcel",
            owner="agent-1" if number in {2, 5} else None,
            note={1: "Broken GLASS_100% arrived", 6: "杯子碎了"}.get(number, ""),
            waiting_on=None
            if number == 3
            else waiting_until(
                NOW + timedelta(days=number), Party.WAREHOUSE if number > 4 else Party.CUSTOMER
            ),
        )
        for number in range(CASES)
    ]


@pytest.fixture
async def filled(casework: CaseworkClient, shelf: list[CaseSnapshot]) -> CaseworkClient:
    for snapshot in shelf:
        await casework.publish(snapshot)
    return casework


@pytest.mark.parametrize("limit", [1, 3, CASES, 50])
async def test_a_list_goes_on_where_its_page_ended(filled, shelf, limit):
    """Last updated first, no case twice, none left out."""
    seen, cursor = [], ""
    while True:
        page, cursor = await filled.list(CaseFilter(STORE), cursor, limit)
        seen += page
        if not cursor:
            break

    assert seen == list(reversed(shelf))


async def test_an_update_brings_a_case_to_the_top(filled):
    """The list is by the last update, not by the opening."""
    newer = a_snapshot(0, sequence=2, updated_at=NOW + timedelta(hours=1))
    await filled.publish(newer)

    page, _ = await filled.list(CaseFilter(STORE), "", 1)

    assert page == [newer]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"order_id": "53634"}, [4]),
        ({"customer_id": "17851"}, [5, 3, 1]),
        ({"kind": "return"}, [6, 5, 4, 3, 2, 1, 0]),
        ({"kind": "dispute"}, []),
        ({"status": "closed"}, [3]),
        ({"phase": "inspecting"}, [6, 5]),
        ({"waiting_on": "warehouse"}, [6, 5]),
        ({"owner": "agent-1"}, [5, 2]),
        ({"due_before": NOW + timedelta(days=2)}, [1, 0]),
        ({"text": case_id("RT", 4)}, [4]),
        ({"text": case_id("RT", 4).lower()}, [4]),
        ({"text": "53636"}, [6]),
        ({"text": "17851"}, [5, 3, 1]),
        ({"text": "broken glass"}, [1]),
        ({"text": "glass_100%"}, [1]),
        ({"text": "glass_1000"}, []),
        ({"text": "碎了"}, [6]),
        ({"text": "杯子碎了"}, [6]),
        ({"status": "open", "owner": "agent-1", "phase": "inspecting"}, [5]),
        ({"customer_id": "17850", "text": "杯子"}, [6]),
    ],
)
async def test_a_list_is_narrowed(filled, wanted, found):
    """By every column and by words taken literally, all of them together."""
    page, cursor = await filled.list(CaseFilter(STORE, **wanted), "", 50)

    assert ([case.case_id for case in page], cursor) == ([case_id("RT", number) for number in found], "")


async def test_text_is_never_read_as_a_query(filled):
    """Whatever somebody types is looked for; nothing of it is an operator."""
    for text in (
        "'",
        "\\",
        "a:*",
        "!glass",
        "' | 'glass':*",
        "%",
        "nothing | glass",
        "glass <-> broken",
        "()",
    ):
        page, _ = await filled.list(CaseFilter(STORE, text=text), "", 50)
        found = {case.case_id for case in page}

        assert found <= {case_id("RT", 1)} or found == {case_id("RT", number) for number in range(CASES)}


async def test_a_narrowed_list_goes_on_where_its_page_ended(filled):
    """A cursor means the same in a list of fewer cases."""
    wanted = CaseFilter(STORE, customer_id="17850")
    first, cursor = await filled.list(wanted, "", 3)
    second, end = await filled.list(wanted, cursor, 3)

    assert [case.case_id for case in (*first, *second)] == [case_id("RT", number) for number in (6, 4, 2, 0)]
    assert end == ""


async def test_a_store_lists_its_own(filled, shelf):
    """Another store has other cases; a service that names none sees all."""
    elsewhere = a_snapshot(9, store_id=StoreId("other"), updated_at=NOW + timedelta(days=1))
    await filled.publish(elsewhere)

    for store_id, seen in ((STORE, list(reversed(shelf))), ("other", [elsewhere]), ("third", [])):
        assert await filled.list(CaseFilter(StoreId(store_id)), "", 50) == (seen, "")
    everything, _ = await filled.list(CaseFilter(StoreId("")), "", 50)
    assert {case.case_id for case in everything} == {case.case_id for case in (*shelf, elsewhere)}


async def test_a_cursor_that_is_not_ours_is_refused(casework):
    """Whatever somebody made up as a cursor is bad input, never a bug."""
    texts = [
        "not base64!",
        "2026",
        "2026-01-01 x\0",
        "x y",
        "-1 x",
        "18446744073709551616 x",
        "0001-01-01T00:00+23:00 x",
    ]
    cursors = ["%%%", *(base64.urlsafe_b64encode(text.encode()).decode() for text in texts)]
    for cursor in cursors:
        for ask in (
            casework.list(CaseFilter(STORE), cursor, 5),
            casework.tasks(TaskFilter(STORE), cursor, 5),
            casework.changes(cursor, 5),
        ):
            with pytest.raises(InvalidArgument):
                await ask
