"""What is compared: a return through every service, and the bare workflow of its shape."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import asyncpg
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from bench.bare import TASK_QUEUE, BareReturn
from services.clients.casework import CaseworkClient
from services.clients.order import OrderClient
from services.clients.payment import PaymentClient
from services.clients.warehouse import WarehouseClient
from services.domain.amounts import payments_of
from services.domain.case import Actor, ActorKind, CaseKind, Reason, RequestedLine
from services.domain.ids import CaseId, CustomerId, LineId, OrderId, PaymentId, StoreId, case_id, rma_for
from services.domain.logistics import (
    Disposition,
    Grade,
    InspectedLine,
    Inspection,
    ParcelStatus,
    Receipt,
    ReceivedLine,
    TrackingEvent,
)
from services.domain.order import (
    Address,
    Customer,
    OrderAsSold,
    OrderLine,
    OrderStatus,
    Payment,
    Shipment,
    ShipmentLine,
    ShippingCharge,
)
from services.platform.database import database_dsn, database_name
from workflows.messages import OpenCase
from workflows.starter import Cases

STORE = StoreId("demo")
# Opened, labelled, received; then refunding, refunded.
_PUBLICATIONS = {"inspecting": 3, "refunded": 5}


@dataclass
class Returns:
    """Complete returns, spoken to as its neighbours do; ``opening_seconds`` is how long each opening took."""

    orders: OrderClient
    payments: PaymentClient
    warehouse: WarehouseClient
    casework: CaseworkClient
    cases: Cases
    run: int
    opening_seconds: list[float] = field(default_factory=list)
    _published: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)

    async def prepare(self, numbers: Sequence[int]) -> None:
        """Sell and deliver an order for each; this is not measured."""
        for number in numbers:
            await self._sell(number)

    async def _sell(self, number: int) -> None:
        now = datetime.now(UTC)
        sold = _an_order(self._order_id(number), now - timedelta(days=5))
        policy = await self.casework.resolve_policy(STORE, sold.market, sold.placed_at)
        await self.orders.put(sold, policy)
        await self.payments.register(payments_of(sold))
        tracking = f"B{sold.order_id}"
        parts = (ShipmentLine(LineId("1"), 6),)
        shipment = Shipment(f"S{sold.order_id}", "bench-post", tracking, parts, now - timedelta(days=4))
        await self.orders.ship(STORE, sold.order_id, shipment)
        delivered = TrackingEvent(
            f"E{sold.order_id}", "bench-post", tracking, ParcelStatus.DELIVERED, now - timedelta(days=2)
        )
        await self.orders.track(STORE, delivered)

    def _order_id(self, number: int) -> str:
        return f"B{self.run}-{number}"

    def _case_id(self, number: int) -> CaseId:
        return case_id("RT", (self.run * 100_000 + number) % 32**7)

    async def check(self, numbers: Sequence[int]) -> None:
        """See that each has ended as it should; this is not measured."""
        for number in numbers:
            phase = (await self.casework.get(STORE, self._case_id(number))).phase
            if phase != "refunded":
                raise RuntimeError(f"a return ended as {phase}")

    async def one(self, number: int) -> None:
        """Open, receive, inspect; returns when the case is refunded and closed."""
        case = self._case_id(number)
        clock = asyncio.get_running_loop()
        started = clock.time()
        await self.cases.open(_a_request(case, self._order_id(number)))
        self.opening_seconds.append(clock.time() - started)
        rma, now = rma_for(case), datetime.now(UTC)
        line = ReceivedLine(2, LineId("1"))
        await self.warehouse.receive(STORE, Receipt(f"R{case}", rma, now, (line,)))
        await self._until(case, "inspecting")
        judged = InspectedLine(LineId("1"), 2, Grade.A, accepted=True, disposition=Disposition.RESTOCK)
        await self.warehouse.inspect(STORE, Inspection(f"I{case}", rma, now, (judged,)))
        await self._until(case, "refunded")

    async def listen(self, database_url: str) -> "asyncpg.Connection[asyncpg.Record]":
        """Hear when a case is published, as its watchers do; close the connection in the end."""
        connection = await asyncpg.connect(database_dsn(database_url, database_name("casework")))
        await connection.add_listener("cases", lambda *said: self._heard(str(said[3])))
        return connection

    def _heard(self, case: str) -> None:
        self._published[case] = self._published.get(case, 0) + 1
        if (news := self._waiting.get(case)) is not None:
            news.set()

    async def _until(self, case: CaseId, phase: str) -> None:
        """Wait for the publication with which a happy return enters ``phase``."""
        news = self._waiting.setdefault(case, asyncio.Event())
        while self._published.get(case, 0) < _PUBLICATIONS[phase]:
            news.clear()
            await news.wait()


@dataclass
class Bare:
    """The bare workflow, driven with the same steps."""

    client: Client
    run: int
    _said: dict[str, asyncio.Event] = field(default_factory=dict)

    async def listen(self, database_url: str) -> "asyncpg.Connection[asyncpg.Record]":
        """Hear what the workflows say; close the connection in the end."""
        connection = await asyncpg.connect(database_url)
        await connection.add_listener("bare", lambda *said: self._event(str(said[3])).set())
        return connection

    def _event(self, what: str) -> asyncio.Event:
        return self._said.setdefault(what, asyncio.Event())

    async def prepare(self, numbers: Sequence[int]) -> None:
        """Nothing has to be sold."""

    async def check(self, numbers: Sequence[int]) -> None:
        """It has said itself that it is done."""

    async def one(self, number: int) -> None:
        """Open, signal, signal; returns when it has done its last statement."""
        name = f"bare-{self.run}-{number}"
        start = WithStartWorkflowOperation(
            BareReturn.run,
            name,
            id=name,
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )
        await self.client.execute_update_with_start_workflow(BareReturn.open, start_workflow_operation=start)
        handle = self.client.get_workflow_handle(name)
        await handle.signal("learn", "received")
        await self._event(f"{name} received").wait()
        await handle.signal("learn", "inspected")
        await self._event(f"{name} refunded").wait()


def _a_request(case: CaseId, order_id: str) -> OpenCase:
    return OpenCase(
        case_id=case,
        kind=CaseKind.RETURN,
        store_id=STORE,
        order_id=OrderId(order_id),
        customer_id=CustomerId("17850"),
        opened_by=Actor(ActorKind.STORE, STORE),
        channel="bench",
        note="",
        currency="GBP",
        locale="en-GB",
        lines=(RequestedLine(LineId("1"), 2, Reason.CHANGED_MIND),),
    )


def _an_order(order_id: str, placed_at: datetime) -> OrderAsSold:
    address = Address("17850", "1 Example Street", "London", "N1 1AA", "GB")
    line = OrderLine(LineId("1"), "85123A", "A LANTERN", quantity=6, unit_price=255, tax=255, tax_rate="20")
    order = OrderAsSold(
        order_id=OrderId(order_id),
        store_id=STORE,
        version=1,
        market="GB",
        currency="GBP",
        placed_at=placed_at,
        status=OrderStatus.DELIVERED,
        customer=Customer(CustomerId("17850"), "17850", "+440000017850", "17850@example.com", "en-GB"),
        lines=(line,),
        shipping=ShippingCharge(0, 0, "standard", address),
        tax_inclusive=True,
    )
    payment = Payment(
        PaymentId(f"pay_{order_id}"), "sandbox", "card", order.total.minor_units, order.placed_at
    )
    return replace(order, payments=(payment,))
