"""The card processor: payments captured elsewhere, refunds, disputes; it alone knows what money moved.

Amounts are the currency's ISO 4217 minor units. A payment's ``metadata[method]`` chooses how its refunds
behave, like a test card's number.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from services.sandbox import objects
from services.sandbox.state import State, Thing

METHODS: Final = frozenset(
    {
        "card",
        "card_refund_declined",
        "card_refund_pending",
        "card_refund_fails_late",
        "card_answer_lost",
        "card_slow",
        "card_down",
        "wallet",
    }
)
# How long the bank takes to send back what ``card_refund_fails_late`` refunded.
LATE_FAILURE_SECONDS: Final = 3.0
# A pending refund settles when it has been asked about this often.
_POLLS_UNTIL_SETTLED: Final = 2
_LARGEST_AMOUNT: Final = 10**15
DISPUTE_STATUSES: Final = (
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "appeal_needs_response",
    "appeal_under_review",
    "won",
    "lost",
    "prevented",
)
_OPEN: Final = frozenset({"needs_response", "under_review", "appeal_needs_response", "appeal_under_review"})
_TAKEN: Final = _OPEN | {"lost"}
_CLOSED: Final = frozenset({"warning_closed", "won", "lost", "prevented"})
# What a chargeback costs the merchant, given back if it wins: minor units of whatever currency.
_DISPUTE_FEE: Final = 1500


class Refused(Exception):
    """The processor says no: an HTTP status and Stripe's error object."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": "invalid_request_error", "code": code, "message": message}


