"""What a case shows of itself: evidence, stream, timeline, explanation, lists, mail."""

import asyncio
import base64
import json
from collections import Counter
from datetime import datetime, timedelta

import httpx2
import pytest

from tests.e2e.conftest import SellTo
from tests.e2e.outside import Json, until

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]

# One grey pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


async def test_evidence_is_kept_as_what_it_is(a_purchase: SellTo):
    """A picture that is called a PDF is a picture; given twice it is one piece; it is given out again."""
    back = await (await a_purchase().arrive()).give_back(2, "damaged_in_transit")
    path = f"/v1/cases/{back.case_id}/evidence"
    file = {"file": ("scan.pdf", PNG, "application/pdf")}

    answers = [await back.outside.call("POST", path, files=file, data={"kind": "photo"}) for _ in range(2)]

    assert all(answer.is_success for answer in answers), answers[0].text
    (evidence,) = (await back.now())["evidence"]
    assert (evidence["kind"], evidence["content_type"]) == ("photo", "image/png")
    given = await back.outside.call("GET", f"{path}/{evidence['evidence_id']}")
    assert (given.content, given.headers["content-disposition"][:10]) == (PNG, "attachment")


@pytest.mark.parametrize("content", [b"<html><script>alert(1)</script></html>", b"MZ\x90\x00", b""])
async def test_a_spoofed_file_is_refused(a_purchase: SellTo, content: bytes):
    """A page or a program that calls itself a picture is none, whatever its name and type say."""
    back = await (await a_purchase().arrive()).give_back(2, "damaged_in_transit")
    file = {"file": ("photo.png", content, "image/png")}

    path = f"/v1/cases/{back.case_id}/evidence"
    answer = await back.outside.call("POST", path, files=file, data={"kind": "photo"})

    assert answer.status_code in {400, 422}
    assert answer.json()["code"] == "evidence_rejected"
    assert (await back.now())["evidence"] == []


