"""The money of a return: what was accepted, to each tender, exactly once, until it has really moved."""

from datetime import UTC, datetime, timedelta

import pytest

from services.domain.case import CaseStatus, Party, Reason, RefundStatus, Then
from services.domain.facts import RefundChanged
from services.domain.ids import PaymentId
from services.domain.logistics import ParcelStatus
from services.domain.money import Money
from services.domain.order import OrderDiscount, Payment, ShippingCharge
from tests.builders import a_line, an_address, an_order
from tests.fixtures.temporal import AGENT, CUSTOMER, SUPERVISOR, Stage
from workflows.messages import Choose, Confirm, Escalate


async def returned(stage: Stage, accepted: int = 2, rejected: int = 0, quantity: int = 2) -> None:
    await stage.open(quantity)
    await stage.receive(accepted + rejected)
    await stage.inspect(accepted, rejected)


async def test_only_what_was_accepted_is_paid(stage: Stage) -> None:
    """Of three units two are accepted: two are refunded, the third is the customer's choice."""
    await stage.sell()
    await returned(stage, accepted=2, rejected=1, quantity=3)
    case = await stage.until("inspection_rejected")
    assert [refund.amount.minor_units for refund in case.refunds] == [510]
    assert [option.option_id for option in case.options] == ["send_back", "dispose"]

    closed = await stage.command("choose", Choose(CUSTOMER, "dispose"))
    assert (closed.outcome, closed.lines[0].refunded) == ("partially_refunded", 2)
    assert "dispose_rejected" in stage.open_tasks()


async def test_a_rejection_may_be_escalated_and_taken_back(stage: Stage) -> None:
    """A supervisor who accepts the goods after all has the rest paid, and is named as its cause."""
    await stage.sell()
    await returned(stage, accepted=0, rejected=2)
    await stage.until("inspection_rejected")
    await stage.command("escalate", Escalate(CUSTOMER, "it was sealed"))
    await stage.complete("review_rejection", "accept_goods", SUPERVISOR)

    closed = await stage.until("refunded")
    assert [(r.amount.minor_units, r.cause) for r in closed.refunds] == [(510, "supervisor-1")]


async def test_an_earlier_escalation_does_not_answer_a_later_rejection(stage: Stage) -> None:
    """A refusal that was escalated and taken back leaves the customer every choice after the inspection."""
    await stage.sell(delivered_days_ago=20)
    await stage.open()
    await stage.command("escalate", Escalate(CUSTOMER, "in hospital"))
    await stage.complete("review_escalation", "overturn", SUPERVISOR)
    await stage.until("awaiting_parcel")
    await stage.receive(2)
    await stage.inspect(accepted=0, rejected=2)
    case = await stage.until("inspection_rejected")

    assert case.waiting_on.then is Then.RETURN_GOODS
    assert [option.option_id for option in case.options] == ["send_back", "dispose"]


async def test_silence_after_a_rejection_sends_the_goods_back(stage: Stage) -> None:
    """Seven days without a choice close the case as rejected; the dock sends the goods back."""
    await stage.sell()
    await returned(stage, accepted=0, rejected=2)
    case = await stage.until("inspection_rejected")
    assert case.waiting_on.then is Then.RETURN_GOODS
    await stage.advance(days=7, minutes=1)

    assert (await stage.until("rejected")).status is CaseStatus.CLOSED
    assert "send_back_rejected" in stage.open_tasks()
    assert stage.world.done("provider") == []


async def test_what_came_is_paid_now_and_a_late_unit_later(stage: Stage) -> None:
    """Two of three came and are paid; the third, before the deadline, is paid when it comes."""
    await stage.sell()
    await returned(stage, accepted=2, quantity=3)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded == 2)
    assert (await stage.until("awaiting_parcel")).status is CaseStatus.OPEN

    await stage.receive(1)
    await stage.inspect(accepted=1)
    closed = await stage.until("refunded")
    assert [refund.amount.minor_units for refund in closed.refunds] == [510, 255]


