"""Units of an order: taken for a case, settled, given back."""

from dataclasses import dataclass
from typing import Protocol

from temporalio import activity

from services.domain.ids import CaseId, OrderId, StoreId
from services.domain.order import HeldUnits, UnitClaim, UnitSettlement
from workflows.activities.errors import translated


@dataclass(frozen=True, slots=True)
class ClaimUnits:
    """``claim_id`` is derived from case and step."""

    store_id: StoreId
    order_id: OrderId
    case_id: CaseId
    claim_id: str
    claims: tuple[UnitClaim, ...]


@dataclass(frozen=True, slots=True)
class SettleUnits:
    """Totals of a claim so far; ``release_rest`` gives what is not settled back."""

    store_id: StoreId
    order_id: OrderId
    case_id: CaseId
    claim_id: str
    settlements: tuple[UnitSettlement, ...] = ()
    release_rest: bool = False


class Claims(Protocol):
    async def claim(
        self, store_id: str, order_id: str, case_id: str, claim_id: str, claims: tuple[UnitClaim, ...]
    ) -> tuple[HeldUnits, ...]: ...

    async def settle(
        self,
        store_id: str,
        order_id: str,
        case_id: str,
        claim_id: str,
        settlements: tuple[UnitSettlement, ...],
        *,
        release_rest: bool,
    ) -> None: ...


@dataclass
class OrderActivities:
    claims: Claims

    @activity.defn
    async def claim_units(self, wanted: ClaimUnits) -> tuple[HeldUnits, ...]:
        """Take units for the case, all or none."""
        with translated():
            return await self.claims.claim(
                wanted.store_id, wanted.order_id, wanted.case_id, wanted.claim_id, wanted.claims
            )

    @activity.defn
    async def settle_units(self, wanted: SettleUnits) -> None:
        """Say what became of the case's units."""
        with translated():
            await self.claims.settle(
                wanted.store_id,
                wanted.order_id,
                wanted.case_id,
                wanted.claim_id,
                wanted.settlements,
                release_rest=wanted.release_rest,
            )
