"""Cases over REST: opened once, shown whole, commanded once."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest

from services.domain.ids import is_case_id
from services.domain.return_phases import OUTCOMES
from services.gateway.schemas.case_document import Outcome
from tests.fixtures.gateway import Front, case_body, customer_token, staff_token, store_token

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 200_000


@pytest.mark.rule("S046")
async def test_a_case_is_shown_whole(front: Front) -> None:
    """The answer has every member of the contract, an id with its check symbol, and links to itself."""
    await front.put_order()
    answer = await front.open_case()
    case = answer.json()

    assert answer.status_code == 201
    assert is_case_id(case["case_id"])
    assert set(case) >= {
        "case_id", "kind", "status", "phase", "outcome", "order_id", "store_id", "customer_id", "owner",
        "channel", "note", "lines", "decision", "quote", "options", "waiting_on", "return", "refunds",
        "documents", "opened_at", "updated_at", "closed_at", "links",
    }  # fmt: skip
    assert case["decision"]["policy"] == {"id": "demo-uk", "version": 1}
    assert {rule["rule"] for rule in case["decision"]["rules"]} >= {"order_paid", "return_window"}
    assert case["lines"] == [
        {"line_id": "1", "quantity": 2, "reason": "changed_mind", "received": 0, "accepted": 0, "rejected": 0,
         "refunded": 0}
    ]  # fmt: skip
    assert answer.headers["location"] == case["links"]["self"]
    assert (await front.http.get(case["links"]["self"], headers=_bearer())).json() == case


def _bearer() -> dict[str, str]:
    return {"authorization": f"Bearer {store_token()}"}


async def test_the_same_key_and_body_is_the_same_case(front: Front) -> None:
    """A repeat is answered with the case as it stands, also after its units are taken."""
    await front.put_order()
    lines = [{"line_id": "1", "quantity": 6, "reason": "changed_mind"}]
    first = await front.open_case(key="k1", lines=lines)
    case_id = first.json()["case_id"]
    await front.call("POST", f"/v1/cases/{case_id}/withdraw", store_token(), json={"reason": "x"})

    again = await front.open_case(key="k1", lines=lines)

    assert (first.status_code, again.status_code) == (201, 200)
    assert "location" not in again.headers
    assert (again.json()["case_id"], again.json()["status"]) == (case_id, "closed")
    assert len(front.cases.opened) == 1


async def test_the_same_key_with_another_body_is_a_conflict(front: Front) -> None:
    """A key stands for one request; another caller's key of the same name is another key."""
    await front.put_order()
    await front.open_case(key="k1")
    other = await front.open_case(key="k1", note="Something else.")
    elsewhere = await front.open_case(customer_token(), key="k1", note="Something else.")

    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert elsewhere.status_code == 201
    assert len(front.cases.opened) == 2


