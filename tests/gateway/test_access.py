"""Who may do what: forged tokens open nothing, and another's data does not exist."""

import base64
import json
import time
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from tests.fixtures.gateway import (
    AUDIENCE,
    ISSUER,
    STORES,
    Front,
    case_body,
    customer_token,
    signed,
    staff_token,
    store_token,
)


def unsigned(claims: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}."


SOON = int(time.time()) + 3600
STAFF = {"sub": "a-1", "roles": ["ops"], "stores": ["demo"], "iss": ISSUER, "aud": AUDIENCE, "exp": SOON}
CUSTOMER = {"sub": "17850", "store": "demo", "exp": SOON}
DEMO_KEY = OctKey.import_key(STORES["demo"]["customer_key"])
FOREIGN_EC = ECKey.generate_key("P-256", {"kid": "staff-1"})

FORGED = {
    "no token": None,
    "an unknown key": "sk_nobody",
    "no signature": unsigned(CUSTOMER),
    "no signature, staff": unsigned(STAFF),
    "a staff token by another issuer's key": signed(STAFF, FOREIGN_EC, "ES256", kid="staff-1"),
    "an unknown key id": signed(STAFF, FOREIGN_EC, "ES256", kid="staff-2"),
    "staff claims signed with a customer key": signed(STAFF, DEMO_KEY, "HS256"),
    "an expired customer": customer_token(exp=int(time.time()) - 60),
    "a customer without an end": signed({"sub": "1", "store": "demo"}, DEMO_KEY, "HS256"),
    "a customer of a store with another's key": signed({**CUSTOMER, "store": "other"}, DEMO_KEY, "HS256"),
    "a customer of no store": signed({"sub": "1", "exp": SOON}, DEMO_KEY, "HS256"),
    "a longer algorithm": signed(CUSTOMER, DEMO_KEY, "HS512"),
    "expired staff": staff_token("ops", exp=int(time.time()) - 60),
    "staff of another audience": staff_token("ops", aud="elsewhere"),
    "staff of another issuer": staff_token("ops", iss="https://elsewhere.example.com"),
    "staff with odd roles": staff_token("ops", roles="ops"),
    "rubbish": "a.b.c",
    "more rubbish": "~" * 10_000,
}