async def test_a_unit_after_the_refund_reopens_the_settlement(stage: Stage) -> None:
    """The third unit comes after the deadline closed the case: it is inspected and paid all the same."""
    await stage.sell()
    await returned(stage, accepted=2, quantity=3)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded == 2)
    await stage.until("awaiting_parcel")
    await stage.advance(days=14, minutes=1)
    await stage.until("partially_refunded")
    await stage.receive(1)
    await stage.inspect(accepted=1)

    closed = await stage.until("refunded")
    assert sum(refund.amount.minor_units for refund in closed.refunds) == 765
    assert (await stage.world.orders.get("demo", "536365")).units_of("1").refunded == 3


async def test_the_last_of_two_returns_brings_the_shipping_back(stage: Stage) -> None:
    """Two returns of one order, open at the same time: whichever settles last completes the order."""
    shipping = ShippingCharge(499, 0, "standard", an_address())
    order = an_order(
        a_line(quantity=2, unit_price=1000),
        shipping=shipping,
        placed_at=datetime.now(UTC) - timedelta(days=5),
    )
    await stage.sell(order)
    cases = [(await stage.open(quantity=1)).case_id for _ in range(2)]
    paid = 0
    for case_id in cases:
        stage.case_id = case_id
        await stage.receive(1)
        await stage.inspect(accepted=1)
        closed = await stage.until("refunded")
        paid += sum(refund.amount.minor_units for refund in closed.refunds)

    assert paid == order.total.minor_units == 2499


async def test_facts_told_twice_count_once(stage: Stage) -> None:
    """A receipt and an inspection that are delivered again change nothing."""
    await stage.sell()
    await stage.open(quantity=3)
    for _ in range(3):
        await stage.receive(2, event_id="receipt-1")
    for _ in range(3):
        await stage.inspect(accepted=2, event_id="inspection-1")

    def lines() -> tuple[int, int]:
        line = stage.world.register.cases[stage.case_id].lines[0]
        return line.received, line.refunded

    await stage.until_true(lambda: lines() == (2, 2))
    await stage.until("awaiting_parcel")
    assert lines() == (2, 2)


async def test_an_inspection_before_its_receipt_counts_the_same(stage: Stage) -> None:
    """Facts come in any order."""
    await stage.sell()
    await stage.open()
    await stage.inspect(accepted=2)
    await stage.receive(2)

    closed = await stage.until("refunded")
    assert (closed.lines[0].received, closed.lines[0].accepted) == (2, 2)


async def test_an_unknown_outcome_is_asked_about_and_moves_once(stage: Stage) -> None:
    """The answer got lost after the money moved: the same refund is asked about until known."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_answer_lost")
    await returned(stage)
    closed = await stage.until("refunded")

    assert len(stage.world.done("provider")) == 1
    assert [refund.status for refund in closed.refunds] == [RefundStatus.SUCCEEDED]


async def test_a_provider_that_is_down_is_waited_for(stage: Stage) -> None:
    """The case shows whom it waits for, nobody is told "refunded", and the money moves once it is back."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_down")
    await returned(stage)
    case = await stage.until("refunding")
    assert (case.waiting_on.party, case.waiting_on.then) == (Party.PROVIDER, Then.ASK_FINANCE)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].refunds != ())
    assert "refund_succeeded" not in stage.told()

    stage.world.payments.behave("pay_536365", "card")
    await stage.advance(minutes=2)
    await stage.until("refunded")
    assert len(stage.world.done("provider")) == 1


@pytest.mark.rule("S097")
async def test_a_pending_refund_is_polled_until_it_settles(stage: Stage) -> None:
    """After one and five minutes the provider is asked; only then is the customer told."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await returned(stage)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].refunds != ())
    await stage.advance(minutes=1, seconds=5)
    assert "refund_succeeded" not in stage.told()
    await stage.advance(minutes=5)

    await stage.until("refunded")
    assert stage.told()[-1] == "refund_succeeded"


async def test_a_declined_refund_goes_to_finance_and_is_tried_anew(stage: Stage) -> None:
    """A dead refund does not block the next: the retry has an id of its own."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_declined")
    await returned(stage)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    assert "refund_succeeded" not in stage.told()
    stage.world.payments.behave("pay_536365", "card")
    await stage.complete("refund_stuck", "retry", AGENT)

    closed = await stage.until("refunded")
    assert [refund.status for refund in closed.refunds] == [RefundStatus.FAILED, RefundStatus.SUCCEEDED]
    assert closed.refunds[1].cause == "retry by agent-1"


