"""What the gateway is made of: its own records, the services behind it, and the running cases."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import grpc
from standardwebhooks.webhooks import Webhook
from temporalio.converter import PayloadCodec

from services.clients.casework import CaseworkClient
from services.clients.documents import DocumentClient
from services.clients.notification import NotificationClient
from services.clients.order import OrderClient
from services.clients.payment import PaymentClient
from services.clients.store_credit import StoreCreditClient
from services.clients.warehouse import WarehouseClient
from services.domain.ids import StoreId
from services.gateway.casebook import CaseBook, DistantCases
from services.gateway.clock import TestClock
from services.gateway.commands import Commands
from services.gateway.connecting import Lazy
from services.gateway.desk import Desk
from services.gateway.opening import Opening
from services.gateway.placing import Placing
from services.gateway.quoting import Quoting
from services.gateway.rates import Rates
from services.gateway.repository import GatewayRepository
from services.gateway.schemas.case_document import CaseLinks
from services.gateway.schemas.subscriptions import news_document
from services.gateway.settings import GatewaySettings
from services.gateway.subscription_repository import SubscriptionRepository
from services.gateway.subscriptions import Subscriptions
from services.gateway.telling import Publisher, Sender, open_client
from services.gateway.tokens import StaffIssuer, StaffKeys, Verifier
from services.gateway.tracking import Tracking
from services.gateway.withdrawals import Withdrawals
from services.platform.database import Pool
from services.platform.secrets import Secrets
from workflows.activities.opening import OpeningActivities


@dataclass(frozen=True, slots=True)
class Outside:
    """What the gateway reaches. ``channels`` by service; a ``check`` raises while its dependency is away."""

    channels: Mapping[str, grpc.aio.Channel]
    database: Lazy[Pool]
    cases: Lazy[CaseBook]
    check_temporal: Callable[[], Awaitable[None]]
    check_worker: Callable[[], Awaitable[None]]
    codec: PayloadCodec | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything a route may use."""

    settings: GatewaySettings
    outside: Outside
    records: GatewayRepository
    verifier: Verifier
    rates: Rates
    orders: OrderClient
    warehouse: WarehouseClient
    payments: PaymentClient
    store_credit: StoreCreditClient
    documents: DocumentClient
    casework: CaseworkClient
    cases: CaseBook
    opening: Opening
    commands: Commands
    desk: Desk
    quoting: Quoting
    placing: Placing
    tracking: Tracking
    withdrawals: Withdrawals
    subscriptions: Subscriptions
    publisher: Publisher
    sender: Sender
    test_clock: TestClock
    carrier_webhooks: Webhook
    links: CaseLinks


def build(settings: GatewaySettings, secrets: Secrets, outside: Outside) -> Gateway:
    """Wire the gateway; nothing is connected yet."""
    orders = OrderClient(outside.channels["order"])
    warehouse = WarehouseClient(outside.channels["warehouse"])
    payments = PaymentClient(outside.channels["payment"])
    casework = CaseworkClient(outside.channels["casework"])
    records = GatewayRepository(outside.database)
    cases = DistantCases(outside.cases, settings.command_seconds)
    opening = Opening(records, orders, casework, cases)
    commands = Commands(opening, cases)
    customer_keys = {StoreId(name): store.customer_key for name, store in secrets.stores.items()}
    told = SubscriptionRepository(outside.database)
    links = CaseLinks(settings.gateway_url, settings.temporal_ui_url, settings.temporal_namespace)
    staff = StaffIssuer(StaffKeys(settings.staff_jwks), settings.staff_issuer, settings.staff_audience)
    return Gateway(
        settings=settings,
        outside=outside,
        records=records,
        verifier=Verifier(records, customer_keys, staff),
        rates=Rates(settings.rate_limit),
        orders=orders,
        warehouse=warehouse,
        payments=payments,
        store_credit=StoreCreditClient(outside.channels["payment"]),
        documents=DocumentClient(outside.channels["payment"]),
        casework=casework,
        cases=cases,
        opening=opening,
        commands=commands,
        desk=Desk(casework, commands),
        quoting=Quoting(OpeningActivities(orders, casework, payments)),
        placing=Placing(orders, payments, casework, settings.payment_providers),
        tracking=Tracking(orders, warehouse, tuple(customer_keys)),
        withdrawals=Withdrawals(
            records, opening, orders, NotificationClient(outside.channels["notification"])
        ),
        test_clock=TestClock(cases, records),
        carrier_webhooks=Webhook(secrets.carrier_webhook_secret.get_secret_value()),
        links=links,
        subscriptions=Subscriptions(told, settings.webhooks_to_loopback),
        publisher=Publisher(casework, told, lambda case, event: news_document(case, event, links)),
        sender=Sender(told, open_client(allows_loopback=settings.webhooks_to_loopback)),
    )
