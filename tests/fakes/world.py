"""All services in memory: what workflow tests run against. The contract suite proves them equal to the real.

world = World()
world.policies.load(policy)
await world.sell(order, PolicyRef(policy.policy_id, policy.version))
world.down("payment")                     # order, payment, warehouse, casework, notification
world.lose_answers("payment", calls=1)    # done, but nobody hears of it
world.payments.behave("pay_536365", "card_refund_pending")
world.done("provider")                    # [Effect("provider", "moved", refund_id)]
"""

from dataclasses import dataclass, field

from services.domain.amounts import payments_of
from services.domain.order import Order, OrderAsSold, PolicyRef
from tests.fakes.casework import FakePolicies, FakeRegister
from tests.fakes.messages import FakeMessages
from tests.fakes.orders import FakeOrders
from tests.fakes.payments import FakePayments, FakeProvider
from tests.fakes.switchboard import Effect, Switchboard
from tests.fakes.warehouse import FakeWarehouse


@dataclass
class World:
    board: Switchboard = field(default_factory=Switchboard)
    orders: FakeOrders = field(init=False)
    policies: FakePolicies = field(init=False)
    payments: FakePayments = field(init=False)
    warehouse: FakeWarehouse = field(init=False)
    register: FakeRegister = field(init=False)
    messages: FakeMessages = field(init=False)

    def __post_init__(self) -> None:
        self.orders = FakeOrders(self.board)
        self.policies = FakePolicies(self.board)
        self.payments = FakePayments(self.board, FakeProvider(self.board))
        self.warehouse = FakeWarehouse(self.board)
        self.register = FakeRegister(self.board)
        self.messages = FakeMessages(self.board)

    async def sell(self, sold: OrderAsSold, policy: PolicyRef) -> Order:
        """Put an order and make its payments known, as the storefront's API does."""
        order, _ = await self.orders.put(sold, policy)
        await self.payments.register(payments_of(sold))
        return order

    def down(self, service: str, calls: int | None = None) -> None:
        """Let a service fail its next ``calls`` (or all, until it is up) before it does anything."""
        if calls is None:
            self.board.down(service)
        else:
            self.board.down(service, calls)

    def up(self, service: str) -> None:
        self.board.up(service)

    def lose_answers(self, service: str, calls: int = 1) -> None:
        """Let a service do its next ``calls``, and lose its answers."""
        self.board.lose_answers(service, calls)

    def done(self, service: str) -> list[Effect]:
        """Return what a service (or the ``provider``) really did, each thing once."""
        return [effect for effect in self.board.effects if effect.service == service]
