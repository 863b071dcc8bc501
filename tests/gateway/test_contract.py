"""What is published: OpenAPI 3.1 with every route, enum and example."""

from enum import StrEnum
from typing import Any

import pytest

from services.domain.accounts import AccountKind, LedgerClock
from services.domain.case import (
    Action,
    CaseKind,
    CaseStatus,
    Party,
    Reason,
    RefundStatus,
    RefundTo,
    TaskState,
    Then,
)
from services.domain.decision import FreightPayer, RuleVerdict, Verdict
from services.domain.invoice import BuyerKind, DocumentCause, DocumentKind
from services.domain.logistics import Disposition, Grade, ParcelStatus
from services.domain.order import DiscountKind, Exclusion, OrderStatus
from services.domain.return_phases import ReturnPhase
from services.gateway.access import Queue
from services.gateway.app import create_app
from services.gateway.connecting import Lazy
from services.gateway.explaining import Basis
from services.gateway.schemas.case_document import CaseDocument
from services.gateway.schemas.cases import CaseBody
from services.gateway.schemas.examples import CASE_DOCUMENT_EXAMPLE
from services.gateway.schemas.orders import OrderBody
from services.gateway.schemas.store_credit import GrantBody
from services.gateway.settings import GatewaySettings
from services.gateway.wiring import Outside
from services.platform.grpc_channel import open_channel
from tests.fixtures.gateway import SECRETS
from tests.fixtures.services import free_port

ROUTES = {
    "POST /v1/webhook-endpoints",
    "GET /v1/webhook-endpoints",
    "DELETE /v1/webhook-endpoints/{endpoint_id}",
    "GET /v1/webhook-deliveries",
    "POST /v1/webhook-deliveries/{delivery_id}/replay",
    "PUT /v1/orders/{order_id}",
    "GET /v1/orders/{order_id}",
    "GET /v1/orders",
    "POST /v1/orders/{order_id}/shipments",
    "POST /v1/tracking-events",
    "POST /v1/cases/quote",
    "POST /v1/cases",
    "GET /v1/cases/{case_id}",
    "GET /v1/cases",
    "GET /v1/cases/{case_id}/timeline",
    "GET /v1/cases/{case_id}/explain",
    "GET /v1/cases/{case_id}/stream",
    "POST /v1/cases/{case_id}/parcel",
    "POST /v1/cases/{case_id}/evidence",
    "GET /v1/cases/{case_id}/evidence/{evidence_id}",
    "POST /v1/cases/{case_id}/messages",
    "POST /v1/cases/{case_id}/choice",
    "POST /v1/cases/{case_id}/confirm",
    "POST /v1/cases/{case_id}/withdraw",
    "POST /v1/cases/{case_id}/escalate",
    "POST /v1/withdrawals",
    "POST /v1/withdrawals/{withdrawal_id}/confirm",
    "GET /v1/tasks",
    "POST /v1/tasks/{task_id}/claim",
    "POST /v1/tasks/{task_id}/release",
    "POST /v1/tasks/{task_id}/complete",
    "POST /v1/cases/{case_id}/assign",
    "POST /v1/cases/{case_id}/extend",
    "POST /v1/cases/{case_id}/pause",
    "POST /v1/cases/{case_id}/resume",
    "POST /v1/cases/{case_id}/notes",
    "GET /v1/warehouse/inbound",
    "POST /v1/warehouse/receipts",
    "POST /v1/warehouse/inspections",
    "GET /v1/warehouse/stock",
    "PUT /v1/warehouse/stock/{sku}",
    "GET /v1/payments/{payment_id}",
    "GET /v1/payments/{payment_id}/ledger",
    "GET /v1/ledger/trial-balance",
    "GET /v1/ledger.csv",
    "GET /v1/reconciliation",
    "GET /v1/customers/{customer_id}/store-credit",
    "POST /v1/customers/{customer_id}/store-credit",
    "GET /v1/invoices",
    "GET /v1/invoices/{invoice_id}",
    "GET /v1/invoices/{invoice_id}.pdf",
    "GET /v1/invoices/{invoice_id}.xml",
    "POST /v1/webhooks/payments/{provider}",
    "POST /v1/test-clock/advance",
}
ENUMS: list[type[StrEnum]] = [
    AccountKind, Action, Basis, BuyerKind, CaseKind, CaseStatus, Disposition, DiscountKind, DocumentCause,
    DocumentKind, Exclusion,
    FreightPayer, Grade, LedgerClock, OrderStatus, ParcelStatus, Party, Queue, Reason, RefundStatus, RefundTo,
    ReturnPhase, RuleVerdict, TaskState, Then, Verdict,
]  # fmt: skip


