"""A return from its opening to its end, and what it costs."""

from services.domain.case import CaseStatus, RefundStatus
from tests.fixtures.temporal import Stage


async def test_what_was_accepted_is_refunded_once(stage: Stage) -> None:
    """Opened, received, inspected: the quote is what moves, once, and the case closes as refunded."""
    await stage.sell()
    opened = await stage.open(quantity=2)
    assert (opened.phase, opened.waiting_on.action) == ("awaiting_parcel", "send_parcel")
    assert opened.return_ is not None

    await stage.receive(2)
    await stage.inspect(accepted=2)
    closed = await stage.until("refunded")

    assert closed.status is CaseStatus.CLOSED
    assert [(r.amount.minor_units, r.status) for r in closed.refunds] == [(510, RefundStatus.SUCCEEDED)]
    assert closed.quote.refund.minor_units == 510
    assert len(stage.world.done("provider")) == 1
    assert stage.told() == ["return_approved", "refund_succeeded"]
