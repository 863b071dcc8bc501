"""The objects of the card processor's wire: the members an SDK reads, all of them, with honest values."""

from collections.abc import Mapping
from typing import Any, Final

_EVIDENCE: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
_NO_CUSTOMER: Final[Mapping[str, Any]] = {
    "customer": None,
    "customer_account": None,
    "payment_method": None,
}


def payment_intent(
    number: int, amount: int, currency: str, created: int, metadata: Mapping[str, str]
) -> dict[str, Any]:
    """Return an intent whose money was captured."""
    return {
        "id": f"pi_{number:012d}",
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": amount,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"pi_{number:012d}_secret_sandbox",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": f"ch_{number:012d}",
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": dict(metadata),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
        **_NO_CUSTOMER,
    }


def refund(
    number: int, intent: Mapping[str, Any], amount: int, created: int, metadata: Mapping[str, str]
) -> dict[str, Any]:
    """Return a refund that succeeded."""
    return {
        "id": f"re_{number:012d}",
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": intent["latest_charge"],
        "created": created,
        "currency": intent["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": dict(metadata),
        "payment_intent": intent["id"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
        **_NO_CUSTOMER,
    }


def balance_transaction(
    number: int, source: Mapping[str, Any], amount: int, fee: int, created: int
) -> dict[str, Any]:
    """Return a movement of the merchant's balance for a dispute; negative amounts leave it."""
    return {
        "id": f"txn_{number:012d}",
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": source["currency"],
        "description": f"Chargeback of {source['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": source["id"],
        "status": "available",
        "type": "adjustment",
    }


def dispute(
    number: int, intent: Mapping[str, Any], amount: int, created: int, claim: tuple[str, int | None, str]
) -> dict[str, Any]:
    """Return a dispute; ``claim`` is its reason, until when to answer it (epoch seconds), and its status."""
    reason, due_by, status = claim
    is_inquiry = status.startswith("warning_")
    card = {
        "brand": "visa",
        "case_type": "inquiry" if is_inquiry else "chargeback",
        "network": "visa",
        "network_reason_code": "10.4",
    }
    return {
        "id": f"dp_{number:012d}",
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": intent["latest_charge"],
        "created": created,
        "currency": intent["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": intent["id"],
        "payment_method_details": {"card": card, "type": "card"},
        "reason": reason,
        "status": status,
    }


def event(number: int, kind: str, subject: Mapping[str, Any], created: int) -> dict[str, Any]:
    """Return what a webhook carries: what became of ``subject``."""
    return {
        "id": f"evt_{number:012d}",
        "object": "event",
        "api_version": "2026-01-01",
        "created": created,
        "data": {"object": dict(subject)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