async def test_racing_twins_of_one_key_are_one_case(front: Front) -> None:
    """Of ten requests under one key for all units, each gets the one case that holds them."""
    await front.put_order()
    lines = [{"line_id": "1", "quantity": 6, "reason": "changed_mind"}]
    answers = await asyncio.gather(*(front.open_case(key="k1", lines=lines) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    assert len(front.cases.opened) == 1
    assert await front.written() == (1, 1)


async def test_racing_cases_never_hold_the_same_unit(front: Front) -> None:
    """Of six cases for two of six units each, three are opened and three refused; a refused key is free."""
    await front.put_order()
    answers = await asyncio.gather(*(front.open_case(key=f"k{n}") for n in range(6)))

    refused = [answer for answer in answers if answer.status_code == 409]
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 3
    assert {answer.json()["code"] for answer in refused} == {"quantity_exceeds_remaining"}
    assert await front.written() == (3, 3)


@pytest.mark.rule("S001")
async def test_what_cannot_be_opened_leaves_nothing_behind(front: Front) -> None:
    """An unknown order, an unknown line and too many units are refused before anything starts."""
    await front.put_order()

    def lines(line_id: str, quantity: int) -> list[dict[str, object]]:
        return [{"line_id": line_id, "quantity": quantity, "reason": "defective"}]

    refused = [
        await front.open_case(order_id="999"),
        await front.open_case(lines=lines("9", 1)),
        await front.open_case(lines=lines("1", 7)),
        await front.open_case(lines=lines("1", 4) + lines("1", 3)),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [
        (404, "order_not_found"),
        (422, "unknown_order_line"),
        (409, "quantity_exceeds_remaining"),
        (409, "quantity_exceeds_remaining"),
    ]
    assert (front.cases.opened, await front.written()) == ([], (0, 0))


async def test_what_cannot_be_opened_is_pointed_at(front: Front) -> None:
    """The member of the body that is wrong, of the first of equal rows; quoting points there too."""
    await front.put_order()
    rows = [("1", 1), ("1", 1), ("9", 1)]
    more = [("1", 1), ("1", 6)]

    def lines(rows: list[tuple[str, int]]) -> list[dict[str, object]]:
        return [{"line_id": line, "quantity": count, "reason": "changed_mind"} for line, count in rows]

    for sent, pointer, code in (
        (rows, "/lines/2/line_id", "unknown_value"),
        (more, "/lines/0/quantity", "exceeds_remaining"),
    ):
        body = case_body(lines=lines(sent))
        opened = await front.open_case(lines=lines(sent))
        quoted = await front.call("POST", "/v1/cases/quote", store_token(), json=body)
        for answer in (opened, quoted):
            assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(pointer, code)]


async def test_a_denied_request_is_a_case(front: Front) -> None:
    """A rule's no is not an error: the case stands, claims nothing, and may be escalated."""
    await front.put_order(placed_at="2020-01-01T00:00:00Z")
    answer = await front.open_case()

    assert (answer.status_code, answer.json()["decision"]["verdict"]) == (201, "deny")
    failing = [r for r in answer.json()["decision"]["rules"] if r["verdict"] == "fail"]
    assert [rule["rule"] for rule in failing] == ["return_window"]
    order = (await front.call("GET", "/v1/orders/536365", store_token())).json()
    assert order["lines"][0]["in_case"] == 0


async def test_a_quote_opens_nothing(front: Front) -> None:
    """It is the case that would be, with what comes back and why; no unit is held and no key is kept."""
    await front.put_order()
    quoted = await front.call("POST", "/v1/cases/quote", store_token(), json=case_body())
    case = quoted.json()

    assert (quoted.status_code, case["case_id"], case["decision"]["verdict"]) == (200, None, "allow")
    assert case["quote"]["refund"] == {"amount": 510, "currency": "GBP"}
    back_to = {"payment_id": "pay_536365", "amount": 510, "destination": "original"}
    assert case["quote"]["to"] == [back_to]
    assert set(case) == set((await front.open_case()).json())
    order = (await front.call("GET", "/v1/orders/536365", store_token())).json()
    assert order["lines"][0]["in_case"] == 2


COMMANDS = {
    "parcel": ({"carrier": "demo-post", "tracking_number": "BACK1"}, "register_parcel"),
    "messages": ({"text": "Hello\nthere"}, "add_message"),
    "confirm": ({"ok": True, "score": 5}, "confirm"),
    "escalate": ({"reason": "I do not agree."}, "escalate"),
    "extend": ({"until": "2027-01-01T00:00:00Z", "reason": "Holidays."}, "extend"),
    "pause": ({"reason": "Strike at the carrier."}, "pause"),
    "resume": ({"reason": "It is over."}, "resume"),
    "assign": ({"to": "agent-2", "reason": "Speaks French."}, "assign"),
    "notes": ({"text": "Regular."}, "add_note"),
    "withdraw": ({"reason": "Changed my mind again."}, "withdraw"),
}


async def test_commands_reach_their_case_once_per_key(front: Front) -> None:
    """Each route gives its command, with who gave it; the same key and body again is the same command."""
    case_id = await front.a_case()
    agent = staff_token("agent")
    for path, (body, _) in COMMANDS.items():
        for _ in range(2):
            answer = await front.call(
                "POST", f"/v1/cases/{case_id}/{path}", agent, json=body, headers={"idempotency-key": path}
            )
            assert (answer.status_code, answer.json()["case_id"]) == (200, case_id), answer.text

    assert [name for name, _ in front.cases.given.values()] == [name for _, name in COMMANDS.values()]
    assert {command.actor.actor_id for _, command in front.cases.given.values()} == {"agent-1"}  # type: ignore[attr-defined]


async def test_a_commands_key_stands_for_one_body(front: Front) -> None:
    """Another text, or another route, under the same key is a conflict and is not given."""
    case_id = await front.a_case()
    headers = {"idempotency-key": "k1"}

    async def say(path: str, text: str) -> int:
        answer = await front.call(
            "POST", f"/v1/cases/{case_id}/{path}", staff_token("agent"), json={"text": text}, headers=headers
        )
        return answer.status_code

    assert [await say("messages", "A"), await say("messages", "B"), await say("notes", "A")] == [
        200,
        409,
        409,
    ]
    assert len(front.cases.given) == 1


async def test_what_a_case_refuses_is_told(front: Front) -> None:
    """An unknown case, a phase that does not allow it and a closed case each have their code."""
    case_id = await front.a_case()
    store = store_token()

    async def give(case: str, path: str, body: dict[str, object]) -> tuple[int, str]:
        answer = await front.call("POST", f"/v1/cases/{case}/{path}", store, json=body)
        return answer.status_code, answer.json().get("code", "")

    choose: dict[str, object] = {"option_id": "return_goods"}
    reason: dict[str, object] = {"reason": "x"}
    assert await give(case_id, "choice", choose) == (409, "action_not_allowed")
    assert await give("RT-0000-0000", "withdraw", reason) == (404, "case_not_found")
    assert await give("RT-0000-0001", "withdraw", reason) == (404, "case_not_found")
    assert await give("nonsense", "withdraw", reason) == (404, "case_not_found")
    assert (await give(case_id, "withdraw", reason))[0] == 200
    assert await give(case_id, "withdraw", reason) == (409, "case_closed")


@pytest.mark.rule("S092")
async def test_evidence_is_stored_and_told(front: Front) -> None:
    """A file is checked by its content; the same file twice is one piece of evidence."""
    case_id = await front.a_case()
    path = f"/v1/cases/{case_id}/evidence"

    async def upload(content: bytes) -> tuple[int, str]:
        files = {"file": ("photo.png", content, "image/png")}
        answer = await front.call("POST", path, customer_token(), files=files, data={"kind": "photo"})
        return answer.status_code, answer.json().get("code", "")

    assert [await upload(PNG), await upload(PNG)] == [(201, "")] * 2
    assert await upload(b"MZ an executable that calls itself a photo") == (422, "evidence_rejected")
    stored = {command.evidence_id for _, command in front.cases.given.values()}  # type: ignore[attr-defined]
    kinds = {command.content_type for _, command in front.cases.given.values()}  # type: ignore[attr-defined]
    assert (len(stored), kinds) == (1, {"image/png"})


async def test_the_same_file_under_another_kind_is_the_same_evidence(front: Front) -> None:
    """It is answered with the id it has, and stays what it was given as."""
    case_id = await front.a_case()

    async def upload(kind: str) -> tuple[int, str]:
        files = {"file": ("photo.png", PNG, "image/png")}
        path = f"/v1/cases/{case_id}/evidence"
        answer = await front.call("POST", path, customer_token(), files=files, data={"kind": kind})
        return answer.status_code, answer.headers["location"]

    first, second = await upload("photo"), await upload("receipt")
    stored = await front.http.get(second[1], headers=_bearer())

    assert first == second
    assert (first[0], stored.content) == (201, PNG)
    kinds = [command.kind for _, command in front.cases.given.values()]  # type: ignore[attr-defined]
    assert kinds == ["photo", "photo"]


async def test_nothing_is_kept_of_a_file_that_a_closed_case_refuses(front: Front, tmp_path: Path) -> None:
    """What was given before the case closed may be given again; what is new leaves nothing behind."""
    case_id = await front.a_case()

    async def upload(content: bytes) -> tuple[int, str]:
        files, key = {"file": ("photo.png", content, "image/png")}, {"idempotency-key": str(len(content))}
        path, data = f"/v1/cases/{case_id}/evidence", {"kind": "photo"}
        answer = await front.call("POST", path, store_token(), files=files, data=data, headers=key)
        return answer.status_code, answer.json().get("code", "")

    assert await upload(PNG) == (201, "")
    await front.call("POST", f"/v1/cases/{case_id}/withdraw", store_token(), json={"reason": "kept"})
    kept = sorted((tmp_path / "evidence").rglob("*"))

    assert await upload(PNG) == (201, "")
    assert await upload(PNG + b"another") == (409, "case_closed")
    assert sorted((tmp_path / "evidence").rglob("*")) == kept


async def test_the_stream_sends_the_case_whenever_it_changes(front: Front) -> None:
    """First the case as it is, comments while nothing happens, then the case as it has become."""
    case_id = await front.a_case()
    seen: list[dict[str, object]] = []
    comments = 0
    async with front.http.stream("GET", f"/v1/cases/{case_id}/stream", headers=_bearer()) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            comments += line.startswith(":")
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
            if comments and len(seen) == 1:
                body = {"reason": "x"}
                await front.call("POST", f"/v1/cases/{case_id}/withdraw", store_token(), json=body)
            if len(seen) == 2:
                break

    assert [case["status"] for case in seen] == ["open", "closed"]
    assert seen[0]["case_id"] == case_id


async def test_another_customers_stream_does_not_exist(front: Front) -> None:
    """Nobody follows a case that is not theirs."""
    case_id = await front.a_case()
    answer = await front.call("GET", f"/v1/cases/{case_id}/stream", customer_token("13047"))

    assert (answer.status_code, answer.json()["code"]) == (404, "case_not_found")


async def test_the_test_clock_moves_one_case(front: Front) -> None:
    """Its answer is the case's time, and the case once the register shows what was due by then."""
    case_id = await front.a_case()
    body = {"case_id": case_id, "seconds": 15 * 24 * 3600}
    answer = await front.call("POST", "/v1/test-clock/advance", staff_token("ops"), json=body)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["case"]["phase"], answer.json()["case"]["outcome"]) == ("expired", "expired")
    assert answer.json()["now"] > answer.json()["case"]["opened_at"]


async def test_the_test_clock_moves_once_per_key(front: Front) -> None:
    """A repeat answers how the case stands, also when it has closed meanwhile; another body is a conflict."""
    case_id = await front.a_case()

    async def advance(days: int, key: str) -> tuple[int, str]:
        body, headers = {"case_id": case_id, "seconds": days * 24 * 3600}, {"idempotency-key": key}
        path = "/v1/test-clock/advance"
        told = await front.call("POST", path, staff_token("ops"), json=body, headers=headers)
        document = told.json()
        return told.status_code, document.get("code") or document["case"]["phase"]

    assert [await advance(5, "a") for _ in range(3)] == [(200, "awaiting_parcel")] * 3
    assert await advance(6, "a") == (409, "idempotency_conflict")
    assert [await advance(10, "b") for _ in range(2)] == [(200, "expired")] * 2
    assert await advance(1, "c") == (409, "case_closed")


async def test_withdrawing_takes_two_steps(front: Front) -> None:
    """Declared, nothing happens; confirmed, the return is open; confirmed again, it is the same return."""
    await front.put_order()
    body = {"order_id": "536365", "lines": [{"line_id": "1", "quantity": 2}]}
    declared = (await front.call("POST", "/v1/withdrawals", customer_token(), json=body)).json()
    assert "2 × A LANTERN" in declared["statement"]
    assert front.cases.opened == []

    path = f"/v1/withdrawals/{declared['withdrawal_id']}/confirm"
    theirs = await front.call("POST", path, customer_token("13047"))
    first, again = [await front.call("POST", path, customer_token()) for _ in range(2)]

    assert (theirs.status_code, first.status_code, again.status_code) == (404, 201, 200)
    assert first.json()["case_id"] == again.json()["case_id"]
    assert (first.json()["lines"][0]["quantity"], first.json()["lines"][0]["reason"]) == (2, "changed_mind")
    sent = await front.pool.fetchval("SELECT count(*) FROM withdrawals WHERE receipt_sent_at IS NOT NULL")
    assert sent == 1


async def test_withdrawing_without_lines_means_all_that_is_left(front: Front) -> None:
    """What another case holds is not withdrawn from; when nothing is left, that is said."""
    case_id = await front.a_case()
    everything = {"order_id": "536365"}
    declared = await front.call("POST", "/v1/withdrawals", store_token(), json=everything)
    confirmed = await front.call(
        "POST", f"/v1/withdrawals/{declared.json()['withdrawal_id']}/confirm", store_token()
    )
    nothing = await front.call("POST", "/v1/withdrawals", store_token(), json=everything)
    unknown = await front.call("POST", f"/v1/withdrawals/{uuid4()}/confirm", store_token())

    assert confirmed.json()["lines"][0]["quantity"] == 4
    assert confirmed.json()["case_id"] != case_id
    assert (nothing.status_code, nothing.json()["code"]) == (409, "quantity_exceeds_remaining")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "withdrawal_not_found")


def test_published_outcomes_are_the_domains() -> None:
    """What the contract publishes as outcomes is what a return can end in."""
    assert {outcome.value for outcome in Outcome} == set(OUTCOMES)
