"""What ops see of a case in the Temporal UI, and what nobody can read there."""

import json

import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.common import SearchAttributeKey

from tests.e2e.conftest import SellTo
from tests.e2e.outside import Outside, until
from tests.e2e.payloads import payloads_in
from tests.e2e.purchases import Return

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]

WORD = "Zweiundvierzig"
PHASE = SearchAttributeKey.for_keyword("CasePhase")
OUTCOME = SearchAttributeKey.for_keyword("Outcome")


@pytest.fixture
async def ops(outside: Outside) -> Client:
    """A client without the keys, as whoever reads the server's database would be."""
    return await Client.connect(outside.facts.temporal)


@pytest.fixture
async def told_much(a_purchase: SellTo, ops: Client) -> Return:
    """A finished return whose customer has written a note and a message."""
    purchase = await a_purchase().arrive()
    body = purchase.request(2, note=f"{WORD} in the note")
    opened = await purchase.outside.post("/v1/cases", body, key=f"much-{purchase.order_id}")
    back = Return(purchase, opened)
    await back.act("messages", {"text": f"{WORD} in a message"})
    await back.come_back()
    await back.until("refunded")
    handle = ops.get_workflow_handle(f"return/{back.case_id}")
    await until(handle.describe, lambda found: found.typed_search_attributes.get(OUTCOME) is not None)
    return back


async def test_a_case_is_found_by_its_id_and_attributes(a_purchase: SellTo, ops: Client):
    """Workflow ``return/RT-…`` of type ReturnCase; phase, party and due date are what the API says."""
    back = await (await a_purchase().arrive()).give_back(2)

    async def described() -> WorkflowExecutionDescription:
        return await ops.get_workflow_handle(f"return/{back.case_id}").describe()

    # Search attributes come with the end of the workflow task, a moment after its answer.
    found = await until(
        described, lambda found: found.typed_search_attributes.get(PHASE) == "awaiting_parcel"
    )
    case = await back.now()

    shown = {pair.key.name: pair.value for pair in found.typed_search_attributes}
    assert found.workflow_type == "ReturnCase"
    assert {
        name: shown.get(name) for name in ("CaseKind", "CasePhase", "StoreId", "OrderId", "WaitingOn")
    } == {
        "CaseKind": "return",
        "CasePhase": "awaiting_parcel",
        "StoreId": "demo",
        "OrderId": back.purchase.order_id,
        "WaitingOn": "customer",
    }
    assert shown["DueAt"].isoformat()[:19] == case["waiting_on"]["until"][:19]
    query = f"OrderId = '{back.purchase.order_id}' AND CasePhase = 'awaiting_parcel'"

    async def listed() -> list[str]:
        return [workflow.id async for workflow in ops.list_workflows(query)]

    assert await until(listed, bool) == [f"return/{back.case_id}"]


async def test_an_ended_return_shows_its_outcome(told_much: Return, ops: Client):
    """Phase and outcome are upserted with the end."""
    found = await ops.get_workflow_handle(f"return/{told_much.case_id}").describe()

    outcome = found.typed_search_attributes.get(OUTCOME)
    phase = found.typed_search_attributes.get(SearchAttributeKey.for_keyword("CasePhase"))
    assert (phase, outcome) == ("refunded", "refunded")


async def test_nothing_of_a_case_can_be_read_without_the_keys(told_much: Return, ops: Client):
    """Every payload of the history is sealed; no name, number, address or word of the customer is in it."""
    handle = ops.get_workflow_handle(f"return/{told_much.case_id}")
    history, found = await handle.fetch_history(), await handle.describe()
    purchase = told_much.purchase

    payloads = [payload for event in history.events for payload in payloads_in(event)]
    raw = b"".join(event.SerializeToString() for event in history.events)
    raw += found.raw_description.SerializeToString()

    bookkeeping = [p for p in payloads if p.metadata["encoding"] != b"binary/encrypted"]
    assert len(payloads) > 40
    # Only the SDK's own note of which local activity a marker is of.
    assert all(set(json.loads(p.data)) & {"seq", "backoff"} for p in bookkeeping)
    personal = [
        WORD,
        purchase.email,
        purchase.customer_id,
        "Example Street",
        f"+4400000{purchase.customer_id}",
    ]
    assert [word for word in personal if word.encode() in raw] == []


async def test_the_ui_opens_what_is_sealed_and_nobody_else_does(told_much: Return, ops: Client):
    """The codec endpoint answers the UI's origin alone, with the request and the summary."""
    handle = ops.get_workflow_handle(f"return/{told_much.case_id}")
    start = (await handle.fetch_history()).events[0]
    request = start.workflow_execution_started_event_attributes.input.payloads[0]
    summary = (await handle.describe()).raw_description.execution_config.user_metadata.summary
    outside = told_much.outside
    ui, stranger = {"origin": outside.facts.temporal_ui}, {"origin": "http://example.com"}
    sealed = json_format.MessageToDict(Payloads(payloads=[request, summary]))

    answer = await outside.http.post("/codec/decode", json=sealed, headers=ui)
    strange = await outside.http.post("/codec/decode", json=sealed, headers=stranger)
    preflight = await outside.http.options("/codec/decode", headers=ui)

    payloads = json_format.ParseDict(answer.json(), Payloads()).payloads
    opened, told = (json.loads(payload.data) for payload in payloads)

    assert opened["case_id"] == told_much.case_id
    assert WORD in opened["note"]
    assert told == f"return of order {told_much.purchase.order_id}, store demo"
    assert strange.status_code == 404
    assert preflight.headers["access-control-allow-origin"] == outside.facts.temporal_ui
