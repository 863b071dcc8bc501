"""Placing an order: kept as sold, under the policy of its day, its payments known before they are needed."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.domain.amounts import payments_of
from services.domain.errors import FieldProblem, InvalidArgument, PolicyNotFound, Unprocessable
from services.domain.ids import StoreId
from services.domain.order import Order, OrderAsSold, PolicyRef, check_order
from services.domain.refund import OrderPayments


class NoPolicyForMarket(Unprocessable):
    """The store sells under no policy in this market, so nothing could ever be decided for the order."""

    reason = "NO_POLICY_FOR_MARKET"


class Orders(Protocol):
    async def put(self, sold: OrderAsSold, policy: PolicyRef) -> tuple[Order, bool]: ...


class Payments(Protocol):
    async def register(self, payments: OrderPayments) -> None: ...


class Policies(Protocol):
    async def resolve_policy(self, store_id: str, market: str, placed_at: datetime) -> PolicyRef: ...


@dataclass(frozen=True, slots=True)
class Placing:
    orders: Orders
    payments: Payments
    policies: Policies
    providers: AbstractSet[str]

    async def put(self, sold: OrderAsSold) -> tuple[Order, bool]:
        """Keep a version of an order, and make its payments known; True when the order is new.

        A repeat finishes what was begun.

        Raises:
            InvalidArgument, OrderTotalsMismatch: If its parts are impossible or do not add up.
            OrderVersionConflict, QuantityExceedsRemaining: If another version stands in its way.
        """
        check_order(sold)
        self._check_providers(sold)
        policy = await self._policy(sold)
        order, is_new = await self.orders.put(sold, policy)
        if sold.payments:
            await self.payments.register(payments_of(sold))
        return order, is_new

    def _check_providers(self, sold: OrderAsSold) -> None:
        problems = tuple(
            FieldProblem(f"/payments/{index}/provider", "unknown_value", f"one of {sorted(self.providers)}")
            for index, payment in enumerate(sold.payments)
            if payment.provider not in self.providers
        )
        if problems:
            raise InvalidArgument("a payment's provider is unknown", problems=problems)

    async def _policy(self, sold: OrderAsSold) -> PolicyRef:
        try:
            return await self.policies.resolve_policy(StoreId(sold.store_id), sold.market, sold.placed_at)
        except PolicyNotFound as error:
            problem = FieldProblem("/market", "no_policy", sold.market)
            raise NoPolicyForMarket(f"no policy covers {sold.market}", problems=(problem,)) from error
