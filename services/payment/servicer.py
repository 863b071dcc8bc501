"""`PaymentService` on the wire."""

from datetime import UTC, datetime
from typing import Literal

from recourse.events.v1 import events_pb2
from recourse.payment.v1 import payment_pb2 as pb
from recourse.payment.v1 import payment_pb2_grpc, store_credit_pb2_grpc
from recourse.payment.v1 import store_credit_pb2 as credit_pb
from services.domain.accounts import LedgerClock
from services.domain.errors import InvalidArgument
from services.domain.ids import PaymentId
from services.domain.refund import OrderPayments, RefundIntent
from services.domain.store_credit import CreditGrant
from services.payment.janitor import Bounds, Janitor
from services.payment.reconciliation import LedgerSlice, Reconciliation
from services.payment.refunds import Refunds
from services.payment.store_credit import StoreCredit
from services.payment.webhooks import Webhooks
from services.platform.grpc_server import Context, Mounted
from services.platform.wire import from_wire, instant_from_wire, to_wire

# A position in the ledger is a 64-bit number.
_LONGEST_CURSOR = 18
_CLOCKS = {
    pb.LEDGER_CLOCK_POSTED: LedgerClock.POSTED,
    pb.LEDGER_CLOCK_BUSINESS: LedgerClock.BUSINESS,
}


class PaymentServicer(payment_pb2_grpc.PaymentServiceServicer):
    def __init__(
        self, refunds: Refunds, webhooks: Webhooks, reconciliation: Reconciliation, janitor: Janitor
    ) -> None:
        self._janitor = janitor
        self._refunds = refunds
        self._webhooks = webhooks
        self._reconciliation = reconciliation

    async def RegisterPayments(
        self, request: pb.RegisterPaymentsRequest, context: Context
    ) -> pb.RegisterPaymentsResponse:
        await self._refunds.register(from_wire(request.payments, OrderPayments))
        return pb.RegisterPaymentsResponse()

    async def GetPayment(self, request: pb.GetPaymentRequest, context: Context) -> pb.GetPaymentResponse:
        balance = await self._refunds.balance(request.store_id, PaymentId(request.payment_id))
        return pb.GetPaymentResponse(balance=to_wire(balance, pb.PaymentBalance))

    async def IssueRefund(self, request: pb.IssueRefundRequest, context: Context) -> pb.IssueRefundResponse:
        refund = await self._refunds.issue(from_wire(request.intent, RefundIntent))
        return pb.IssueRefundResponse(refund=to_wire(refund, pb.Refund))

    async def CheckRefund(self, request: pb.CheckRefundRequest, context: Context) -> pb.CheckRefundResponse:
        checked_at = instant_from_wire(request.checked_at, "/checked_at")
        refund = await self._refunds.check(request.store_id, request.refund_id, checked_at)
        return pb.CheckRefundResponse(refund=to_wire(refund, pb.Refund))

    async def ReceiveWebhook(
        self, request: pb.ReceiveWebhookRequest, context: Context
    ) -> pb.ReceiveWebhookResponse:
        is_new = await self._webhooks.receive(request.provider, request.signature, request.payload)
        return pb.ReceiveWebhookResponse(is_new=is_new)

    async def ListLedger(self, request: pb.ListLedgerRequest, context: Context) -> pb.ListLedgerResponse:
        cursor, limit = request.page.cursor or "0", request.page.limit
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST_CURSOR):
            raise InvalidArgument("the cursor is not one of ours")
        wanted = LedgerSlice(
            request.store_id,
            request.payment_id,
            _instant(request, "posted_from"),
            _instant(request, "posted_before"),
        )
        rows = await self._reconciliation.books.ledger(wanted, int(cursor), limit + 1)
        page = rows[:limit]
        return pb.ListLedgerResponse(
            entries=[to_wire(entry, pb.LedgerEntry) for _, entry in page],
            next_cursor=str(page[-1][0]) if len(rows) > limit else "",
        )

    async def GetTrialBalance(
        self, request: pb.GetTrialBalanceRequest, context: Context
    ) -> pb.GetTrialBalanceResponse:
        as_of, clock = instant_from_wire(request.as_of, "/as_of"), _CLOCKS[request.clock]
        rows = await self._reconciliation.books.trial_balance(request.store_id, as_of, clock)
        return pb.GetTrialBalanceResponse(accounts=[to_wire(row, pb.AccountBalance) for row in rows])

    async def MendPayments(
        self, request: pb.MendPaymentsRequest, context: Context
    ) -> pb.MendPaymentsResponse:
        now = datetime.now(UTC)
        asked_at = instant_from_wire(request.asked_at, "/asked_at") if request.HasField("asked_at") else now
        since = instant_from_wire(request.since, "/since")
        mending = await self._janitor.mend(Bounds(since, asked_at, now))
        return pb.MendPaymentsResponse(mending=to_wire(mending, pb.Mending))

    async def Reconcile(self, request: pb.ReconcileRequest, context: Context) -> pb.ReconcileResponse:
        reports = await self._reconciliation.report(request.store_id)
        return pb.ReconcileResponse(invariants=[to_wire(report, pb.InvariantReport) for report in reports])

    async def ReviewBooks(self, request: pb.ReviewBooksRequest, context: Context) -> pb.ReviewBooksResponse:
        findings = await self._reconciliation.review(request.store_id)
        return pb.ReviewBooksResponse(findings=[to_wire(finding, pb.Finding) for finding in findings])

    async def ListStores(self, request: pb.ListStoresRequest, context: Context) -> pb.ListStoresResponse:
        return pb.ListStoresResponse(store_ids=await self._reconciliation.books.stores())

    async def ListDisputes(
        self, request: pb.ListDisputesRequest, context: Context
    ) -> pb.ListDisputesResponse:
        disputes = await self._reconciliation.books.disputes_of(request.store_id, request.payment_id)
        return pb.ListDisputesResponse(disputes=[to_wire(one, events_pb2.DisputeChanged) for one in disputes])


