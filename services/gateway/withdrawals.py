"""Withdrawing from a contract in the EU's two steps: declare, confirm; then a receipt with date and time.

Directive 2011/83/EU art. 11a. A confirmed withdrawal never waits for its receipt, which is sent until it is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from services.domain.case import CaseKind, CaseSnapshot, Reason, RequestedLine
from services.domain.errors import (
    DependencyUnavailable,
    FieldProblem,
    IdempotencyConflict,
    NotFound,
    QuantityExceedsRemaining,
    RecourseError,
    UnknownOrderLine,
)
from services.domain.ids import CaseId, CustomerId, LineId, OrderId, StoreId, derived_id
from services.domain.message import Message, MessageStatus
from services.domain.order import Customer, Order
from services.gateway.access import Caller
from services.gateway.keys import KeyUse
from services.gateway.opening import CaseRequest, Opening, order_of
from workflows.messages import ReturnDetails

log = structlog.get_logger()

_RECEIPTS_AT_ONCE: Final = 20
_TEMPLATE: Final = "withdrawal_receipt"


class WithdrawalNotFound(NotFound):
    reason = "WITHDRAWAL_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class WithdrawnLine:
    line_id: LineId
    quantity: int


@dataclass(frozen=True, slots=True)
class WithdrawnLines:
    """As they are kept."""

    lines: tuple[WithdrawnLine, ...]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A declaration, and what has become of it."""

    withdrawal_id: str
    store_id: StoreId
    customer_id: CustomerId
    order_id: OrderId
    lines: tuple[WithdrawnLine, ...]
    statement: str
    body_hash: bytes
    declared_at: datetime
    confirmed_at: datetime | None = None
    case_id: CaseId | None = None


class Declarations(Protocol):
    """Where withdrawals are kept; every method is one transaction."""

    async def declare(self, withdrawal: Withdrawal) -> Withdrawal: ...
    async def withdrawal(self, withdrawal_id: str) -> Withdrawal: ...
    async def confirm(self, withdrawal_id: str, at: datetime) -> Withdrawal: ...
    async def withdrawal_opened(self, withdrawal_id: str, case_id: CaseId) -> None: ...
    async def without_receipt(self, limit: int) -> list[Withdrawal]: ...
    async def receipt_sent(self, withdrawal_id: str) -> None: ...


class Orders(Protocol):
    async def get(self, store_id: str, order_id: str) -> Order: ...
    async def contact(self, store_id: str, order_id: str) -> Customer: ...


