"""The payment service over a provider that answers at once, as a process of its own.

A refund through the service beside its bare SQL is to show what the service adds. A provider over HTTP, and
its client library, take several times as long as either, and would be all that the comparison measures. So
the provider answers within the process; the rest is the service as it is: server, checks, repository, SQL.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.domain.case import RefundStatus
from services.domain.errors import InvalidArgument
from services.domain.ids import StoreId
from services.domain.refund import CapturedPayment, RefundIntent
from services.payment.disputes import ProviderDispute
from services.payment.janitor import Janitor
from services.payment.reconciliation import Reconciliation
from services.payment.refunds import ProviderEvent, ProviderRefund, Refunds
from services.payment.repository.books import BookRepository
from services.payment.repository.events import EventRepository
from services.payment.repository.records import RecordRepository
from services.payment.repository.refunds import RefundRepository
from services.payment.servicer import mount
from services.payment.settings import PaymentSettings
from services.payment.webhooks import Webhooks
from services.platform.grpc_server import Mounted
from services.platform.process import Backing, run


@dataclass
class Instant:
    """Satisfies `services.payment.refunds.Provider`: moves all that it is asked for, and remembers it."""

    moved: dict[str, ProviderRefund] = field(default_factory=dict)

    async def close(self) -> None:
        """Nothing is held open."""

    async def register(self, store_id: StoreId, payment: CapturedPayment) -> str:
        return f"pi_{store_id}_{payment.payment_id}"

    async def refund(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund:
        name = f"re_{intent.refund_id}"
        made = ProviderRefund(
            name,
            RefundStatus.SUCCEEDED,
            intent.amount.minor_units,
            intent.amount.currency,
            provider_ref=provider_ref,
            refund_id=intent.refund_id,
            created_at=intent.requested_at,
        )
        return self.moved.setdefault(name, made)

    async def find(self, intent: RefundIntent, provider_ref: str) -> ProviderRefund | None:
        return self.moved.get(f"re_{intent.refund_id}")

    async def look_up(self, provider_refund_id: str) -> ProviderRefund:
        return self.moved[provider_refund_id]

    async def look_up_dispute(self, provider_dispute_id: str) -> ProviderDispute:
        raise InvalidArgument("nobody disputes anything here")

    async def refunds(self, after: str = "") -> AsyncIterator[ProviderRefund]:
        for told in reversed(self.moved.values()):
            yield told

    async def disputes(self, after: str = "") -> AsyncIterator[ProviderDispute]:
        no_disputes: tuple[ProviderDispute, ...] = ()
        for told in no_disputes:
            yield told

    def read_webhook(self, signature: str, payload: bytes) -> ProviderEvent:
        raise InvalidArgument("nobody sends webhooks here")


@asynccontextmanager
async def compose(back: Backing) -> AsyncIterator[Sequence[Mounted]]:
    """Wire the service as `services.payment.__main__` does, but for its provider."""
    providers = {"sandbox": Instant()}
    yield [
        mount(
            Refunds(RefundRepository(back.pool), providers),
            Webhooks(EventRepository(back.pool), providers),
            Reconciliation(BookRepository(back.pool), providers),
            Janitor(RecordRepository(back.pool), providers),
        )
    ]


if __name__ == "__main__":
    _settings = PaymentSettings()
    run(_settings, "payment", _settings.payment_address, compose)
