"""The payment service's client."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from recourse.common.v1 import common_pb2
from recourse.payment.v1 import payment_pb2 as pb
from recourse.payment.v1 import payment_pb2_grpc
from services.domain.accounts import AccountBalance, LedgerClock
from services.domain.facts import DisputeChanged
from services.domain.ids import StoreId
from services.domain.refund import (
    Finding,
    InvariantReport,
    LedgerEntry,
    Mending,
    OrderPayments,
    PaymentBalance,
    Refund,
    RefundIntent,
)
from services.platform.grpc_channel import call
from services.platform.wire import from_wire, to_wire

# A read or one short transaction.
_SECONDS: Final = 3.0
_PAGE: Final = 200
# Every open refund is asked about, and providers' lists are read, one page after the other.
_MENDING_SECONDS: Final = 300.0
# A provider is asked meanwhile, which takes 30 s at most.
_PROVIDER_SECONDS: Final = 35.0


class PaymentClient:
    """Speaks domain values; raises the domain's errors (see the proto's comments for which)."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = payment_pb2_grpc.PaymentServiceStub(channel)

    async def register(self, payments: OrderPayments, seconds: float = _PROVIDER_SECONDS) -> None:
        """Make an order's payments known, here and to their providers."""
        request = pb.RegisterPaymentsRequest(payments=to_wire(payments, pb.OrderPayments))
        await call(self._stub.RegisterPayments, request, pb.RegisterPaymentsResponse, seconds=seconds)

    async def balance(self, store_id: str, payment_id: str) -> PaymentBalance:
        request = pb.GetPaymentRequest(store_id=store_id, payment_id=payment_id)
        answer = await call(self._stub.GetPayment, request, pb.GetPaymentResponse, seconds=_SECONDS)
        return from_wire(answer.balance, PaymentBalance)

    async def issue(self, intent: RefundIntent) -> Refund:
        """Give the money back, at most once per refund id.

        Raises:
            DependencyUnavailable: If the outcome is unknown; call again with the same intent.
            RefundExceedsCaptured, RefundExceedsLine, PaymentDisputed, PaymentNotFound, CurrencyMismatch,
                IdempotencyConflict
        """
        request = pb.IssueRefundRequest(intent=to_wire(intent, pb.RefundIntent))
        answer = await call(
            self._stub.IssueRefund, request, pb.IssueRefundResponse, seconds=_PROVIDER_SECONDS
        )
        return from_wire(answer.refund, Refund)

    async def check(self, store_id: str, refund_id: str, at: datetime) -> Refund:
        """Ask how a refund stands."""
        checked_at = Timestamp()
        checked_at.FromDatetime(at)
        request = pb.CheckRefundRequest(store_id=store_id, refund_id=refund_id, checked_at=checked_at)
        answer = await call(
            self._stub.CheckRefund, request, pb.CheckRefundResponse, seconds=_PROVIDER_SECONDS
        )
        return from_wire(answer.refund, Refund)

    async def receive_webhook(self, provider: str, signature: str, payload: bytes) -> bool:
        """Pass on a webhook as it came; True when it was new."""
        request = pb.ReceiveWebhookRequest(provider=provider, signature=signature, payload=payload)
        answer = await call(self._stub.ReceiveWebhook, request, pb.ReceiveWebhookResponse, seconds=_SECONDS)
        return answer.is_new

    async def trial_balance(self, store_id: str, as_of: datetime, clock: LedgerClock) -> list[AccountBalance]:
        """Return what stood on every account before an instant, by one of a posting's two times."""
        request = pb.GetTrialBalanceRequest(
            store_id=store_id, clock=pb.LedgerClock.Value(f"LEDGER_CLOCK_{clock.name}")
        )
        request.as_of.FromDatetime(as_of)
        answer = await call(self._stub.GetTrialBalance, request, pb.GetTrialBalanceResponse, seconds=_SECONDS)
        return [from_wire(row, AccountBalance) for row in answer.accounts]

    async def postings(
        self, store_id: str, posted_from: datetime | None, posted_before: datetime | None
    ) -> AsyncIterator[list[LedgerEntry]]:
        """Go through a store's postings of a period, page by page, oldest first; the first may be empty."""
        request = pb.ListLedgerRequest(store_id=store_id, page=common_pb2.Page(limit=_PAGE))
        if posted_from:
            request.posted_from.FromDatetime(posted_from)
        if posted_before:
            request.posted_before.FromDatetime(posted_before)
        while True:
            answer = await call(self._stub.ListLedger, request, pb.ListLedgerResponse, seconds=_SECONDS)
            yield [from_wire(entry, LedgerEntry) for entry in answer.entries]
            if not answer.next_cursor:
                return
            request.page.cursor = answer.next_cursor

    async def ledger(
        self, store_id: str, payment_id: str, cursor: str, limit: int
    ) -> tuple[list[LedgerEntry], str]:
        """Return a page of postings and the next page's cursor (empty on the last)."""
        request = pb.ListLedgerRequest(
            store_id=store_id,
            payment_id=payment_id,
            page=common_pb2.Page(limit=limit, cursor=cursor),
        )
        answer = await call(self._stub.ListLedger, request, pb.ListLedgerResponse, seconds=_SECONDS)
        return [from_wire(entry, LedgerEntry) for entry in answer.entries], answer.next_cursor

    async def mend(self, since: datetime, asked_at: datetime | None = None) -> Mending:
        """Repair what is certain, of all stores, one step at a time: call again until it is done.

        A walk that begins now reads providers' lists from ``since`` on; one that began before ``asked_at``
        (now, unless it is said) is finished first, and then begun anew.
        """
        request = pb.MendPaymentsRequest()
        request.since.FromDatetime(since)
        if asked_at is not None:
            request.asked_at.FromDatetime(asked_at)
        answer = await call(
            self._stub.MendPayments, request, pb.MendPaymentsResponse, seconds=_MENDING_SECONDS
        )
        return from_wire(answer.mending, Mending)

    async def reconcile(self, store_id: str) -> list[InvariantReport]:
        request = pb.ReconcileRequest(store_id=store_id)
        answer = await call(self._stub.Reconcile, request, pb.ReconcileResponse, seconds=_PROVIDER_SECONDS)
        return [from_wire(report, InvariantReport) for report in answer.invariants]

    async def review(self, store_id: str) -> list[Finding]:
        """Reconcile, and return what breaks an invariant, and since when it has."""
        request = pb.ReviewBooksRequest(store_id=store_id)
        answer = await call(self._stub.ReviewBooks, request, pb.ReviewBooksResponse, seconds=_MENDING_SECONDS)
        return [from_wire(finding, Finding) for finding in answer.findings]

    async def stores(self) -> list[StoreId]:
        """Return the stores that have payments."""
        request = pb.ListStoresRequest()
        answer = await call(self._stub.ListStores, request, pb.ListStoresResponse, seconds=_SECONDS)
        return [StoreId(store_id) for store_id in answer.store_ids]

    async def disputes(self, store_id: str, payment_id: str) -> list[DisputeChanged]:
        """Return where a payment's disputes stand, the newest word first."""
        request = pb.ListDisputesRequest(store_id=store_id, payment_id=payment_id)
        answer = await call(self._stub.ListDisputes, request, pb.ListDisputesResponse, seconds=_SECONDS)
        return [from_wire(dispute, DisputeChanged) for dispute in answer.disputes]
