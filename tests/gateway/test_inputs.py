"""Bad input: a clear coded 4xx, a pointer at the fault, and nothing written."""

import json
from typing import Any

from tests.fixtures.gateway import Front, case_body, order_body, staff_token, store_token

LINE = {"line_id": "1", "quantity": 1, "reason": "changed_mind"}
HUGE = 10**12


def with_line(**changes: Any) -> dict[str, Any]:
    return case_body(lines=[{**LINE, **changes}])


BAD_CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no kind": ({k: v for k, v in case_body().items() if k != "kind"}, "/kind", "required"),
    "unknown kind": (case_body(kind="teleport"), "/kind", "unknown_value"),
    "unknown member": (case_body(colour="red"), "/colour", "unknown_member"),
    "unknown member within": (with_line(colour="red"), "/lines/0/colour", "unknown_member"),
    "no lines": (case_body(lines=[]), "/lines", "too_few"),
    "lines are an object": (case_body(lines={}), "/lines", "not_an_array"),
    "a line is a number": (case_body(lines=[1]), "/lines/0", "not_an_object"),
    "zero": (with_line(quantity=0), "/lines/0/quantity", "out_of_range"),
    "negative": (with_line(quantity=-1), "/lines/0/quantity", "out_of_range"),
    "a million million": (with_line(quantity=HUGE), "/lines/0/quantity", "out_of_range"),
    "beyond 64 bits": (with_line(quantity=10**40), "/lines/0/quantity", "out_of_range"),
    "a fraction": (with_line(quantity=1.5), "/lines/0/quantity", "not_an_integer"),
    "a whole float": (with_line(quantity=2.0), "/lines/0/quantity", "not_an_integer"),
    "a number as text": (with_line(quantity="2"), "/lines/0/quantity", "not_an_integer"),
    "true for one": (with_line(quantity=True), "/lines/0/quantity", "not_an_integer"),
    "null": (with_line(quantity=None), "/lines/0/quantity", "not_an_integer"),
    "unknown reason": (with_line(reason="bored"), "/lines/0/reason", "unknown_value"),
    "two reasons": (
        case_body(lines=[LINE, {**LINE, "reason": "defective"}]), "/lines/1/line_id", "duplicate",
    ),
    "an id of spaces": (with_line(line_id="  "), "/lines/0/line_id", "malformed"),
    "an endless id": (with_line(line_id="1" * 101), "/lines/0/line_id", "too_long"),
    "NUL in a note": (case_body(note="a\x00b"), "/note", "malformed"),
    "escape in a note": (case_body(note="\x1b[2J"), "/note", "malformed"),
    "an endless note": (case_body(note="x" * 4001), "/note", "too_long"),
    "half a character": (case_body(note="\ud800"), "/note", "malformed"),
    "a channel of words": (case_body(channel="the web"), "/channel", "malformed"),
    "unknown destination": (case_body(details={"refund_to": "me"}), "/details/refund_to", "unknown_value"),
    "finance's own destination": (
        case_body(details={"refund_to": "bank_transfer"}), "/details/refund_to", "unknown_value",
    ),
}  # fmt: skip


async def test_a_malformed_case_is_refused_at_its_fault(front: Front) -> None:
    """Whatever is wrong with the request: 400, the pointer, the code, and no case, key or workflow."""
    await front.put_order()
    headers = {
        "authorization": f"Bearer {store_token()}",
        "content-type": "application/json",
        "idempotency-key": "k1",
    }
    answers = {}
    for name, (body, _, _) in BAD_CASES.items():
        content = json.dumps(body)
        for path in ("/v1/cases", "/v1/cases/quote"):
            answer = await front.http.post(path, content=content, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument"), (
                name,
                answer.text,
            )
        first = answer.json()["errors"][0]
        answers[name] = (first["pointer"], first["code"])

    assert answers == {name: (pointer, code) for name, (_, pointer, code) in BAD_CASES.items()}
    assert (front.cases.opened, await front.written()) == ([], (0, 0))


def with_payment(**changes: Any) -> dict[str, Any]:
    return order_body(payments=[{**order_body()["payments"][0], **changes}])


BAD_ORDERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such currency": (order_body(currency="ABC"), "/currency", "unknown_value"),
    "gold": (order_body(currency="XAU"), "/currency", "unknown_value"),
    "lower case": (order_body(currency="gbp"), "/currency", "malformed"),
    "no such status": (order_body(status="lost"), "/status", "unknown_value"),
    "no offset": (order_body(placed_at="2026-03-02T12:00:00"), "/placed_at", "malformed"),
    "a day": (order_body(placed_at="2026-03-02"), "/placed_at", "malformed"),
    "seconds": (order_body(placed_at=1772452800), "/placed_at", "malformed"),
    "no such day": (order_body(placed_at="2026-02-30T12:00:00Z"), "/placed_at", "malformed"),
    "long ago": (order_body(placed_at="1999-12-31T00:00:00Z"), "/placed_at", "out_of_range"),
    "far ahead": (order_body(placed_at="2101-01-01T00:00:00Z"), "/placed_at", "out_of_range"),
    "the end of time": (order_body(placed_at="9999-12-31T23:59:59-12:00"), "/placed_at", "malformed"),
    "too much": (with_payment(amount=HUGE + 1), "/payments/0/amount", "out_of_range"),
    "negative money": (with_payment(amount=-1), "/payments/0/amount", "out_of_range"),
    "pounds": (with_payment(amount=15.30), "/payments/0/amount", "not_an_integer"),
    "an endless number": (with_payment(amount=10**400), "/payments/0/amount", "out_of_range"),
    "a header in a mail": (
        order_body(customer={"customer_id": "1", "email": "a@b.example\r\nBcc: c@d.example"}),
        "/customer/email", "malformed",
    ),
    "no country": (order_body(shipping={"address": {}}), "/shipping/address/country", "required"),
    "version zero": (order_body(version=0), "/version", "out_of_range"),
    "maybe inclusive": (order_body(tax_inclusive="yes"), "/tax_inclusive", "not_a_boolean"),
}  # fmt: skip