def _instant(request: pb.ListLedgerRequest, name: Literal["posted_from", "posted_before"]) -> datetime | None:
    return instant_from_wire(getattr(request, name), f"/{name}") if request.HasField(name) else None


def mount(refunds: Refunds, webhooks: Webhooks, reconciliation: Reconciliation, janitor: Janitor) -> Mounted:
    servicer = PaymentServicer(refunds, webhooks, reconciliation, janitor)
    name = pb.DESCRIPTOR.services_by_name["PaymentService"].full_name
    return Mounted(
        name, lambda server: payment_pb2_grpc.add_PaymentServiceServicer_to_server(servicer, server)
    )


class StoreCreditServicer(store_credit_pb2_grpc.StoreCreditServiceServicer):
    def __init__(self, credit: StoreCredit) -> None:
        self._credit = credit

    async def GrantCredit(
        self, request: credit_pb.GrantCreditRequest, context: Context
    ) -> credit_pb.GrantCreditResponse:
        lot, is_new = await self._credit.store.grant(from_wire(request.grant, CreditGrant))
        return credit_pb.GrantCreditResponse(lot=to_wire(lot, credit_pb.CreditLot), is_new=is_new)

    async def GetCredit(
        self, request: credit_pb.GetCreditRequest, context: Context
    ) -> credit_pb.GetCreditResponse:
        as_of = instant_from_wire(request.as_of, "/as_of")
        found = await self._credit.balances(request.store_id, request.customer_id, as_of)
        return credit_pb.GetCreditResponse(balances=[to_wire(one, credit_pb.CreditBalance) for one in found])

    async def ExpireCredit(
        self, request: credit_pb.ExpireCreditRequest, context: Context
    ) -> credit_pb.ExpireCreditResponse:
        return credit_pb.ExpireCreditResponse(
            lapsed=await self._credit.lapse(instant_from_wire(request.at, "/at"))
        )


def mount_store_credit(credit: StoreCredit) -> Mounted:
    servicer = StoreCreditServicer(credit)
    name = credit_pb.DESCRIPTOR.services_by_name["StoreCreditService"].full_name
    return Mounted(
        name, lambda server: store_credit_pb2_grpc.add_StoreCreditServiceServicer_to_server(servicer, server)
    )
