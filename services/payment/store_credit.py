"""Store credit: given out of goodwill, and lapsed. A payment's registration spends it, a refund gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from services.domain.money import Money
from services.domain.refund import RefundIntent
from services.domain.store_credit import CreditBalance, CreditGrant, CreditLot, balances

_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class CreditMovement:
    """What a refund became: credit of one customer. ``moved_at`` is when it was posted, by the wall."""

    refund_id: str
    store_id: str
    payment_id: str
    amount: Money
    moved_at: datetime


class CreditStore(Protocol):
    """Where credit is kept account of; every method is one transaction."""

    async def grant(self, grant: CreditGrant) -> tuple[CreditLot, bool]: ...
    async def lots(self, store_id: str, customer_id: str) -> list[CreditLot]: ...
    async def lapse(self, at: datetime, limit: int) -> tuple[int, int]: ...
    async def refund(self, intent: RefundIntent) -> CreditMovement | None: ...
    async def movement(self, refund_id: str) -> CreditMovement | None: ...
    async def movements(self, after: CreditMovement | None, limit: int) -> Sequence[CreditMovement]: ...


@dataclass(frozen=True, slots=True)
class StoreCredit:
    store: CreditStore

    async def balances(self, store_id: str, customer_id: str, at: datetime) -> tuple[CreditBalance, ...]:
        """Return what a customer may spend at an instant, by currency."""
        return balances(await self.store.lots(store_id, customer_id), at)

    async def lapse(self, at: datetime) -> int:
        """Let lapse what is due, lot by lot; returns how many had something left.

        Each lot is a transaction of its own: who dies on the way has done what it did, and the next goes on.
        """
        lapsed = 0
        while True:
            seen, some = await self.store.lapse(at, _AT_ONCE)
            lapsed += some
            if not seen:
                return lapsed
