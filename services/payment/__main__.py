"""The payment service as a process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from services.payment.documents.crediting import Crediting
from services.payment.documents.issuing import Issuing
from services.payment.documents.repository import DocumentRepository
from services.payment.documents.sellers import load_sellers
from services.payment.documents.servicer import mount_documents
from services.payment.janitor import Janitor
from services.payment.providers.card_wire import CardWireProvider
from services.payment.reconciliation import Reconciliation
from services.payment.refunds import Refunds
from services.payment.repository.books import BookRepository
from services.payment.repository.events import EventRepository
from services.payment.repository.records import RecordRepository
from services.payment.repository.refunds import RefundRepository
from services.payment.servicer import mount
from services.payment.settings import PaymentSettings
from services.payment.webhooks import Webhooks
from services.platform.grpc_server import Mounted
from services.platform.process import Backing, Compose, run
from services.platform.secrets import Secrets, load_secrets


def _sandbox(settings: PaymentSettings, secrets: Secrets) -> CardWireProvider:
    return CardWireProvider(
        settings.sandbox_url,
        secrets.sandbox_api_key.get_secret_value(),
        secrets.sandbox_webhook_secret.get_secret_value(),
        settings.provider_seconds,
    )


PROVIDERS: dict[str, Callable[[PaymentSettings, Secrets], CardWireProvider]] = {"sandbox": _sandbox}


def composition(settings: PaymentSettings, secrets: Secrets) -> Compose:
    """Return how the service is wired over its database."""

    @asynccontextmanager
    async def compose(back: Backing) -> AsyncIterator[Sequence[Mounted]]:
        providers = {name: make(settings, secrets) for name, make in PROVIDERS.items()}
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
