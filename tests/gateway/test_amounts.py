"""Amounts over REST: quoted, settled and explained, in money and in kind."""

from dataclasses import replace
from typing import Any

import pytest

from services.domain.case import CaseSnapshot, CaseStatus
from services.domain.ids import LineId, PaymentId
from services.domain.money import Money
from services.domain.quote import Fee, Quote, QuoteLine, TenderShare
from tests.fixtures.gateway import Front, case_body, customer_token, order_body, store_token

PAYMENT = order_body()["payments"][0]
# Six at 2.55 and a candle for nothing; 300 points and a coupon took 3.00 off; express for 5.00.
SOLD: dict[str, Any] = {
    "lines": [
        {"line_id": "1", "sku": "85123A", "quantity": 6, "unit_price": 255},
        {"line_id": "G", "sku": "CANDLE", "quantity": 1, "unit_price": 200, "discount": 200, "gift": True},
    ],
    "discounts": [
        {"code": "POINTS", "amount": 200, "kind": "points"},
        {"code": "WELCOME", "amount": 100},
    ],
    "points": {"used": 200, "earned": 12},
    "shipping": {
        "price": 500,
        "tax": 0,
        "method": "express",
        "standard_price": 300,
        "address": {"name": "17850", "line1": "1 Example Street", "country": "GB"},
    },
    "payments": [{**PAYMENT, "amount": 1_730}],
}


async def published(front: Front, case_id: str, **changes: Any) -> CaseSnapshot:
    """Publish the case with changes, as its workflow does when it rests."""
    known = await front.cases.register.get("", case_id)
    snapshot = replace(known, sequence=known.sequence + 1, **changes)
    await front.cases.register.publish(snapshot)
    return snapshot


async def explained(front: Front, case_id: str, token: str | None = None) -> dict[str, Any]:
    answer = await front.call("GET", f"/v1/cases/{case_id}/explain", token or store_token())
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def quoted(front: Front, *lines: tuple[str, int]) -> dict[str, Any]:
    asked = [{"line_id": line, "quantity": count, "reason": "changed_mind"} for line, count in lines]
    answer = await front.call("POST", "/v1/cases/quote", store_token(), json=case_body(lines=asked))
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["quote"])


@pytest.mark.rule("S041")
@pytest.mark.rule("S068")
async def test_a_quote_says_what_comes_back_in_kind(front: Front) -> None:
    """Points by their share, the coupon and standard shipping when all comes back, and no gift for free."""
    assert (await front.put_order(**SOLD)).status_code == 201
    part, whole = await quoted(front, ("1", 2)), await quoted(front, ("1", 6), ("G", 1))
    kept = await quoted(front, ("1", 6))

    def summed(quote: dict[str, Any]) -> tuple[object, ...]:
        kind = (quote["points_back"], quote["points_clawed_back"], quote["coupons_back"])
        return quote["refund"]["amount"], quote["shipping"], *kind

    # Six are 15.30 less 3.00; two of them 4.10.
    assert summed(part) == (410, 0, 67, 4, [])
    assert summed(whole) == (1_530, 300, 200, 12, ["WELCOME"])
    assert summed(kept) == (1_330, 300, 200, 12, ["WELCOME"])
    assert [(f["code"], f["amount"], f["line_id"]) for f in kept["fees"]] == [("kept_gift", 200, "1")]
    assert whole["lines"][0] == {
        "line_id": "1", "quantity": 6, "goods": 1_230, "tax": 0, "discount_share": 300,
        "points_back": 200, "points_clawed_back": 12,
    }  # fmt: skip


async def test_an_order_keeps_what_its_discounts_were(front: Front) -> None:
    """Kinds of discounts, points and the standard price come back as they were put; a coupon is the rule."""
    answer = await front.put_order(**SOLD)
    order = (await front.call("GET", "/v1/orders/536365", store_token())).json()

    assert [discount["kind"] for discount in order["discounts"]] == ["points", "coupon"]
    assert (order["points"], order["shipping"]["standard_price"]) == ({"used": 200, "earned": 12}, 300)
    assert answer.headers["location"].endswith("/v1/orders/536365")


