"""Money that had moved and came back from the bank: finance sees to it, the customer hears what is true."""

from datetime import UTC, datetime

from services.domain.case import RefundStatus
from tests.fixtures.temporal import AGENT, Stage


async def bank_returns(stage: Stage) -> None:
    """Let the bank send the first refund back that has moved."""
    refunds = (await stage.now()).refunds
    moved = next(refund for refund in refunds if refund.status is RefundStatus.SUCCEEDED)
    fact = stage.world.payments.bank_returns(moved.refund_id, datetime.now(UTC))
    assert await stage.cases.tell(stage.kind, stage.case_id, fact)


def amounts(stage: Stage) -> list[str]:
    """Return the refunds the customer was told of, each message once."""
    messages = stage.world.messages.taken.values()
    return [message.values["amount"] for message in messages if message.template == "refund_succeeded"]


async def test_the_customer_hears_of_every_refund_that_moved(stage: Stage) -> None:
    """Sent back after the case was closed and paid again: told twice, each time after it had moved."""
    await stage.sell()
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until("refunded")
    await stage.advance(days=1)
    await bank_returns(stage)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    assert amounts(stage) == ["GBP 510"]
    await stage.complete("refund_stuck", "retry", AGENT)

    await stage.until("refunded")
    assert amounts(stage) == ["GBP 510", "GBP 510"]


async def test_finance_is_asked_while_the_rest_is_awaited(stage: Stage) -> None:
    """Two of three were paid, and the bank sends that back: nobody waits for the third to see to it."""
    await stage.sell()
    await stage.open(quantity=3)
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded == 2)
    await stage.until("awaiting_parcel")
    await bank_returns(stage)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())
    assert amounts(stage) == ["GBP 510"]
    await stage.complete("refund_stuck", "retry", AGENT)
    await stage.until("awaiting_parcel")
    assert amounts(stage) == ["GBP 510", "GBP 510"]

    await stage.receive(1)
    await stage.inspect(accepted=1)
    await stage.until("refunded")
    assert amounts(stage) == ["GBP 510", "GBP 510", "GBP 255"]