async def test_the_stream_sends_every_change(a_purchase: SellTo):
    """Server-sent events: the case at once, and again when it has moved."""
    back = await (await a_purchase().arrive()).give_back(2)
    headers = {"authorization": f"Bearer {back.outside.facts.tokens['store']}"}
    phases: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        path = f"/v1/cases/{back.case_id}/stream"
        async with back.outside.http.stream("GET", path, headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    phases.put_nowait(json.loads(line.removeprefix("data: "))["phase"])

    listening = asyncio.create_task(listen())
    try:
        assert await asyncio.wait_for(phases.get(), 60) == "awaiting_parcel"
        await back.receive(2)
        async with asyncio.timeout(60):
            while await phases.get() != "inspecting":
                pass
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_the_timeline_says_what_happened_in_order(a_purchase: SellTo):
    """Oldest first, each thing once, with who did it; a note of staff is not for the customer."""
    back = await (await a_purchase().arrive()).give_back(2)
    await back.act("notes", {"text": "a regular"}, role="agent")
    await back.come_back()
    await back.until("refunded")

    timeline = await back.outside.get(f"/v1/cases/{back.case_id}/timeline")
    token = back.outside.customer_token(back.purchase.customer_id)
    shown = (await back.outside.call("GET", f"/v1/cases/{back.case_id}/timeline", token=token)).json()

    happened = [entry["what"] for entry in timeline]
    wanted = ["decided", "return_authorised", "note", "goods_received", "goods_inspected", "refund_succeeded"]
    assert [what for what in happened if what in wanted] == wanted
    assert [entry["at"] for entry in timeline] == sorted(entry["at"] for entry in timeline)
    assert happened.count("closed") == 1
    assert "note" not in [entry["what"] for entry in shown]
    assert [entry["detail"] for entry in timeline if entry["what"] == "refund_succeeded"] == ["510 GBP"]
    dock = [
        (told, entry["actor"]) for told in (timeline, shown) for entry in told if "goods_" in entry["what"]
    ]
    assert {actor["kind"] for _, actor in dock} == {"staff"}
    assert all((actor["id"] is not None) == (told is timeline) for told, actor in dock)


async def test_the_quote_is_what_the_case_then_pays(a_purchase: SellTo):
    """Asked before, shown when opened, explained after: one amount, to the minor unit."""
    purchase = a_purchase()
    await purchase.arrive()
    quoted = await purchase.outside.post("/v1/cases/quote", purchase.request(5))
    back = await purchase.give_back(5)
    await back.come_back(5)
    case = await back.until("refunded")

    explained = await back.outside.get(f"/v1/cases/{back.case_id}/explain")

    assert quoted["case_id"] is None
    assert quoted["quote"]["refund"] == back.opened["quote"]["refund"] == case["refunds"][0]["amount"]
    assert quoted["quote"]["refund"]["amount"] == 1275
    assert (explained["basis"], explained["refund"]["amount"]) == ("settlement", 1275)
    assert sum(part["amount"]["amount"] for part in explained["amounts"]) == 1275
    assert [(row["quantity"], row["accepted"]) for row in explained["inspected"]] == [(5, True)]


async def test_every_fact_is_told_once(a_purchase: SellTo):
    """From approval to the question at the end: one mail per fact, in the order it became true."""
    back = await (await a_purchase().arrive()).give_back(2)
    await back.come_back()
    await back.until("refunded")
    await back.advance(days=3, minutes=1)

    mail = await until(lambda: back.mail(""), lambda found: len(found) >= 3)

    subjects = Counter(str(each["Subject"]) for each in mail)
    assert set(subjects.values()) == {1}, subjects
    assert len({each["Message-ID"] for each in mail}) == len(mail) == 3
    order = ("approved", "refund", "?")
    found = [next(i for i, each in enumerate(mail) if word in str(each["Subject"]).lower()) for word in order]
    assert found == sorted(found)


async def test_lists_find_a_case_by_everything_it_is_filed_under(a_purchase: SellTo):
    """Order, customer, phase, who is waited for, due date and text; and not by anything else."""
    back = await (await a_purchase().arrive()).give_back(2)
    purchase, due = back.purchase, back.opened["waiting_on"]["until"]

    async def listed(**query: str) -> list[str]:
        page = await back.outside.get("/v1/cases", order_id=purchase.order_id, **query)
        return [case["case_id"] for case in page["data"]]

    await until(listed, lambda found: found == [back.case_id])
    later = (datetime.fromisoformat(due) + timedelta(days=1)).isoformat()
    hits: list[Json] = [
        {"customer_id": purchase.customer_id},
        {"kind": "return", "status": "open", "phase": "awaiting_parcel"},
        {"waiting_on": "customer"},
        {"due_before": later},
        {"q": back.case_id},
    ]
    misses: list[Json] = [
        {"customer_id": "1"},
        {"status": "closed"},
        {"waiting_on": "bank"},
        {"due_before": back.opened["opened_at"]},
        {"owner": "agent-1"},
    ]
    assert [await listed(**query) for query in hits] == [[back.case_id]] * len(hits)
    assert [await listed(**query) for query in misses] == [[]] * len(misses)


async def test_a_list_is_read_in_pages_without_gap_or_repeat(a_purchase: SellTo):
    """Six cases of one order in pages of two are six cases."""
    purchase = await a_purchase().arrive()
    opened = [(await purchase.ask_back(1, key=f"page-{n}")).json()["case_id"] for n in range(6)]
    await until(
        lambda: purchase.outside.get("/v1/cases", order_id=purchase.order_id),
        lambda page: len(page["data"]) == len(opened),
    )
    seen: list[str] = []
    cursor = ""
    while True:
        page = await purchase.outside.get("/v1/cases", order_id=purchase.order_id, limit=2, cursor=cursor)
        seen += [case["case_id"] for case in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert sorted(seen) == sorted(opened)


async def test_the_links_of_a_case_lead_somewhere(a_purchase: SellTo):
    """Itself, its timeline, and its workflow in the Temporal UI; the label can be printed."""
    back = await (await a_purchase().arrive()).give_back(2, "defective")
    links = back.opened["links"]
    headers = {"authorization": f"Bearer {back.outside.facts.tokens['store']}"}

    async with httpx2.AsyncClient(timeout=60) as http:
        me = await http.get(links["self"], headers=headers)
        timeline = await http.get(links["timeline"], headers=headers)
        ui = await http.get(links["temporal"], follow_redirects=True)
        label = await http.get((await back.now())["return"]["label_url"])

    assert [each.status_code for each in (me, timeline, ui, label)] == [200] * 4
    assert back.rma in label.text