class Messages(Protocol):
    async def send(self, message: Message) -> MessageStatus: ...


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the customer declares; no lines mean all that is left."""

    order_id: OrderId
    lines: tuple[WithdrawnLine, ...]


@dataclass(frozen=True, slots=True)
class Withdrawals:
    declarations: Declarations
    opening: Opening
    orders: Orders
    messages: Messages

    async def declare(
        self, caller: Caller, wanted: Declaration, withdrawal_id: str, body_hash: bytes, now: datetime
    ) -> Withdrawal:
        """Take the first step: put into words what the second will declare.

        Raises:
            OrderNotFound, UnknownOrderLine, QuantityExceedsRemaining: If there is nothing to withdraw from.
            IdempotencyConflict: If the id stands for another declaration.
        """
        order = await order_of(self.orders, caller, wanted.order_id)
        lines = _withdrawn(order, wanted.lines)
        made = await self.declarations.declare(
            Withdrawal(
                withdrawal_id=withdrawal_id,
                store_id=order.sold.store_id,
                customer_id=order.sold.customer.customer_id,
                order_id=order.sold.order_id,
                lines=lines,
                statement=_statement(order, lines),
                body_hash=body_hash,
                declared_at=now,
            )
        )
        if made.body_hash != body_hash:
            raise IdempotencyConflict("the key came with another request")
        return made

    async def confirm(self, caller: Caller, withdrawal_id: str, now: datetime) -> tuple[CaseSnapshot, bool]:
        """Take the second step: open the return, once; False for a repeat.

        Raises:
            WithdrawalNotFound: If there is none, or it is another store's or customer's.
        """
        known = await self.declarations.withdrawal(withdrawal_id)
        if not caller.may_see(known.store_id, known.customer_id):
            raise WithdrawalNotFound("there is no such withdrawal")
        confirmed = await self.declarations.confirm(withdrawal_id, now)
        use = KeyUse(confirmed.store_id, "withdrawal", withdrawal_id, confirmed.body_hash)
        caller = caller.for_store(confirmed.store_id)
        snapshot, is_new = await self.opening.open(caller, _request(confirmed), use)
        await self.declarations.withdrawal_opened(withdrawal_id, snapshot.case_id)
        await self._send_receipt(await self.declarations.withdrawal(withdrawal_id))
        return snapshot, is_new

    async def send_receipts(self) -> None:
        """Send what could not be sent before."""
        for withdrawal in await self.declarations.without_receipt(_RECEIPTS_AT_ONCE):
            await self._send_receipt(withdrawal)

    async def _send_receipt(self, withdrawal: Withdrawal) -> None:
        """Hand the receipt over for delivery; one that fails now is sent later."""
        if withdrawal.case_id is None or withdrawal.confirmed_at is None:
            return
        try:
            customer = await self.orders.contact(withdrawal.store_id, withdrawal.order_id)
            await self.messages.send(
                _receipt(withdrawal, withdrawal.case_id, withdrawal.confirmed_at, customer)
            )
        except DependencyUnavailable:
            log.warning("withdrawal_receipt.postponed", withdrawal_id=withdrawal.withdrawal_id)
            return
        except RecourseError as error:
            # Asking again would be refused again (no address to write to): a person has to look.
            log.warning(
                "withdrawal_receipt.refused", withdrawal_id=withdrawal.withdrawal_id, reason=error.reason
            )
        await self.declarations.receipt_sent(withdrawal.withdrawal_id)


def _withdrawn(order: Order, wanted: tuple[WithdrawnLine, ...]) -> tuple[WithdrawnLine, ...]:
    """Return what is withdrawn from, each line once."""
    if not wanted:
        left = [(line.line_id, order.remaining(line.line_id)) for line in order.sold.lines]
        lines = tuple(WithdrawnLine(line_id, count) for line_id, count in left if count)
        if not lines:
            raise QuantityExceedsRemaining("nothing of the order is left to withdraw from")
        return lines
    units: dict[LineId, int] = {}
    for index, line in enumerate(wanted):
        if order.sold.line(line.line_id) is None:
            problem = FieldProblem(f"/lines/{index}/line_id", "unknown_line", line.line_id)
            raise UnknownOrderLine(f"the order has no line {line.line_id}", problems=(problem,))
        units[line.line_id] = units.get(line.line_id, 0) + line.quantity
    for line_id, count in units.items():
        if count > order.remaining(line_id):
            raise QuantityExceedsRemaining(
                f"line {line_id}: {count} asked, {order.remaining(line_id)} remain"
            )
    return tuple(WithdrawnLine(line_id, count) for line_id, count in units.items())


def _statement(order: Order, lines: tuple[WithdrawnLine, ...]) -> str:
    titles = {line.line_id: line.title or line.sku for line in order.sold.lines}
    goods = "; ".join(f"{line.quantity} × {titles[line.line_id]}" for line in lines)
    return (
        f"I withdraw from my contract of sale for the following goods: {goods}. "
        f"Order {order.sold.order_id} of {order.sold.placed_at:%Y-%m-%d}."
    )


def _request(withdrawal: Withdrawal) -> CaseRequest:
    lines = tuple(
        RequestedLine(line.line_id, line.quantity, Reason.CHANGED_MIND) for line in withdrawal.lines
    )
    return CaseRequest(
        CaseKind.RETURN, withdrawal.order_id, "withdrawal", withdrawal.statement, lines, ReturnDetails()
    )


def _receipt(withdrawal: Withdrawal, case_id: CaseId, confirmed_at: datetime, customer: Customer) -> Message:
    return Message(
        message_id=derived_id(case_id, "message", _TEMPLATE),
        store_id=withdrawal.store_id,
        case_id=case_id,
        order_id=withdrawal.order_id,
        template=_TEMPLATE,
        recipient=customer.email,
        locale=customer.locale,
        stated_at=confirmed_at,
        values={
            "case_id": case_id,
            "order_id": withdrawal.order_id,
            "content": withdrawal.statement,
            "received_at": confirmed_at.isoformat(),
        },
    )