async def test_what_is_forged_or_over_opens_nothing(front: Front) -> None:
    """Without a signature of ours, of the right kind, in time and meant for us, nobody is let in."""
    answers = {name: await front.call("GET", "/v1/orders/1", token) for name, token in FORGED.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(FORGED, 401)
    assert {answer.json()["code"] for answer in answers.values()} == {"unauthenticated"}
    assert {answer.headers["www-authenticate"] for answer in answers.values()} == {"Bearer"}


READ_ORDER = ("GET", "/v1/orders/536365")
PUT_ORDER = ("PUT", "/v1/orders/536365")
SHIP = ("POST", "/v1/orders/536365/shipments")
QUOTE = ("POST", "/v1/cases/quote")
OPEN = ("POST", "/v1/cases")
LIST_CASES = ("GET", "/v1/cases")
TASKS = ("GET", "/v1/tasks")
EXTEND = ("POST", "/v1/cases/RT-0000-0000/extend")
RECEIVE = ("POST", "/v1/warehouse/receipts")
STOCK = ("GET", "/v1/warehouse/stock?sku=A")
BALANCE = ("GET", "/v1/payments/p")
RECONCILE = ("GET", "/v1/reconciliation")
CREDIT = ("GET", "/v1/customers/17850/store-credit")
GRANT = ("POST", "/v1/customers/17850/store-credit")
CLOCK = ("POST", "/v1/test-clock/advance")

# Who may not; everybody else gets past the door (to 2xx, 400 or 404).
SHUT_OUT = {
    READ_ORDER: {"warehouse"},
    PUT_ORDER: {"customer", "agent", "supervisor", "warehouse", "finance", "ops"},
    SHIP: {"customer", "agent", "supervisor", "finance"},
    QUOTE: {"warehouse", "finance", "ops"},
    OPEN: {"warehouse", "finance", "ops"},
    LIST_CASES: set(),
    TASKS: {"store", "customer"},
    EXTEND: {"store", "customer", "warehouse", "finance", "ops"},
    RECEIVE: {"store", "customer", "agent", "supervisor", "finance"},
    STOCK: {"store", "customer", "agent", "supervisor", "finance"},
    BALANCE: {"store", "customer", "agent", "warehouse"},
    RECONCILE: {"store", "customer", "agent", "warehouse"},
    CREDIT: {"warehouse"},
    GRANT: {"customer", "agent", "warehouse", "ops"},
    CLOCK: {"store", "customer", "agent", "supervisor", "warehouse", "finance"},
}
CALLERS = {
    "store": store_token(),
    "customer": customer_token(),
    **{role: staff_token(role) for role in ("agent", "supervisor", "warehouse", "finance", "ops")},
}


@pytest.mark.rule("S045")
async def test_every_route_knows_who_may(front: Front) -> None:
    """A role opens what it is for, before the body is even looked at; nobody else gets past."""
    shut_out = {}
    for method, path in SHUT_OUT:
        body = {"json": {}} if method != "GET" else {}
        answers = {name: await front.call(method, path, token, **body) for name, token in CALLERS.items()}
        refused = {name for name, answer in answers.items() if answer.status_code == 403}
        shut_out[method, path] = refused
        assert {answers[name].json()["code"] for name in refused} <= {"permission_denied"}
        assert 401 not in {answer.status_code for answer in answers.values()}

    assert shut_out == SHUT_OUT


async def test_another_customers_things_do_not_exist(front: Front) -> None:
    """A customer sees its own orders and cases, and of others not even that they are there."""
    case_id = await front.a_case()
    mine, theirs = customer_token("17850"), customer_token("13047")

    for path in ("/v1/orders/536365", f"/v1/cases/{case_id}", f"/v1/cases/{case_id}/timeline"):
        assert (await front.call("GET", path, mine)).status_code == 200
        assert (await front.call("GET", path, theirs)).status_code == 404
    for path in ("/v1/orders", "/v1/cases"):
        assert len((await front.call("GET", path, mine)).json()["data"]) == 1
        assert (await front.call("GET", path, theirs)).json()["data"] == []
        asked = await front.call("GET", f"{path}?customer_id=17850", theirs)
        assert asked.json()["data"] == []
    given = await front.call("POST", f"/v1/cases/{case_id}/withdraw", theirs, json={"reason": "x"})
    opened = await front.open_case(theirs)
    quoted = await front.call("POST", "/v1/cases/quote", theirs, json=case_body())
    assert [given.status_code, opened.status_code, quoted.status_code] == [404, 404, 404]
    assert front.cases.given == {}


async def test_another_stores_things_do_not_exist(front: Front) -> None:
    """Neither another store's key, nor its staff, nor its customer of the same number sees anything."""
    case_id = await front.a_case()
    outsiders = [
        store_token("other"),
        customer_token("17850", "other"),
        staff_token("manager", stores=("other",)),
    ]

    for token in outsiders:
        for path in ("/v1/orders/536365", f"/v1/cases/{case_id}", f"/v1/cases/{case_id}/timeline"):
            answer = await front.call("GET", path, token)
            assert answer.status_code == 404, (path, answer.text)
        for path in ("/v1/orders", "/v1/cases"):
            assert (await front.call("GET", path, token)).json()["data"] == []
        given = await front.call("POST", f"/v1/cases/{case_id}/messages", token, json={"text": "x"})
        assert given.status_code == 404
    assert front.cases.given == {}


async def test_staff_of_several_stores_name_the_one_they_mean(front: Front) -> None:
    """Where an id does not tell the store, the header has to, and it may only name a store of theirs."""
    case_id = await front.a_case()
    both = staff_token("manager", stores=("demo", "other"))
    orders = "/v1/orders/536365"

    assert (await front.call("GET", f"/v1/cases/{case_id}", both)).status_code == 200
    unnamed = await front.call("GET", orders, both)
    assert (unnamed.status_code, unnamed.json()["errors"][0]["code"]) == (400, "required")
    named = await front.call("GET", orders, both, headers={"recourse-store": "demo"})
    elsewhere = await front.call("GET", orders, both, headers={"recourse-store": "other"})
    not_theirs = await front.call("GET", orders, both, headers={"recourse-store": "third"})
    assert [named.status_code, elsewhere.status_code, not_theirs.status_code] == [200, 404, 403]


async def test_a_customer_reads_no_notes_and_no_names_of_staff(front: Front) -> None:
    """What staff note for each other stays with them and the store; to a customer they are just staff."""
    case_id = await front.a_case()
    agent = staff_token("agent")
    for path, text in (("notes", "Regular customer."), ("messages", "We look at it.")):
        assert (
            await front.call("POST", f"/v1/cases/{case_id}/{path}", agent, json={"text": text})
        ).status_code == 200

    seen = (await front.call("GET", f"/v1/cases/{case_id}/timeline", customer_token())).json()
    known = (await front.call("GET", f"/v1/cases/{case_id}/timeline", agent)).json()

    assert "Regular customer." not in str(seen)
    assert [e["actor"] for e in seen if e["what"] == "message"] == [{"kind": "staff", "id": None}]
    assert [e["actor"]["id"] for e in known if e["what"] == "note"] == ["agent-1"]