class Processor:
    """Every method is one transaction of the processor's own state."""

    def __init__(self, state: State, late_failure_seconds: float = LATE_FAILURE_SECONDS) -> None:
        self._state = state
        self._late_failure_seconds = late_failure_seconds

    def create_payment(self, params: Mapping[str, str], key: str | None) -> dict[str, Any]:
        """Make a payment that was captured elsewhere known here."""
        amount, metadata = _amount(params), _metadata(params)
        method = metadata.get("method", "card")
        if method not in METHODS:
            raise Refused(400, "parameter_unknown", f"no such method: {method}")
        with self._state.transaction():
            number = self._state.next_number()
            currency = params.get("currency", "").lower()
            intent = objects.payment_intent(number, amount, currency, _now(), metadata)
            payment_id = metadata.get("payment_id", "")
            self._state.insert(Thing("payment_intent", intent, intent["id"], payment_id, key))
            self._state.behave(intent["id"], method)
        return intent

    def create_refund(self, params: Mapping[str, str], key: str | None) -> dict[str, Any]:
        """Move money back, at most what is left of the payment."""
        amount = _amount(params)
        with self._state.transaction():
            intent = self.get("payment_intent", params.get("payment_intent", ""))
            if self._has_open_dispute(intent):
                raise Refused(400, "charge_disputed", "the charge is under dispute")
            if amount > self._left_of(intent):
                raise Refused(400, "amount_too_large", "refund is greater than what is left of the charge")
            method = self._state.behaviour(intent["id"])
            refund = objects.refund(self._state.next_number(), intent, amount, _now(), _metadata(params))
            if method == "card_refund_declined":
                refund |= {"status": "failed", "failure_reason": "declined"}
            elif method == "card_refund_pending":
                refund["status"] = "pending"
            self._state.insert(Thing("refund", refund, intent["id"], idempotency_key=key))
            self._tell("refund.created", refund)
            self._end_inquiries(intent)
            if method == "card_refund_fails_late":
                failed = {**refund, "status": "failed", "failure_reason": "lost_or_stolen_card"}
                self._tell("refund.failed", failed, self._late_failure_seconds)
        return refund

    def get(self, kind: str, object_id: str) -> dict[str, Any]:
        found = self._state.get(kind, object_id)
        if found is None:
            raise Refused(404, "resource_missing", f"no such {kind}: {object_id}")
        return found

    def look_up_refund(self, refund_id: str) -> dict[str, Any]:
        """Return a refund; asking a pending one often enough settles it."""
        with self._state.transaction():
            refund = self.get("refund", refund_id)
            is_pending = refund["status"] == "pending"
            if is_pending and self._state.tally(f"polls:{refund_id}") >= _POLLS_UNTIL_SETTLED:
                refund["status"] = "succeeded"
                self._state.update(refund)
                self._tell("refund.updated", refund)
        return refund

    def come_due(self, event: Mapping[str, Any]) -> None:
        """Let happen what an event tells of, when its time has come: the bank sends money back."""
        if event["type"] == "refund.failed":
            self._state.update(event["data"]["object"])

    def open_dispute(
        self, payment_id: str, amount: int, claim: tuple[str, int | None, str]
    ) -> list[dict[str, Any]]:
        """Let the cardholder dispute a payment (in every store that has one of this id).

        ``claim`` is the reason, until when it may be answered, and the status that it begins with.
        """
        with self._state.transaction():
            return [
                self._dispute(intent, amount, claim)
                for intent in self._state.named("payment_intent", payment_id)
            ]

    def _dispute(
        self, intent: Mapping[str, Any], amount: int, claim: tuple[str, int | None, str]
    ) -> dict[str, Any]:
        if not 0 < amount <= intent["amount_received"]:
            raise Refused(400, "amount_too_large", "more is disputed than was paid")
        dispute = objects.dispute(self._state.next_number(), intent, amount, _now(), claim)
        self._state.insert(Thing("dispute", dispute, intent["id"]))
        self._move_balance(dispute)
        self._state.update(dispute)
        self._tell("charge.dispute.created", dispute)
        return dispute

    def _move_balance(self, dispute: dict[str, Any]) -> None:
        """Take the disputed money, and a fee, once the bank has it; give both back when it no longer has."""
        moved = dispute["balance_transactions"]
        taken, charged = -sum(one["amount"] for one in moved), sum(one["fee"] for one in moved)
        is_gone = dispute["status"] in _TAKEN
        wanted, fee = (dispute["amount"], _DISPUTE_FEE) if is_gone else (0, 0)
        if taken == wanted:
            return
        number = self._state.next_number()
        one = objects.balance_transaction(number, dispute, taken - wanted, fee - charged, _now())
        self._state.insert(Thing("balance_transaction", one, dispute["payment_intent"]))
        moved.append(one)

    def _end_inquiries(self, intent: Mapping[str, Any]) -> None:
        """A payment that has gone back whole leaves nothing to inquire about."""
        if self._left_of(intent) > 0:
            return
        for dispute, _ in self._state.children("dispute", intent["id"]):
            if dispute["status"].startswith("warning_"):
                self._set_status(dispute, "warning_closed")

    def move_dispute(self, dispute_id: str, status: str) -> dict[str, Any]:
        """Let the bank bring a dispute wherever it may be, also a ruling that is turned over."""
        with self._state.transaction():
            dispute = self.get("dispute", dispute_id)
            if dispute["status"] != status:
                self._set_status(dispute, status)
        return dispute

    def _set_status(self, dispute: dict[str, Any], status: str) -> None:
        dispute |= {"status": status, "is_charge_refundable": status.startswith("warning_")}
        self._move_balance(dispute)
        self._state.update(dispute)
        self._tell("charge.dispute.closed" if status in _CLOSED else "charge.dispute.updated", dispute)

    def close_dispute(self, dispute_id: str, status: str) -> dict[str, Any]:
        """Rule on a dispute: ``won`` by the merchant, or ``lost``; the first ruling stands."""
        with self._state.transaction():
            dispute = self.get("dispute", dispute_id)
            if dispute["status"] in _OPEN:
                self._set_status(dispute, status)
        return dispute

    def _left_of(self, intent: Mapping[str, Any]) -> int:
        out = [
            refund["amount"]
            for refund, _ in self._state.children("refund", intent["id"])
            if refund["status"] in {"succeeded", "pending"}
        ]
        lost = [
            dispute["amount"]
            for dispute, _ in self._state.children("dispute", intent["id"])
            if dispute["status"] == "lost"
        ]
        left: int = intent["amount_received"] - sum(out) - sum(lost)
        return left

    def _has_open_dispute(self, intent: Mapping[str, Any]) -> bool:
        disputes = self._state.children("dispute", intent["id"])
        return any(dispute["status"] in _OPEN for dispute, _ in disputes)

    def _tell(self, kind: str, subject: Mapping[str, Any], delay: float = 0.0) -> None:
        event = objects.event(self._state.next_number(), kind, subject, _now())
        self._state.insert(Thing("event", event))
        self._state.queue_webhook(event, time.time() + delay)


def _now() -> int:
    return int(time.time())


def _amount(params: Mapping[str, str]) -> int:
    text = params.get("amount", "")
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) < _LARGEST_AMOUNT:
        raise Refused(400, "parameter_invalid_integer", "amount must be a positive integer")
    return int(text)


def _metadata(params: Mapping[str, str]) -> dict[str, str]:
    return {key[9:-1]: value for key, value in params.items() if key.startswith("metadata[")}
