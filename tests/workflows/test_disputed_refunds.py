"""A bank holds a payment's money: its refund is refused, and goes by itself once the dispute is won."""

from services.domain.case import CaseRefund, RefundStatus, TaskState
from services.domain.dispute import DisputeStatus
from services.domain.facts import DisputeChanged, FactKind
from services.domain.ids import PaymentId
from services.domain.money import Money
from tests.fixtures.temporal import Stage

PAYMENT = PaymentId("pay_536365")
FAILED, SUCCEEDED = RefundStatus.FAILED, RefundStatus.SUCCEEDED


async def refused(stage: Stage) -> None:
    """Return two units of an order whose payment is disputed meanwhile; finance is asked about the money."""
    await stage.sell()
    await stage.open()
    stage.world.payments.disputed(PAYMENT, 1530, DisputeStatus.NEEDS_RESPONSE)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())


async def ruled(stage: Stage, status: DisputeStatus = DisputeStatus.WON) -> None:
    """Let the bank rule, and the case hear of it."""
    stage.world.payments.disputed(PAYMENT, 1530, status)
    told = DisputeChanged("d1", PAYMENT, Money(1530, "GBP"), status, "fraudulent")
    assert await stage.tell(FactKind.DISPUTE_CHANGED, dispute=told)


def legs(stage: Stage) -> tuple[CaseRefund, ...]:
    return stage.world.register.cases[stage.case_id].refunds


async def test_a_won_dispute_lets_the_refund_go(stage: Stage) -> None:
    """Nobody has to answer: the question is taken back, the money moves once, under an id of its own."""
    await refused(stage)
    assert stage.task("refund_stuck").context["why"] == "payment_disputed"
    await ruled(stage)

    closed = await stage.until("refunded")
    assert [leg.status for leg in closed.refunds] == [FAILED, SUCCEEDED]
    assert closed.refunds[1].cause == "retry by the bank's ruling"
    assert len({leg.refund_id for leg in closed.refunds}) == 2
    assert stage.task("refund_stuck").state is TaskState.CANCELED
    assert stage.world.payments.moved(PAYMENT) == closed.refunds[1].amount.minor_units


async def test_a_ruling_told_twice_moves_the_money_once(stage: Stage) -> None:
    """The second word comes when nothing waits for it any more."""
    await refused(stage)
    await ruled(stage)
    closed = await stage.until("refunded")
    await ruled(stage)

    assert legs(stage) == closed.refunds
    assert stage.world.payments.moved(PAYMENT) == closed.refunds[1].amount.minor_units


async def test_a_lost_dispute_is_left_to_finance(stage: Stage) -> None:
    """The cardholder has the money: whether anything is owed beside it is a person's to say."""
    await refused(stage)
    await ruled(stage, DisputeStatus.LOST)
    await stage.advance(hours=1)

    assert [leg.status for leg in legs(stage)] == [FAILED]
    assert stage.open_tasks() == ["refund_stuck"]


async def test_money_that_is_held_once_more_waits_for_the_next_ruling(stage: Stage) -> None:
    """Won, but before the case asks the bank has appealed: it is refused anew, and goes after that ruling."""
    await refused(stage)
    told = DisputeChanged("d1", PAYMENT, Money(1530, "GBP"), DisputeStatus.WON, "fraudulent")
    await stage.tell(FactKind.DISPUTE_CHANGED, dispute=told)
    await stage.until_true(lambda: [leg.status for leg in legs(stage)] == [FAILED, FAILED])
    await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"])
    await ruled(stage)

    closed = await stage.until("refunded")
    assert [leg.status for leg in closed.refunds] == [FAILED, FAILED, SUCCEEDED]
