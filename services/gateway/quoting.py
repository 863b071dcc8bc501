"""Quoting: what would happen if a case were opened now, and why; nothing is opened or held."""

from dataclasses import dataclass
from datetime import datetime

from temporalio.exceptions import ApplicationError

from services.domain.amounts import QuoteTerms, first_units, quote_return
from services.domain.decision import Decision, Verdict
from services.domain.eligibility import check_request, decide_return
from services.domain.errors import OrderNotFound, error_for_reason
from services.domain.ids import CustomerId, StoreId
from services.domain.order import HeldUnits
from services.domain.quote import Quote
from services.gateway.access import Caller
from services.gateway.opening import CaseRequest
from workflows.activities.opening import Ground, LookUp, OpeningActivities


@dataclass(frozen=True, slots=True)
class Preview:
    """A case that is not opened."""

    wanted: CaseRequest
    store_id: StoreId
    customer_id: CustomerId
    currency: str
    decision: Decision
    quote: Quote | None


@dataclass(frozen=True, slots=True)
class Quoting:
    """Asks the rules a case asks, over what a case looks up."""

    ground: OpeningActivities

    async def preview(self, caller: Caller, wanted: CaseRequest, now: datetime) -> Preview:
        """Return the decision and, unless it is no, the quote.

        Raises:
            OrderNotFound, UnknownOrderLine, QuantityExceedsRemaining: As opening would.
        """
        ground = await self._look_up(caller.store_id, wanted)
        sold = ground.order.sold
        if not caller.may_see(sold.store_id, sold.customer.customer_id):
            raise OrderNotFound("there is no such order")
        check_request(ground.order, wanted.lines, wanted.rows)
        decision = decide_return(ground.order, wanted.lines, ground.policy, now=now)
        quote = None if decision.verdict is Verdict.DENY else _quote(ground, wanted, decision)
        return Preview(wanted, sold.store_id, sold.customer.customer_id, sold.currency, decision, quote)

    async def _look_up(self, store_id: StoreId, wanted: CaseRequest) -> Ground:
        line_ids = tuple(line.line_id for line in wanted.lines)
        try:
            return await self.ground.look_up(LookUp(store_id, wanted.order_id, line_ids))
        except ApplicationError as error:
            known = error_for_reason(error.type or "")
            if known is None:
                raise
            raise known(error.message) from error


def _quote(ground: Ground, wanted: CaseRequest, decision: Decision) -> Quote | None:
    """Return what the units would come to; None when the tenders cannot take that much back any more."""
    order, policy = ground.order, ground.policy
    units = [
        HeldUnits(line.line_id, first_units(order.units_of(line.line_id).free, line.quantity))
        for line in wanted.lines
    ]
    terms = QuoteTerms(decision.freight_paid_by, policy.prepaid_labels, ground.refundable)
    try:
        return quote_return(order, units, policy, terms)
    except ValueError:
        return None
