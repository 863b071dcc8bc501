"""The payment service as a process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from services.domain.case import RefundTo
from services.domain.store_credit import STORE_CREDIT_PROVIDER
from services.payment.documents.crediting import Crediting
from services.payment.documents.issuing import Issuing
from services.payment.documents.repository import DocumentRepository
from services.payment.documents.sellers import load_sellers
from services.payment.documents.servicer import mount_documents
from services.payment.janitor import Janitor
from services.payment.providers.bank_transfer import BankTransferProvider
from services.payment.providers.card_wire import CardWireProvider
from services.payment.providers.store_credit import StoreCreditProvider
from services.payment.reconciliation import Reconciliation
from services.payment.refunds import Provider, Refunds
from services.payment.repository.books import BookRepository
from services.payment.repository.credit import CreditRepository
from services.payment.repository.events import EventRepository
from services.payment.repository.records import RecordRepository
from services.payment.repository.refunds import RefundRepository
from services.payment.servicer import mount, mount_store_credit
from services.payment.settings import PaymentSettings
from services.payment.store_credit import StoreCredit
from services.payment.webhooks import Webhooks
from services.platform.database import Pool
from services.platform.grpc_server import Mounted
from services.platform.process import Backing, Compose, run
from services.platform.secrets import Secrets, load_secrets


@dataclass(frozen=True, slots=True)
class Means:
    """What an adapter may be made of."""

    settings: PaymentSettings
    secrets: Secrets
    pool: Pool


def _sandbox(means: Means) -> Provider:
    return CardWireProvider(
        means.settings.sandbox_url,
        means.secrets.sandbox_api_key.get_secret_value(),
        means.secrets.sandbox_webhook_secret.get_secret_value(),
        means.settings.provider_seconds,
    )


PROVIDERS: Final[Mapping[str, Callable[[Means], Provider]]] = {
    "sandbox": _sandbox,
    RefundTo.BANK_TRANSFER: lambda means: BankTransferProvider(means.pool),
    STORE_CREDIT_PROVIDER: lambda means: StoreCreditProvider(CreditRepository(means.pool)),
}


def composition(settings: PaymentSettings, secrets: Secrets) -> Compose:
    """Return how the service is wired over its database."""

    @asynccontextmanager
    async def compose(back: Backing) -> AsyncIterator[Sequence[Mounted]]:
        means = Means(settings, secrets, back.pool)
        providers = {name: make(means) for name, make in PROVIDERS.items()}
        documents = DocumentRepository(back.pool)
        notes = asyncio.create_task(Crediting(documents, settings.notes_seconds).run())
        try:
            refunds = Refunds(RefundRepository(back.pool), providers)
            webhooks = Webhooks(EventRepository(back.pool), providers)
            yield [
                mount(
                    refunds,
                    webhooks,
                    Reconciliation(BookRepository(back.pool), providers),
                    Janitor(RecordRepository(back.pool), providers),
                ),
                mount_store_credit(StoreCredit(CreditRepository(back.pool))),
                mount_documents(Issuing(documents, load_sellers(settings.sellers_file))),
            ]
        finally:
            notes.cancel()
            await asyncio.gather(notes, return_exceptions=True)
            for provider in providers.values():
                await provider.close()

    return compose


if __name__ == "__main__":
    _settings = PaymentSettings()
    run(
        _settings,
        "payment",
        _settings.payment_address,
        composition(_settings, load_secrets(_settings.secrets_file)),
    )