async def test_a_malformed_order_is_refused_at_its_fault(front: Front) -> None:
    """Amounts, times, currencies and texts outside their bounds never reach a service."""
    answers = {}
    for name, (body, _, _) in BAD_ORDERS.items():
        answer = await front.call("PUT", "/v1/orders/536365", store_token(), json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument"), (name, answer.text)
        answers[name] = (answer.json()["errors"][0]["pointer"], answer.json()["errors"][0]["code"])

    assert answers == {name: (pointer, code) for name, (_, pointer, code) in BAD_ORDERS.items()}
    assert (await front.call("GET", "/v1/orders/536365", store_token())).status_code == 404


async def test_what_is_no_json_is_refused(front: Front) -> None:
    """Broken, doubly nested beyond reason, not an object, not UTF-8, or not JSON at all."""
    headers = {"authorization": f"Bearer {store_token()}", "content-type": "application/json"}
    for content in (b"{", b"[" * 200_000, b"null", b'"text"', b"[]", b"\xff\xfe", b'{"version": 1e999}', b""):
        answer = await front.http.put("/v1/orders/1", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument"), (
            content[:20],
            answer.text,
        )

    plain = await front.http.put(
        "/v1/orders/1", content=b"{}", headers={**headers, "content-type": "text/plain"}
    )
    assert (plain.status_code, plain.json()["code"]) == (415, "unsupported_media_type")


async def test_what_is_too_large_is_refused(front: Front) -> None:
    """A body over a megabyte (also one that states no length), endless headers, an endless address."""
    headers = {"authorization": f"Bearer {store_token()}", "content-type": "application/json"}

    async def chunks() -> Any:
        for _ in range(30):
            yield b" " * 50_000

    stated = await front.http.put("/v1/orders/1", content=b" " * 1_000_001, headers=headers)
    unstated = await front.http.put("/v1/orders/1", content=chunks(), headers=headers)
    heavy = await front.http.get("/livez", headers={"x-much": "x" * 40_000})
    long = await front.http.get("/livez?q=" + "x" * 9_000)

    assert [(a.status_code, a.json()["code"]) for a in (stated, unstated, heavy, long)] == [
        (413, "payload_too_large"),
        (413, "payload_too_large"),
        (431, "headers_too_large"),
        (414, "uri_too_long"),
    ]


async def test_a_case_needs_a_key(front: Front) -> None:
    """Without Idempotency-Key, or with one that is no word, nothing is opened."""
    await front.put_order()
    missing = await front.call("POST", "/v1/cases", store_token(), json=case_body())
    odd = await front.open_case(key="two words")
    endless = await front.open_case(key="k" * 201)

    assert [a.status_code for a in (missing, odd, endless)] == [400] * 3
    assert missing.json()["errors"][0]["code"] == "required"
    pointers = {a.json()["errors"][0]["pointer"] for a in (missing, odd, endless)}
    assert pointers == {"/header/idempotency-key"}
    assert (front.cases.opened, await front.written()) == ([], (0, 0))


async def test_queries_are_as_strict_as_bodies(front: Front) -> None:
    """Unknown filters, values and bounds are refused instead of ignored."""
    for query in ("limit=0", "limit=201", "limit=many", "colour=red", "kind=teleport", "status=shut",
                  "phase=asleep", "waiting_on=godot", "due_before=tomorrow", "q=%00"):  # fmt: skip
        answer = await front.call("GET", f"/v1/cases?{query}", store_token())
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument"), query
        assert answer.json()["errors"][0]["pointer"] == f"/query/{query.partition('=')[0]}"


async def test_every_refusal_is_a_problem(front: Front) -> None:
    """Unknown routes and methods, odd paths, missing tokens: always the same shape and media type."""
    refused = [
        await front.call("GET", "/nowhere"),
        await front.call("GET", "/v1/nowhere", store_token()),
        await front.call("DELETE", "/v1/orders/536365", store_token()),
        await front.call("GET", "/v1/orders/%00", store_token()),
        await front.call("GET", "/v1/orders/" + "1" * 101, store_token()),
        await front.call("GET", "/v1/orders/../../etc/passwd", store_token()),
        await front.call("GET", "/v1/cases/RT-7K3M-9QX1%00", store_token()),
        await front.call("GET", "/v1/warehouse/inbound", staff_token("warehouse")),
        await front.call("GET", "/v1/cases"),
    ]
    for answer in refused:
        problem = answer.json()
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(problem) >= {"type", "title", "status", "detail", "code"}
        assert problem["status"] == answer.status_code
        assert problem["code"] == problem["code"].lower()
