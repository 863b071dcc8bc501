"""Refunds through the payment service beside the same statements sent by nobody but their client.

The statements are those the service's own repository was seen to send for one refund, transaction control
and all; for each further refund they are sent again with its ids in place of the first's. The raw side has as
many connections as the service, builds its arguments before the clock starts, and reads no row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from bench.instant import Instant
from services.clients.payment import PaymentClient
from services.domain.case import RefundStatus
from services.domain.errors import RefundExceedsCaptured, RefundExceedsLine
from services.domain.ids import CaseId, CustomerId, LineId, OrderId, PaymentId, StoreId, refund_id_for
from services.domain.money import Money
from services.domain.refund import CapturedPayment, LineCap, OrderPayments, RefundIntent, RefundPart
from services.payment.refunds import Refunds
from services.payment.repository.refunds import RefundRepository
from services.platform.database import Pool, open_pool

STORE: Final = StoreId("bench")
# As many as `services.platform.database.open_pool` gives the service.
CONNECTIONS: Final = 10
ORDERS: Final = 25
_NOW: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_LINE: Final = LineId("1")


@dataclass(frozen=True, slots=True)
class Purchases:
    """Orders of one line, each paid by two tenders of ``captured``; refunds go round all of them.

    Of a line ``cap`` may go back, all tenders together.
    """

    name: str
    captured: int
    cap: int

    @property
    def payment_ids(self) -> list[PaymentId]:
        return [self._payment_id(number) for number in range(2 * ORDERS)]

    def _payment_id(self, number: int) -> PaymentId:
        return PaymentId(f"pay_{self.name}_{number % (2 * ORDERS)}")

    def _order_id(self, number: int) -> OrderId:
        return OrderId(f"{self.name}-{number % ORDERS}")

    def orders(self) -> list[OrderPayments]:
        return [
            OrderPayments(
                STORE,
                self._order_id(number),
                CustomerId("17850"),
                "GBP",
                1,
                (LineCap(self.cap, _LINE),),
                tuple(
                    CapturedPayment(
                        self._payment_id(tender), "sandbox", "card", Money(self.captured, "GBP"), _NOW
                    )
                    for tender in (number, number + ORDERS)
                ),
            )
            for number in range(ORDERS)
        ]

    def intent(self, number: int) -> RefundIntent:
        """Want one penny back, of the next payment in turn."""
        case, payment_id = CaseId("RT-7K3M-9QX1"), self._payment_id(number)
        return RefundIntent(
            refund_id=refund_id_for(case, f"{self.name}-{number}", payment_id),
            payment_id=payment_id,
            store_id=STORE,
            case_id=case,
            order_id=self._order_id(number),
            amount=Money(1, "GBP"),
            parts=(RefundPart(1, _LINE),),
            cause="inspection_accepted",
            requested_at=_NOW,
        )


@dataclass
class Served:
    """Refunds asked for over gRPC; ``paid`` is how many pence have gone back, ``refused`` how many not."""

    payments: PaymentClient
    purchases: Purchases
    paid: int = 0
    refused: int = 0

    async def sell(self) -> None:
        for order in self.purchases.orders():
            await self.payments.register(order)

    async def prepare(self, numbers: Sequence[int]) -> None:
        """Everything has been sold."""

    async def one(self, number: int) -> None:
        try:
            refund = await self.payments.issue(self.purchases.intent(number))
        except (RefundExceedsCaptured, RefundExceedsLine):
            self.refused += 1
            return
        if refund.status is not RefundStatus.SUCCEEDED:
            raise RuntimeError(f"refund {number} is {refund.status}")
        self.paid += 1

    async def check(self, numbers: Sequence[int]) -> None:
        """Hold what was answered against the balances.

        Raises:
            RuntimeError: If they differ, or more went back of a payment than was captured.
        """
        balances = [await self.payments.balance(STORE, one) for one in self.purchases.payment_ids]
        refunded = [one.refunded.minor_units for one in balances]
        if sum(refunded) != self.paid or max(refunded) > self.purchases.captured:
            raise RuntimeError(f"{self.paid} were paid, the balances say {refunded}")


Statement = tuple[str, tuple[Any, ...]]


async def statements_for(pool: Pool, purchases: Purchases, number: int) -> list[Statement]:
    """Have the service's own code issue a refund, and return the statements that it sends for it.

    One of the next number goes before: with the first the client asks the server for types it then knows.
    """
    seen: list[Statement] = []
    issuing = Refunds(RefundRepository(pool), {"sandbox": Instant()})
    await issuing.issue(purchases.intent(number + 1))
    async with pool.acquire() as connection:
        connection.add_query_logger(lambda sent: seen.append((sent.query, tuple(sent.args or ()))))
    await issuing.issue(purchases.intent(number))
    return seen


@dataclass
class Raw:
    """The same statements, sent as they are."""

    pool: Pool
    purchases: Purchases
    first: RefundIntent
    statements: Sequence[Statement]
    _ready: dict[int, list[Statement]] = field(default_factory=dict)

    @classmethod
    async def over(cls, dsn: str, purchases: Purchases, number: int) -> "Raw":
        """Learn the statements from a refund whose ``number`` is used for nothing else."""
        learning = await open_pool(dsn, "bench", 1)
        statements = await statements_for(learning, purchases, number)
        await learning.close()
        pool = await open_pool(dsn, "bench", CONNECTIONS)
        return cls(pool, purchases, purchases.intent(number), statements)

    async def prepare(self, numbers: Sequence[int]) -> None:
        """Put each refund's ids in place of the first's."""
        for number in numbers:
            intent = self.purchases.intent(number)
            names = {
                self.first.refund_id: intent.refund_id,
                self.first.payment_id: intent.payment_id,
                self.first.order_id: intent.order_id,
            }
            self._ready[number] = [
                (query, tuple(_renamed(value, names) for value in values))
                for query, values in self.statements
            ]

    async def one(self, number: int) -> None:
        async with self.pool.acquire() as connection:
            for query, values in self._ready.pop(number):
                if values:
                    await connection.fetch(query, *values)
                else:
                    await connection.execute(query)

    async def check(self, numbers: Sequence[int]) -> None:
        """Find every refund where the statements have put it.

        Raises:
            RuntimeError: If one is missing.
        """
        ids = [self.purchases.intent(number).refund_id for number in numbers]
        query = "SELECT count(*) FROM refunds WHERE refund_id = ANY ($1::uuid[]) AND status = 'succeeded'"
        if await self.pool.fetchval(query, ids) != len(ids):
            raise RuntimeError("the statements have not done what they do for the service")


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    # The longest first: one payment's name may begin another's.
    for before in sorted(names, key=len, reverse=True):
        if value == before:
            return names[before]
        value = value.replace(f'"{before}"', f'"{names[before]}"').replace(
            f"re_{before}", f"re_{names[before]}"
        )
    return value
