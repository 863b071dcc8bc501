"""Money: given back at most once per refund id, and asked about until it has moved."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from temporalio import activity

from services.domain.ids import RefundId, StoreId
from services.domain.refund import Refund, RefundIntent
from workflows.activities.errors import translated


@dataclass(frozen=True, slots=True)
class CheckRefund:
    store_id: StoreId
    refund_id: RefundId
    at: datetime


class Payments(Protocol):
    async def issue(self, intent: RefundIntent) -> Refund: ...
    async def check(self, store_id: str, refund_id: str, at: datetime) -> Refund: ...


@dataclass
class PaymentActivities:
    payments: Payments

    @activity.defn
    async def issue_refund(self, intent: RefundIntent) -> Refund:
        """Give the money back; a repeat finishes what was begun."""
        with translated():
            return await self.payments.issue(intent)

    @activity.defn
    async def check_refund(self, wanted: CheckRefund) -> Refund:
        """Ask how a refund stands."""
        with translated():
            return await self.payments.check(wanted.store_id, wanted.refund_id, wanted.at)