async def test_a_refund_that_fails_days_later_reopens_the_case(stage: Stage) -> None:
    """The bank sends the money back after the case was closed: finance decides, and it is paid again."""
    await stage.sell()
    await returned(stage)
    closed = await stage.until("refunded")
    await stage.advance(days=1)
    refund = closed.refunds[0]
    changed = RefundChanged(
        refund.payment_id, refund.amount, RefundStatus.FAILED, refund.refund_id, "account closed"
    )
    await stage.refund_changed(changed)
    reopened = await stage.until("refunding")
    assert reopened.status is CaseStatus.OPEN
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    await stage.complete("refund_stuck", "settled_outside", AGENT)
    assert (await stage.until("refunded")).status is CaseStatus.CLOSED


async def test_one_tender_declines_and_the_other_is_not_paid_twice(stage: Stage) -> None:
    """Split tender: A has moved, B is declined; the retry pays only B."""
    order = an_order(
        a_line(quantity=2, unit_price=1000),
        payments=(
            Payment(PaymentId("A"), "sandbox", "card", 500, datetime.now(UTC)),
            Payment(PaymentId("B"), "sandbox", "card", 1500, datetime.now(UTC)),
        ),
        placed_at=datetime.now(UTC) - timedelta(days=5),
    )
    await stage.sell(order)
    stage.world.payments.behave("B", "card_refund_declined")
    await returned(stage)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    stage.world.payments.behave("B", "card")
    await stage.complete("refund_stuck", "retry", AGENT)

    closed = await stage.until("refunded")
    moved = {r.payment_id: r.amount.minor_units for r in closed.refunds if r.status is RefundStatus.SUCCEEDED}
    assert moved == {"A": 500, "B": 1500}
    assert len(stage.world.done("provider")) == 2


@pytest.mark.parametrize(("currency", "unit_price"), [("JPY", 333), ("GBP", 1999), ("KWD", 12345)])
async def test_discounts_are_shared_to_the_minor_unit(stage: Stage, currency: str, unit_price: int) -> None:
    """Returned in two cases, an order with an odd discount gives back exactly what was paid."""
    order = an_order(
        a_line(quantity=3, unit_price=unit_price),
        currency=currency,
        discounts=(OrderDiscount("WELCOME", 100),),
        placed_at=datetime.now(UTC) - timedelta(days=5),
    )
    await stage.sell(order)
    paid = 0
    for quantity in (1, 2):
        await stage.open(quantity, currency=currency)
        await stage.receive(quantity)
        await stage.inspect(accepted=quantity)
        closed = await stage.until("refunded")
        paid += sum(refund.amount.minor_units for refund in closed.refunds)

    assert Money(paid, currency) == order.total


async def test_the_satisfaction_question_comes_once_and_a_low_score_comes_back(stage: Stage) -> None:
    """Three days after the close the customer is asked; a low score goes to a person."""
    await stage.sell()
    await returned(stage)
    await stage.until("refunded")
    await stage.advance(days=3, minutes=1)
    assert stage.told()[-1] == "satisfaction_question"
    await stage.command("confirm", Confirm(CUSTOMER, ok=False, score=1))

    await stage.until_true(lambda: "low_score" in stage.open_tasks())
    assert stage.told().count("satisfaction_question") == 1


async def test_a_defect_is_approved_at_once_and_judged_by_inspection(stage: Stage) -> None:
    """A stated fault is never argued with: the evidence may follow the parcel."""
    await stage.sell(delivered_days_ago=20)
    opened = await stage.open(reason=Reason.DEFECTIVE)
    assert (opened.phase, opened.decision.evidence_required) == ("awaiting_parcel", ("photo_or_video",))
    await stage.track(ParcelStatus.DELIVERED)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    assert (await stage.until("refunded")).quote.fees == ()
