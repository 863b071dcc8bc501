"""Finance as a provider: refunds that a person has paid by bank transfer before anybody is asked.

It moves nothing: it keeps what it is told of, once per refund, and so its answer is a yes at once. Its
list is what it has kept, and it sends no webhooks.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from services.domain.case import RefundStatus
from services.domain.errors import DependencyUnavailable, WebhookSignatureInvalid
from services.domain.ids import RefundId, StoreId
from services.domain.refund import CapturedPayment, RefundIntent
from services.payment.disputes import ProviderDispute
from services.payment.refunds import ProviderEvent, ProviderRefund
from services.platform.database import Pool

_PAGE: Final = 100
_PREFIX: Final = "transfer_"
_KEEP: Final = "INSERT INTO bank_transfers (refund_id) VALUES ($1) ON CONFLICT DO NOTHING"
_TRANSFER: Final = """
SELECT t.refund_id, t.told_at, r.store_id, r.payment_id, r.amount, r.currency
  FROM bank_transfers t JOIN refunds r USING (refund_id)
 WHERE t.refund_id = $1
"""
_TRANSFERS: Final = """
SELECT t.refund_id, t.told_at, r.store_id, r.payment_id, r.amount, r.currency
  FROM bank_transfers t JOIN refunds r USING (refund_id)
 WHERE $1::timestamptz IS NULL OR (t.told_at, t.refund_id) < ($1, $2::uuid)
 ORDER BY t.told_at DESC, t.refund_id DESC
 LIMIT $3
"""


class BankTransferProvider:
    """Satisfies `services.payment.refunds.Provider`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def close(self) -> None:
        """Nothing is held open."""

    async def register(self, store_id: StoreId, payment: CapturedPayment) -> str:
        """Name the payment; there is nobody to tell."""
        return _ref(store_id, payment.payment_id)

    async def refund(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund:
        await self._pool.execute(_KEEP, intent.refund_id)
        return await self._transfer(intent.refund_id)

    async def find(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund | None:
        row = await self._pool.fetchrow(_TRANSFER, intent.refund_id)
        return _told(row) if row else None

    async def look_up(self, provider_refund_id: str) -> ProviderRefund:
        return await self._transfer(provider_refund_id.removeprefix(_PREFIX))

    async def _transfer(self, refund_id: str) -> ProviderRefund:
        row = await self._pool.fetchrow(_TRANSFER, refund_id)
        if row is None:
            raise DependencyUnavailable("nobody told of this transfer")
        return _told(row)

    async def look_up_dispute(self, provider_dispute_id: str) -> ProviderDispute:
        raise DependencyUnavailable("a transfer is not disputed")

    async def refunds(self, after: str = "") -> AsyncIterator[ProviderRefund]:
        last = await self._pool.fetchrow(_TRANSFER, after.removeprefix(_PREFIX)) if after else None
        while page := await self._pool.fetch(_TRANSFERS, *_place(last), _PAGE):
            for row in page:
                yield _told(row)
            last = page[-1]

    async def disputes(self, after: str = "") -> AsyncIterator[ProviderDispute]:
        """The shop paid it by itself: there are none."""
        nothing: tuple[ProviderDispute, ...] = ()
        for none in nothing:
            yield none

    def read_webhook(self, signature: str, payload: bytes) -> ProviderEvent:
        raise WebhookSignatureInvalid("a bank transfer sends no webhooks")


def _place(row: Any) -> tuple[Any, Any]:
    return (row["told_at"], row["refund_id"]) if row else (None, None)


def _ref(store_id: str, payment_id: str) -> str:
    return f"{store_id}/{payment_id}"


def _told(row: Any) -> ProviderRefund:
    return ProviderRefund(
        provider_refund_id=f"{_PREFIX}{row['refund_id']}",
        status=RefundStatus.SUCCEEDED,
        amount=row["amount"],
        currency=row["currency"],
        provider_ref=_ref(row["store_id"], row["payment_id"]),
        refund_id=RefundId(str(row["refund_id"])),
        created_at=row["told_at"],
    )
