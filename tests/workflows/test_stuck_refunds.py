"""Money that does not move at once: finance is asked, and the provider; nobody pays twice unseen."""

from datetime import UTC, datetime, timedelta

from services.domain.case import Action, CaseSnapshot, CaseStatus, Party, RefundStatus, RefundTo, TaskState
from services.domain.dispute import DisputeStatus
from services.domain.facts import RefundChanged
from services.domain.ids import PaymentId, refund_id_for
from services.domain.order import OrderAsSold, Payment
from tests.builders import STORE, a_line, a_policy_with_timers, an_order
from tests.fixtures.temporal import AGENT, Stage

PENDING, FAILED, SUCCEEDED = RefundStatus.PENDING, RefundStatus.FAILED, RefundStatus.SUCCEEDED


def two_tenders() -> OrderAsSold:
    """Two units, paid with 500 of A and 1500 of B."""
    paid_at = datetime.now(UTC)
    payments = tuple(
        Payment(PaymentId(name), "sandbox", "card", amount, paid_at)
        for name, amount in (("A", 500), ("B", 1500))
    )
    return an_order(
        a_line(quantity=2, unit_price=1000), payments=payments, placed_at=paid_at - timedelta(days=5)
    )


def published(stage: Stage) -> CaseSnapshot:
    return stage.world.register.cases[stage.case_id]


def statuses(stage: Stage) -> dict[str, RefundStatus]:
    """Return how the newest refund of each tender stands, as published."""
    return {refund.payment_id: refund.status for refund in published(stage).refunds}


async def finance_is_asked(stage: Stage) -> None:
    """Return two units, and wait until finance is asked about their money."""
    await stage.open()
    await stage.receive(2)
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: "refund_stuck" in stage.open_tasks())


async def stays_pending(stage: Stage) -> None:
    """A refund that is pending for longer than the policy lets a provider take: finance is asked."""
    stage.policy = a_policy_with_timers(provider_pending_days=0)
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await finance_is_asked(stage)


async def settle_outside(stage: Stage) -> CaseSnapshot:
    await stage.complete("refund_stuck", "settled_outside", AGENT)
    return await stage.until("refunded")


async def moves(stage: Stage, case: CaseSnapshot) -> None:
    """Let the provider say that the case's refund has moved after all."""
    (refund,) = case.refunds
    changed = RefundChanged(refund.payment_id, refund.amount, SUCCEEDED, refund.refund_id)
    assert await stage.refund_changed(changed)


async def test_a_dead_leg_does_not_keep_another_from_settling(stage: Stage) -> None:
    """B was declined and finance thinks about it; A, pending, is asked about meanwhile and settles."""
    await stage.sell(two_tenders())
    stage.world.payments.behave("A", "card_refund_pending")
    stage.world.payments.behave("B", "card_refund_declined")
    await finance_is_asked(stage)
    assert statuses(stage) == {"A": PENDING, "B": FAILED}
    await stage.advance(minutes=1, seconds=5)
    await stage.advance(minutes=5)

    await stage.until_true(lambda: statuses(stage) == {"A": SUCCEEDED, "B": FAILED})
    assert stage.open_tasks() == ["refund_stuck"]
    stage.world.payments.behave("B", "card")
    await stage.complete("refund_stuck", "retry", AGENT)
    await stage.until("refunded")
    assert statuses(stage) == {"A": SUCCEEDED, "B": SUCCEEDED}
    assert len(stage.world.done("provider")) == 2


async def test_a_question_is_withdrawn_when_the_money_moves(stage: Stage) -> None:
    """Finance is asked about a refund that stays pending, and it settles first: no question is left."""
    await stays_pending(stage)
    await stage.advance(minutes=1, seconds=5)
    await stage.advance(minutes=5)

    closed = await stage.until("refunded")
    assert (closed.status, [refund.status for refund in closed.refunds]) == (CaseStatus.CLOSED, [SUCCEEDED])
    assert stage.task("refund_stuck").state is TaskState.CANCELED
    assert stage.open_tasks() == []
    assert stage.told()[-1] == "refund_succeeded"


async def test_a_webhook_withdraws_the_question_too(stage: Stage) -> None:
    """The provider's word that the money moved comes by itself while finance is asked."""
    await stays_pending(stage)
    await moves(stage, published(stage))

    assert (await stage.until("refunded")).refunds[0].status is SUCCEEDED
    assert stage.task("refund_stuck").state is TaskState.CANCELED


async def cannot_go_back(stage: Stage) -> None:
    """The payment cannot take its refund, and finance pays it by bank transfer."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_declined")
    await finance_is_asked(stage)


def legs(case: CaseSnapshot) -> list[tuple[int, RefundTo, RefundStatus]]:
    return [(leg.amount.minor_units, leg.destination, leg.status) for leg in case.refunds]


async def left(stage: Stage) -> int:
    """Return what may still go back of the payment, by the payment service's books."""
    return (await stage.world.payments.balance(STORE, "pay_536365")).refundable.minor_units


async def test_what_finance_paid_is_a_refund_like_any(stage: Stage) -> None:
    """It counts against the payment, the case says who did it, and the customer hears of it, once."""
    await cannot_go_back(stage)
    before = await left(stage)
    closed = await settle_outside(stage)

    assert legs(closed) == [(510, RefundTo.ORIGINAL, FAILED), (510, RefundTo.BANK_TRANSFER, SUCCEEDED)]
    assert closed.refunds[1].cause == "settled outside by agent-1"
    assert closed.refunds[1].refund_id == refund_id_for(
        closed.case_id, f"outside-{closed.refunds[0].refund_id}", PaymentId("pay_536365")
    )
    assert await left(stage) == before - 510
    assert stage.told().count("refund_succeeded") == 1
    assert (stage.world.payments.moved("pay_536365"), stage.open_tasks()) == (0, [])


