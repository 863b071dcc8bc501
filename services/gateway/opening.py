"""Opening a case: its id is allocated once per idempotency key, before anything starts.

What cannot be opened at all is refused before the start. What a rule denies is no refusal: the case stands.
"""

import secrets
from dataclasses import dataclass
from typing import Final, Protocol

from services.domain.case import PREFIXES, CaseKind, CaseSnapshot, RequestedLine
from services.domain.eligibility import check_request
from services.domain.errors import CaseNotFound, OrderNotFound, RecourseError
from services.domain.ids import CASE_SYMBOLS, CaseId, CustomerId, OrderId, StoreId, case_id
from services.domain.order import Order
from services.gateway.access import Caller
from services.gateway.casebook import CaseBook
from services.gateway.keys import KeyUse
from workflows.messages import OpenCase, ReturnDetails

_CASE_NUMBERS: Final = 32 ** (CASE_SYMBOLS - 1)


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """What a caller asks for, before it has an id; ``rows`` are where its lines stand in the body."""

    kind: CaseKind
    order_id: OrderId
    channel: str
    note: str
    lines: tuple[RequestedLine, ...]
    return_: ReturnDetails
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedCase:
    """A case that was asked for under a key, and whether it has been opened since."""

    request: OpenCase
    is_opened: bool


@dataclass(frozen=True, slots=True)
class CaseOwner:
    """Whose case it is, and how it was asked for."""

    store_id: StoreId
    customer_id: CustomerId
    request: OpenCase


class Orders(Protocol):
    async def get(self, store_id: str, order_id: str) -> Order: ...


class Register(Protocol):
    async def get(self, store_id: str, case_id: str) -> CaseSnapshot: ...


class AskedCases(Protocol):
    """What was asked for before; every method is one transaction."""

    async def find(self, use: KeyUse) -> AskedCase | None: ...
    async def take(self, use: KeyUse, request: OpenCase) -> tuple[AskedCase, bool] | None: ...
    async def opened(self, case_id: CaseId) -> None: ...
    async def refused(self, case_id: CaseId) -> None: ...
    async def case(self, case_id: str) -> CaseOwner | None: ...


async def order_of(orders: Orders, caller: Caller, order_id: str) -> Order:
    """Return an order that exists for the caller.

    Raises:
        OrderNotFound: If there is none, or it is another customer's.
    """
    order = await orders.get(caller.store_id, order_id)
    if not caller.may_see(order.sold.store_id, order.sold.customer.customer_id):
        raise OrderNotFound("there is no such order")
    return order


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens cases, and finds those that were opened."""

    asked: AskedCases
    orders: Orders
    register: Register
    cases: CaseBook

    async def open(self, caller: Caller, wanted: CaseRequest, use: KeyUse) -> tuple[CaseSnapshot, bool]:
        """Open a case, once per key; False for a repeat, which gets the case as it stands.

        Raises:
            IdempotencyConflict: If the key stands for another request.
            OrderNotFound, UnknownOrderLine, QuantityExceedsRemaining: If there is nothing to open.
        """
        asked, is_first = await self._asked(caller, wanted, use)
        if asked.is_opened:
            return await self._current(asked.request), False
        return await self._start(asked.request), is_first

    async def _asked(self, caller: Caller, wanted: CaseRequest, use: KeyUse) -> tuple[AskedCase, bool]:
        known = await self.asked.find(use)
        if known is not None:
            return known, False
        try:
            order = await order_of(self.orders, caller, wanted.order_id)
            check_request(order, wanted.lines, wanted.rows)
        except RecourseError:
            # A twin may have been faster: the units that are missing now are then this very case's.
            known = await self.asked.find(use)
            if known is None:
                raise
            return known, False
        while True:
            taken = await self.asked.take(use, _request(caller, wanted, order))
            if taken is not None:
                return taken

    async def _start(self, request: OpenCase) -> CaseSnapshot:
        try:
            snapshot = await self.cases.open(request)
        except RecourseError as error:
            # Only a clear no gives the key back: what may be tried again may have started the case.
            if not error.is_retryable:
                await self.asked.refused(request.case_id)
            raise
        await self.asked.opened(request.case_id)
        return snapshot

    async def _current(self, request: OpenCase) -> CaseSnapshot:
        try:
            return await self.register.get(request.store_id, request.case_id)
        except CaseNotFound:
            return await self.cases.open(request)

    async def find(self, caller: Caller, wanted: str) -> CaseSnapshot:
        """Return a case that exists for the caller; its workflow answers while the register has not got it.

        Raises:
            CaseNotFound: If there is none, or it is another store's or customer's.
        """
        try:
            snapshot = await self.register.get("", wanted)
        except CaseNotFound:
            owner = await self.asked.case(wanted)
            if owner is None or not caller.may_see(owner.store_id, owner.customer_id):
                raise
            return await self.cases.open(owner.request)
        if not caller.may_see(snapshot.store_id, snapshot.customer_id):
            raise CaseNotFound("there is no such case")
        return snapshot

    async def store_of(self, caller: Caller, wanted: str) -> StoreId:
        """Return the store of a case that exists for the caller, without waiting for the register.

        Raises:
            CaseNotFound: As ``find``.
        """
        owner = await self.asked.case(wanted)
        if owner is None:
            return (await self.find(caller, wanted)).store_id
        if not caller.may_see(owner.store_id, owner.customer_id):
            raise CaseNotFound("there is no such case")
        return owner.store_id


def _request(caller: Caller, wanted: CaseRequest, order: Order) -> OpenCase:
    return OpenCase(
        case_id=case_id(PREFIXES[wanted.kind], secrets.randbelow(_CASE_NUMBERS)),
        kind=wanted.kind,
        store_id=order.sold.store_id,
        order_id=order.sold.order_id,
        customer_id=order.sold.customer.customer_id,
        opened_by=caller.actor,
        channel=wanted.channel,
        note=wanted.note,
        currency=order.sold.currency,
        locale=order.sold.customer.locale,
        lines=wanted.lines,
        return_=wanted.return_,
    )
