"""The shop itself as a provider: what is paid with, and refunded to, a customer's store credit.

It moves nothing outside: its list is our own lots, its answer is never late, and it sends no webhooks.
"""

from collections.abc import AsyncIterator
from typing import Final

from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable, WebhookSignatureInvalid
from services.domain.ids import PaymentId, RefundId, StoreId
from services.domain.refund import CapturedPayment, RefundIntent
from services.payment.disputes import ProviderDispute
from services.payment.refunds import ProviderEvent, ProviderRefund
from services.payment.store_credit import CreditMovement, CreditStore

_PAGE: Final = 100
_PREFIX: Final = "credit_"


class StoreCreditProvider:
    """Satisfies `services.payment.refunds.Provider`."""

    def __init__(self, store: CreditStore) -> None:
        self._store = store

    async def close(self) -> None:
        """Nothing is held open."""

    async def register(self, store_id: StoreId, payment: CapturedPayment) -> str:
        """Name the payment; its credit was taken when it was booked, in one transaction with that."""
        return _ref(store_id, payment.payment_id)

    async def refund(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund:
        moved = await self._store.refund(intent)
        if moved is None:
            amount = intent.amount
            refused = "customer_unknown"
            return ProviderRefund(
                None, RefundStatus.FAILED, amount.minor_units, amount.currency, failure=refused
            )
        return _told(moved)

    async def find(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund | None:
        moved = await self._store.movement(intent.refund_id)
        return _told(moved) if moved else None

    async def look_up(self, provider_refund_id: str) -> ProviderRefund:
        moved = await self._store.movement(provider_refund_id.removeprefix(_PREFIX))
        if moved is None:
            raise DependencyUnavailable("no refund became this credit")
        return _told(moved)

    async def look_up_dispute(self, provider_dispute_id: str) -> ProviderDispute:
        raise DependencyUnavailable("store credit is not disputed")

    async def refunds(self, after: str = "") -> AsyncIterator[ProviderRefund]:
        last = await self._store.movement(after.removeprefix(_PREFIX)) if after else None
        while page := await self._store.movements(last, _PAGE):
            for moved in page:
                yield _told(moved)
            last = page[-1]

    async def disputes(self, after: str = "") -> AsyncIterator[ProviderDispute]:
        """Nobody stands between the shop and its customer: there are none."""
        nothing: tuple[ProviderDispute, ...] = ()
        for none in nothing:
            yield none

    def read_webhook(self, signature: str, payload: bytes) -> ProviderEvent:
        raise WebhookSignatureInvalid("store credit sends no webhooks")


def _ref(store_id: str, payment_id: str) -> str:
    return f"{store_id}/{payment_id}"


def _told(moved: CreditMovement) -> ProviderRefund:
    return ProviderRefund(
        provider_refund_id=f"{_PREFIX}{moved.refund_id}",
        status=RefundStatus.SUCCEEDED,
        amount=moved.amount.minor_units,
        currency=moved.amount.currency,
        provider_ref=_ref(moved.store_id, PaymentId(moved.payment_id)),
        refund_id=RefundId(moved.refund_id),
        created_at=moved.moved_at,
    )
