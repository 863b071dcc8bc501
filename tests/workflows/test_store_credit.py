"""Store credit in a return: where the customer asked for it, or took it when the money could not go back."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from services.domain.case import ActorKind, CaseSnapshot, Party, RefundStatus, RefundTo, Then
from services.domain.errors import ActionNotAllowed, InvalidArgument
from services.domain.ids import PaymentId
from services.domain.order import Payment
from tests.builders import a_line, a_policy_with_timers, an_order
from tests.fixtures.temporal import AGENT, CUSTOMER, Stage
from workflows.activities.lapsing import LapsingActivities
from workflows.hosting import case_worker
from workflows.messages import Choose
from workflows.sweeps.credit_sweep import CreditSweep

CREDIT, MONEY = RefundTo.STORE_CREDIT, RefundTo.ORIGINAL


def credited(stage: Stage) -> list[int]:
    """Return what became credit, in pence."""
    return [amount.minor_units for amount in stage.world.payments.credited.values()]


def legs(case: CaseSnapshot) -> list[tuple[int, RefundTo, RefundStatus]]:
    return [(leg.amount.minor_units, leg.destination, leg.status) for leg in case.refunds]


async def fails(stage: Stage) -> None:
    """Return two units, whose card takes nothing back: finance is asked."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_declined")
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())


async def offered(stage: Stage) -> CaseSnapshot:
    """The same, and finance offers credit."""
    await fails(stage)
    await stage.complete("refund_stuck", "offer_store_credit", AGENT)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].options != ())
    return stage.world.register.cases[stage.case_id]


async def test_who_asks_for_credit_gets_credit(stage: Stage) -> None:
    """Both tenders' shares become it, at no provider; the case and its mail say so."""
    tenders = tuple(Payment(PaymentId(name), "sandbox", "card", 1000, datetime.now(UTC)) for name in "AB")
    await stage.sell(an_order(a_line(quantity=2, unit_price=1000), payments=tenders))
    opened = await stage.open(refund_to="store_credit")
    await stage.receive(2)
    await stage.inspect(accepted=2)

    closed = await stage.until("refunded")
    assert opened.refund_to is closed.refund_to is CREDIT
    assert legs(closed) == [(1000, CREDIT, RefundStatus.SUCCEEDED)] * 2
    assert (credited(stage), stage.world.done("provider")) == ([1000, 1000], [])
    assert stage.told()[-1] == "refund_credited"
    timeline = stage.world.register.timeline(stage.case_id)
    assert [e.detail for e in timeline if e.what == "refund_succeeded"] == ["1000 GBP as store credit"] * 2
    assert [e.actor for e in timeline if e.what == "store_credit_asked_for"] == [CUSTOMER]


async def test_money_that_cannot_go_back_becomes_credit_by_the_customers_word(stage: Stage) -> None:
    """Finance offers it, the customer takes it; the dead refund stays on the books."""
    case = await offered(stage)
    assert (case.waiting_on.party, case.waiting_on.then) == (Party.CUSTOMER, Then.ASK_FINANCE)
    assert [option.option_id for option in case.options] == ["store_credit", "money"]
    assert (stage.told()[-1], credited(stage)) == ("refund_choice", [])
    await stage.command("choose", Choose(CUSTOMER, "store_credit"))

    closed = await stage.until("refunded")
    assert legs(closed) == [(510, MONEY, RefundStatus.FAILED), (510, CREDIT, RefundStatus.SUCCEEDED)]
    assert (credited(stage), closed.options, stage.open_tasks()) == ([510], (), [])
    assert stage.told()[-1] == "refund_credited"
    (chosen,) = [e for e in stage.world.register.timeline(stage.case_id) if e.what == "chosen"]
    assert (chosen.actor.kind, chosen.detail) == (ActorKind.CUSTOMER, "store_credit")