async def test_what_is_paid_already_is_not_booked_once_more(stage: Stage) -> None:
    """Money that the books know to be out (a bank's ruling, the provider's dashboard) is no transfer."""
    await cannot_go_back(stage)
    await stage.complete("refund_stuck", "already_paid", AGENT)

    assert legs(await stage.until("refunded")) == [(510, RefundTo.ORIGINAL, FAILED)]
    assert "refund_succeeded" not in stage.told()


async def test_a_transfer_that_the_books_refuse_is_asked_about(stage: Stage) -> None:
    """A bank holds the payment's money by now: finance sees that no book has it, and tries later."""
    await cannot_go_back(stage)
    stage.world.payments.disputed("pay_536365", 1530, DisputeStatus.NEEDS_RESPONSE)
    await stage.complete("refund_stuck", "settled_outside", AGENT)
    await stage.until_true(lambda: len(published(stage).refunds) == 2)
    await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"])
    task = stage.task("refund_stuck")
    assert (task.context["why"], task.context["destination"]) == ("payment_disputed", "bank_transfer")
    assert task.outcomes == ("retry", "already_paid")
    stage.world.payments.disputed("pay_536365", 1530, DisputeStatus.WON)
    await stage.complete("refund_stuck", "retry", AGENT)

    closed = await stage.until("refunded")
    assert legs(closed)[1:] == [
        (510, RefundTo.BANK_TRANSFER, FAILED),
        (510, RefundTo.BANK_TRANSFER, SUCCEEDED),
    ]


async def test_a_transfer_is_booked_once_the_refund_is_dead(stage: Stage) -> None:
    """Paid outside while the provider says pending, which keeps its amount; then it fails: one is booked."""
    await stays_pending(stage)
    pending = await settle_outside(stage)
    assert legs(pending) == [(510, RefundTo.ORIGINAL, PENDING)]
    failed = stage.world.payments.bank_returns(pending.refunds[0].refund_id, datetime.now(UTC)).refund
    assert failed is not None
    for _ in range(2):
        assert await stage.refund_changed(failed)

    await stage.until_true(lambda: len(published(stage).refunds) == 2)
    assert legs(published(stage)) == [
        (510, RefundTo.ORIGINAL, FAILED),
        (510, RefundTo.BANK_TRANSFER, SUCCEEDED),
    ]
    assert published(stage).outcome == "refunded"
    assert (stage.told().count("refund_succeeded"), stage.open_tasks()) == (1, [])


async def test_what_was_paid_outside_and_had_moved_is_seen(stage: Stage) -> None:
    """Finance pays another way what has just moved: the provider is asked once more, and finance told."""
    await stays_pending(stage)
    await stage.advance(minutes=1, seconds=5)
    closed = await settle_outside(stage)

    assert closed.refunds[0].status is SUCCEEDED
    await stage.until_true(lambda: stage.open_tasks() == ["paid_twice"])
    assert stage.task("paid_twice").queue == "finance"
    assert stage.task("paid_twice").context["refund_id"] == closed.refunds[0].refund_id


async def test_what_moves_after_it_was_paid_outside_is_seen(stage: Stage) -> None:
    """Paid another way while the provider says pending; a day later it moves: finance takes one back."""
    await stays_pending(stage)
    closed = await settle_outside(stage)
    assert [refund.status for refund in closed.refunds] == [PENDING]
    assert stage.open_tasks() == []
    await stage.advance(days=1)
    for _ in range(2):
        await moves(stage, closed)

    await stage.until_true(lambda: published(stage).refunds[0].status is SUCCEEDED)
    assert stage.open_tasks() == ["paid_twice"]


async def test_a_retry_has_a_time_of_its_own(stage: Stage) -> None:
    """Finance is slow: what is sent again long after the first sending is watched as if it were the first."""
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_declined")
    await finance_is_asked(stage)
    for _ in range(9):
        await stage.advance(days=1)
    await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"])
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await stage.complete("refund_stuck", "retry", AGENT)
    await stage.until_true(lambda: statuses(stage) == {"pay_536365": PENDING})
    waiting = (await stage.now()).waiting_on
    assert waiting is not None
    assert (waiting.party, waiting.action) == (Party.PROVIDER, Action.MOVE_MONEY)
    await stage.advance(minutes=1, seconds=5)
    await stage.advance(minutes=5)

    closed = await stage.until("refunded")
    assert [refund.status for refund in closed.refunds] == [FAILED, SUCCEEDED]
    assert stage.open_tasks() == []


async def test_what_is_sent_again_does_not_prolong_the_time_of_the_rest(stage: Stage) -> None:
    """B is sent again on A's last day: finance is asked about A on that day, and not yet about B."""
    stage.policy = a_policy_with_timers(provider_pending_days=2)
    await stage.sell(two_tenders())
    stage.world.payments.behave("A", "card_refund_stuck")
    stage.world.payments.behave("B", "card_refund_declined")
    await finance_is_asked(stage)
    await stage.advance(days=1, hours=23)
    await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"])
    stage.world.payments.behave("B", "card_refund_pending")
    await stage.complete("refund_stuck", "retry", AGENT)
    await stage.until_true(lambda: statuses(stage) == {"A": PENDING, "B": PENDING})
    assert stage.open_tasks() == []
    await stage.advance(hours=1, minutes=1)

    await stage.until_true(lambda: stage.open_tasks() == ["refund_stuck"])
    assert stage.task("refund_stuck").context["payment_id"] == "A"
