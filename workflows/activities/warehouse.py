"""Goods: expected back under an RMA, followed on their way, no longer expected."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from temporalio import activity

from services.domain.ids import Rma
from services.domain.logistics import ExpectedReturn
from workflows.activities.errors import translated


@dataclass(frozen=True, slots=True)
class CloseReturn:
    rma: Rma
    at: datetime


@dataclass(frozen=True, slots=True)
class FollowParcel:
    """The customer's own parcel."""

    rma: Rma
    carrier: str
    tracking_number: str


class Warehouse(Protocol):
    async def authorize(self, expected: ExpectedReturn) -> ExpectedReturn: ...
    async def close(self, rma: str, at: datetime) -> None: ...
    async def register(self, rma: str, carrier: str, tracking_number: str) -> ExpectedReturn: ...


@dataclass
class WarehouseActivities:
    warehouse: Warehouse

    @activity.defn
    async def authorize_return(self, expected: ExpectedReturn) -> ExpectedReturn:
        """Expect goods and buy the label."""
        with translated():
            return await self.warehouse.authorize(expected)

    @activity.defn
    async def close_return(self, wanted: CloseReturn) -> None:
        """Stop expecting what has not come."""
        with translated():
            await self.warehouse.close(wanted.rma, wanted.at)

    @activity.defn
    async def follow_parcel(self, wanted: FollowParcel) -> None:
        """Link the customer's parcel with the return, so that its scans reach the case."""
        with translated():
            await self.warehouse.register(wanted.rma, wanted.carrier, wanted.tracking_number)