@pytest.mark.parametrize("answer", ["money", None])
async def test_without_the_customers_word_it_stays_money(stage: Stage, answer: str | None) -> None:
    """A no, and silence for a week, leave it to finance, who cannot offer it again; what is paid is money."""
    await offered(stage)
    if answer:
        await stage.command("choose", Choose(CUSTOMER, answer))
    else:
        await stage.advance(days=7, minutes=1)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    assert stage.task("refund_stuck").outcomes == ("retry", "settled_outside", "already_paid")
    stage.world.payments.behave("pay_536365", "card")
    await stage.complete("refund_stuck", "retry", AGENT)

    closed = await stage.until("refunded")
    assert legs(closed) == [(510, MONEY, RefundStatus.FAILED), (510, MONEY, RefundStatus.SUCCEEDED)]
    assert (credited(stage), stage.told()[-1]) == ([], "refund_succeeded")


async def test_goods_that_come_while_the_customer_chooses_are_settled(stage: Stage) -> None:
    """The third lantern is judged and paid meanwhile; the offer for the others stands until answered."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_declined")
    await stage.open(quantity=3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    await stage.complete("refund_stuck", "offer_store_credit", AGENT)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].options != ())
    stage.world.payments.behave("pay_536365", "card")
    await stage.receive(1)
    await stage.inspect(accepted=1)
    await stage.until_true(lambda: len(stage.world.register.cases[stage.case_id].refunds) == 2)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].options != ())
    assert stage.told().count("refund_choice") == 1
    await stage.command("choose", Choose(CUSTOMER, "store_credit"))

    closed = await stage.until("refunded")
    assert sorted(legs(closed)) == sorted(
        [
            (510, MONEY, RefundStatus.FAILED),
            (255, MONEY, RefundStatus.SUCCEEDED),
            (510, CREDIT, RefundStatus.SUCCEEDED),
        ]
    )


async def test_money_that_came_back_late_may_become_credit(stage: Stage) -> None:
    """The bank returns it after the case was closed: told of money, then of credit, each when it was true."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=2)
    closed = await stage.until("refunded")
    fact = stage.world.payments.bank_returns(closed.refunds[0].refund_id, datetime.now(UTC))
    assert await stage.cases.tell(stage.kind, stage.case_id, fact)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    await stage.complete("refund_stuck", "offer_store_credit", AGENT)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].options != ())
    await stage.command("choose", Choose(CUSTOMER, "store_credit"))

    await stage.until("refunded")
    assert stage.told()[-3:] == ["refund_succeeded", "refund_choice", "refund_credited"]
    assert credited(stage) == [510]


async def test_there_is_nothing_to_choose_before_it_is_offered(stage: Stage) -> None:
    """Nor anything else than what is offered."""
    await fails(stage)
    with pytest.raises(ActionNotAllowed):
        await stage.command("choose", Choose(CUSTOMER, "store_credit"))
    await stage.complete("refund_stuck", "offer_store_credit", AGENT)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].options != ())

    with pytest.raises(InvalidArgument):
        await stage.command("choose", Choose(CUSTOMER, "gold"))


async def test_what_may_still_move_is_not_offered_as_credit(stage: Stage) -> None:
    """A refund that is pending might be paid twice: finance asks again, or takes it upon itself."""
    stage.policy = a_policy_with_timers(provider_pending_days=0)
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())

    assert stage.task("refund_stuck").outcomes == ("retry", "settled_outside")


@dataclass
class Credit:
    """A payment service in which two lots are due."""

    asked: list[datetime] = field(default_factory=list)

    async def expire_credit(self, at: datetime) -> int:
        self.asked.append(at)
        return 2


async def test_the_sweep_lets_lapse_what_is_due_by_now(temporal: Client) -> None:
    """It asks for all that is due by its own time, and its result says how much that was."""
    stage, credit = Stage(temporal), Credit()
    outside = replace(stage.outside(), lapsing=LapsingActivities(credit))
    before = datetime.now(UTC)
    async with case_worker(temporal, outside, task_queue=stage.task_queue):
        lapsed = await temporal.execute_workflow(
            CreditSweep.run, id=f"sweep/{stage.task_queue}", task_queue=stage.task_queue
        )

    assert lapsed == 2
    (asked,) = credit.asked
    assert before - timedelta(minutes=1) < asked < datetime.now(UTC) + timedelta(minutes=1)
