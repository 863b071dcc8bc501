"""A return's lines as they stand: what was asked for, what became of the goods, what was settled."""

from collections.abc import Sequence

from services.domain.case import CaseLine, RequestedLine
from services.domain.goods import ReturnedGoods
from services.domain.quote import Quote


def lines_of(
    requested: Sequence[RequestedLine], goods: ReturnedGoods, settled: Quote | None
) -> tuple[CaseLine, ...]:
    """Return every line that was asked for, also before anything is expected of it."""
    refunded = {line.line_id: line.quantity for line in settled.lines} if settled else {}
    counts = {line.line_id: line for line in goods.lines}
    made = []
    for asked in requested:
        known = counts.get(asked.line_id)
        made.append(
            CaseLine(
                line_id=asked.line_id,
                quantity=asked.quantity,
                reason=asked.reason,
                received=known.received if known else 0,
                accepted=known.accepted if known else 0,
                rejected=known.rejected if known else 0,
                refunded=refunded.get(asked.line_id, 0),
            )
        )
    return tuple(made)
