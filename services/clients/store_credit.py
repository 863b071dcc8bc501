"""The client of `StoreCreditService`, the payment service's store credit."""

from datetime import datetime
from typing import Final

import grpc

from recourse.payment.v1 import store_credit_pb2 as pb
from recourse.payment.v1 import store_credit_pb2_grpc
from services.domain.store_credit import CreditBalance, CreditGrant, CreditLot
from services.platform.grpc_channel import call
from services.platform.wire import from_wire, to_wire

# A read or one short transaction, which may wait for others of the same customer.
_SECONDS: Final = 3.0
# Lot by lot, over all stores.
_LAPSING_SECONDS: Final = 120.0


class StoreCreditClient:
    """Speaks domain values; raises the domain's errors (see the proto's comments for which)."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = store_credit_pb2_grpc.StoreCreditServiceStub(channel)

    async def grant(self, grant: CreditGrant) -> tuple[CreditLot, bool]:
        """Give a customer credit, once per grant id; False for a repeat.

        Raises:
            IdempotencyConflict, InvalidArgument
        """
        request = pb.GrantCreditRequest(grant=to_wire(grant, pb.CreditGrant))
        answer = await call(self._stub.GrantCredit, request, pb.GrantCreditResponse, seconds=_SECONDS)
        return from_wire(answer.lot, CreditLot), answer.is_new

    async def balances(self, store_id: str, customer_id: str, at: datetime) -> list[CreditBalance]:
        """Return what a customer may spend at an instant, by currency."""
        request = pb.GetCreditRequest(store_id=store_id, customer_id=customer_id)
        request.as_of.FromDatetime(at)
        answer = await call(self._stub.GetCredit, request, pb.GetCreditResponse, seconds=_SECONDS)
        return [from_wire(one, CreditBalance) for one in answer.balances]

    async def expire_credit(self, at: datetime) -> int:
        """Let lapse what is due, in every store; returns how many lots had something left."""
        request = pb.ExpireCreditRequest()
        request.at.FromDatetime(at)
        answer = await call(
            self._stub.ExpireCredit, request, pb.ExpireCreditResponse, seconds=_LAPSING_SECONDS
        )
        return answer.lapsed
