"""The demo's examples: what was reckoned by hand is what the domain reckons, by its own way."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

import deploy
from deploy.demo.examples import Example, Expectation, InKind, read_examples, return_lines
from deploy.demo.shop import _order_body
from services.domain.amounts import QuoteTerms, first_units, quote_return
from services.domain.case import Reason, RequestedLine
from services.domain.decision import Verdict
from services.domain.eligibility import decide_return
from services.domain.ids import LineId, StoreId
from services.domain.liability import freight_payer
from services.domain.order import HeldUnits, LineUnits, Order, OrderStatus, PolicyRef, UnitRange, check_order
from services.domain.policy import Policy
from services.domain.quote import Fee
from services.gateway.schemas.orders import OrderBody
from services.platform.documents import parse

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EXAMPLES = read_examples(NOW, "run")
POLICIES = Path(deploy.__file__).parent / "policies"
FILES = {"GB": POLICIES / "demo" / "uk.yaml", "US": POLICIES / "demo" / "us.yaml"}


@pytest.fixture
def policy(example: Example) -> Policy:
    """The terms the demo's shop sells under in the example's market."""
    text = FILES[example.order.market].read_text()
    return parse(json.dumps(yaml.safe_load(text)), Policy, refuses_unknown=True)


def standing(example: Example, policy: Policy, gone: dict[str, int]) -> Order:
    """Return the example's order as the order service has it, with ``gone`` units of each line refunded."""
    sold = OrderBody.model_validate(_order_body(example.order)).to_order(
        StoreId("demo"), example.order.order_id
    )
    check_order(sold)
    units = tuple(
        LineUnits(
            line.line_id,
            returned=gone.get(line.line_id, 0),
            refunded=gone.get(line.line_id, 0),
            delivered_at=example.delivered_at,
            free=(UnitRange(gone.get(line.line_id, 0), line.quantity - gone.get(line.line_id, 0)),),
        )
        for line in sold.lines
    )
    sold = replace(sold, status=OrderStatus.DELIVERED)
    return Order(sold, PolicyRef(policy.policy_id, policy.version), units)


def one_by_one(example: Example) -> Iterator[tuple[Expectation, dict[str, int], dict[str, int]]]:
    """Give each return with the units and the money that have gone back before it, by hand."""
    gone: dict[str, int] = {}
    paid: dict[str, int] = {}
    for expected in example.returns:
        yield expected, dict(gone), dict(paid)
        if expected.outcome == "refunded":
            for line_id, quantity in expected.lines.items():
                gone[line_id] = gone.get(line_id, 0) + quantity
            for payment_id, amount in example.payment_ids(expected.refund).items():
                paid[payment_id] = paid.get(payment_id, 0) + amount


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_was_reckoned_by_hand_is_what_is_quoted(example: Example, policy: Policy) -> None:
    """Each return of an example comes to the same over the same tenders, the earlier ones considered."""
    for expected, gone, paid in one_by_one(example):
        order = standing(example, policy, gone)
        held = [
            HeldUnits(LineId(line_id), first_units(order.units_of(LineId(line_id)).free, quantity))
            for line_id, quantity in expected.lines.items()
        ]
        refundable = {p.payment_id: p.amount - paid.get(p.payment_id, 0) for p in order.sold.payments}
        terms = QuoteTerms(
            freight_payer([Reason.CHANGED_MIND], policy), label_is_ours=True, refundable=refundable
        )

        quote = quote_return(order, held, policy, terms)

        if expected.outcome == "refunded":
            assert {share.payment_id: share.amount for share in quote.to} == example.payment_ids(
                expected.refund
            )
            assert quote.shipping == expected.shipping
            assert _summed(quote.fees) == expected.fees
            assert (
                InKind(
                    points_back=quote.points_back,
                    points_clawed_back=quote.points_clawed_back,
                    coupons_back=quote.coupons_back,
                )
                == expected.in_kind
            )
            assert quote.refund.currency == example.order.currency


def _summed(fees: tuple[Fee, ...]) -> dict[str, int]:
    """What each kind of deduction comes to over the lines."""
    return {code: sum(fee.amount for fee in fees if fee.code == code) for code in {fee.code for fee in fees}}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_is_said_to_be_denied_is_denied(example: Example, policy: Policy) -> None:
    """Under the shop's terms exactly the returns that are to be denied are, today and the days after."""
    for expected, gone, _ in one_by_one(example):
        asked = [
            RequestedLine(LineId(line.line_id), line.quantity, Reason(line.reason))
            for line in return_lines(expected)
        ]
        for later in (timedelta(), timedelta(days=1)):
            decision = decide_return(standing(example, policy, gone), asked, policy, now=NOW + later)

            assert (decision.verdict is Verdict.DENY) == (expected.outcome == "denied")


def test_the_examples_cover_what_they_are_for() -> None:
    """Currencies with two, no and three decimals, both kinds of tax, and every way to end."""
    assert {example.order.currency for example in EXAMPLES} == {"GBP", "USD", "JPY", "KWD"}
    assert {example.order.tax_inclusive for example in EXAMPLES} == {True, False}
    assert {expected.outcome for example in EXAMPLES for expected in example.returns} == {
        "refunded",
        "rejected",
        "expired",
        "denied",
    }
    assert any(len(example.order.payments) > 1 for example in EXAMPLES)
    kinds = {name for example in EXAMPLES for one in example.returns for name, given in one.in_kind if given}
    assert kinds == set(InKind.model_fields)
    assert {code for example in EXAMPLES for one in example.returns for code in one.fees} == {
        "kept_gift",
        "restocking",
        "return_freight",
    }
    assert all(expected.because for example in EXAMPLES for expected in example.returns)


def test_an_order_that_does_not_add_up_is_refused(tmp_path: Path) -> None:
    """A slip in the file is told before anything is played."""
    sheet = {
        "name": "off by one",
        "currency": "GBP",
        "tax_inclusive": True,
        "lines": {"A": [1, 100, 0, 0]},
        "payments": {"card": 101},
        "because": "",
        "returns": [],
    }
    file = tmp_path / "examples.yaml"
    file.write_text(yaml.safe_dump([sheet]))

    with pytest.raises(ValueError, match="off by one: the order comes to 100"):
        read_examples(NOW, "run", file)