async def _away() -> Any:
    raise OSError("nobody listens")


@pytest.fixture
async def published() -> Any:
    """The contract, of a gateway with nothing behind it."""
    names = ("order", "warehouse", "payment", "casework", "notification")
    channels = {name: open_channel(f"127.0.0.1:{free_port()}") for name in names}
    outside = Outside(channels, Lazy("database", _away), Lazy("cases", _away), _away, _away)
    yield create_app(GatewaySettings(test_clock=True), SECRETS, outside).openapi()
    for channel in channels.values():
        await channel.close()


async def test_every_route_of_the_contract_is_published(published: dict[str, Any]) -> None:
    """Each says who may call it, what it is about, and that what is refused is a problem."""
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in published["paths"].items()
        for method, operation in methods.items()
    }

    assert published["openapi"].startswith("3.1")
    assert set(operations) - {"GET /livez", "GET /readyz"} == ROUTES
    for name in ROUTES:
        operation = operations[name]
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        assert operation["security"], name
        refused = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"400", "401", "404", "409", "503"} <= set(refused)
        assert {media for answer in refused.values() for media in answer["content"]} == {
            "application/problem+json"
        }


async def test_every_enum_is_published(published: dict[str, Any]) -> None:
    """Whoever codes against us sees each value there is, as the domain knows it."""
    schemas = published["components"]["schemas"]
    shown = {enum.__name__: set(schemas[enum.__name__]["enum"]) for enum in ENUMS}

    assert shown == {enum.__name__: {member.value for member in enum} for enum in ENUMS}


async def test_a_case_is_published_as_it_is_sent(published: dict[str, Any]) -> None:
    """The members of a case are those of the contract, ``return`` included, and all are always there."""
    document = published["components"]["schemas"]["CaseDocument"]

    assert set(document["properties"]) == set(document["required"]) == set(CASE_DOCUMENT_EXAMPLE)


async def test_what_a_request_needs_is_published_as_required(published: dict[str, Any]) -> None:
    """Opening a case and giving credit take an idempotency key; what is created says where it is."""
    for path in ("/v1/cases", "/v1/customers/{customer_id}/store-credit"):
        headers = published["paths"][path]["post"]["parameters"]
        assert [one["required"] for one in headers if one["name"] == "Idempotency-Key"] == [True]
    for path, method in (
        ("/v1/cases", "post"),
        ("/v1/orders/{order_id}", "put"),
        ("/v1/cases/{case_id}/evidence", "post"),
        ("/v1/withdrawals/{withdrawal_id}/confirm", "post"),
    ):
        assert "Location" in published["paths"][path][method]["responses"]["201"]["headers"]


async def test_every_reference_leads_somewhere(published: dict[str, Any]) -> None:
    """No document points at one that is not published."""

    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(value) for value in node.values()))
        return set().union(*(references(item) for item in node)) if isinstance(node, list) else set()

    known = {f"#/components/schemas/{name}" for name in published["components"]["schemas"]}
    assert references(published) - known == set()


def test_the_examples_are_valid() -> None:
    """What the documentation shows can be sent as it stands."""
    for model in (OrderBody, CaseBody, GrantBody):
        (example,) = model.model_json_schema()["examples"]
        model.model_validate(example)
    case = CaseDocument.model_validate(CASE_DOCUMENT_EXAMPLE)
    assert case.model_dump(mode="json", by_alias=True) == CASE_DOCUMENT_EXAMPLE