LINE = QuoteLine(LineId("1"), 2, 410, 0, 100, points_back=67, points_clawed_back=4)
GIVEN = Quote(
    refund=Money(287, "GBP"),
    lines=(LINE,),
    shipping=0,
    fees=(Fee("lost_value", 123, "demo-uk: fees.lost_value_percent, C 30 %", LineId("1")),),
    to=(TenderShare(PaymentId("pay_536365"), 287),),
)
ASKED = replace(GIVEN, refund=Money(410, "GBP"), fees=(), to=(TenderShare(PaymentId("pay_536365"), 410),))


async def test_a_quote_is_explained_until_something_is_settled(front: Front) -> None:
    """Then the settlement is, and the case shows both."""
    await front.put_order(**SOLD)
    case_id = (await front.open_case()).json()["case_id"]
    await published(front, case_id, quote=ASKED)
    before = await explained(front, case_id)
    await published(front, case_id, settled=GIVEN)
    after = await explained(front, case_id)
    case = (await front.call("GET", f"/v1/cases/{case_id}", store_token())).json()

    assert (before["basis"], before["refund"]["amount"]) == ("quote", 410)
    assert (after["basis"], after["refund"]["amount"]) == ("settlement", 287)
    for told in (before, after):
        assert sum(part["amount"]["amount"] for part in told["amounts"]) == told["refund"]["amount"]
    assert (case["quote"]["refund"]["amount"], case["settled"]["refund"]["amount"]) == (410, 287)
    assert (case["settled"]["points_back"], case["settled"]["points_clawed_back"]) == (67, 4)


async def test_every_part_has_its_rule_its_source_and_what_was_read(front: Front) -> None:
    """Line by line: the goods, the shipping that stays, the deduction, and the points."""
    await front.put_order(**SOLD)
    case_id = (await front.open_case()).json()["case_id"]
    await published(front, case_id, settled=GIVEN)
    told = await explained(front, case_id)
    parts = {part["what"]: part for part in told["amounts"]}

    assert set(parts) == {"goods", "shipping", "fee: lost_value"}
    assert parts["goods"]["source"] == "order 536365 v1"
    assert parts["goods"]["inputs"] == {
        "units": 2, "sold": 6, "unit_price": 255, "line_discount": 0, "discount_share": 100
    }  # fmt: skip
    assert parts["shipping"]["inputs"]["whole_order_comes_back"] == "no"
    deducted = parts["fee: lost_value"]
    assert (deducted["amount"]["amount"], deducted["line_id"]) == (-123, "1")
    assert deducted["rule"] == "demo-uk: fees.lost_value_percent, C 30 %"
    assert all(part["source"] == "policy demo-uk v1" for part in parts.values() if part["what"] != "goods")
    assert [(part["what"], part["count"], part["inputs"]) for part in told["in_kind"]] == [
        ("points_back", 67, {"units": 2, "used": 200}),
        ("points_clawed_back", 4, {"units": 2, "earned": 12}),
    ]


@pytest.mark.parametrize(
    "ending", [{"phase": "inspection_rejected"}, {"phase": "rejected", "status": CaseStatus.CLOSED}]
)
async def test_a_rejected_return_is_explained_by_what_was_found(front: Front, ending: dict[str, Any]) -> None:
    """Nothing is paid, whatever had been quoted: the units that were refused are told instead."""
    case_id = await front.a_case()
    known = await front.cases.register.get("", case_id)
    refused = replace(known.lines[0], received=2, rejected=2)
    await published(front, case_id, quote=ASKED, lines=(refused,), **ending)
    told = await explained(front, case_id, customer_token())

    assert (told["basis"], told["refund"], told["amounts"]) == (
        "settlement",
        {"amount": 0, "currency": "GBP"},
        [],
    )
    assert (told["lines"][0]["received"], told["lines"][0]["rejected"]) == (2, 2)
    assert told["decision"]["verdict"] == "allow"
