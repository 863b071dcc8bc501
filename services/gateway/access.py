"""Who calls, for which store, and what that allows: another store's or customer's data does not exist."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.domain.case import Actor, ActorKind
from services.domain.errors import FieldProblem, InvalidArgument, PermissionDenied
from services.domain.ids import CustomerId, StoreId


class Role(StrEnum):
    """What a member of staff may do; from the staff token."""

    AGENT = "agent"
    SENIOR = "senior"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    WAREHOUSE = "warehouse"
    FINANCE = "finance"
    OPS = "ops"


class Queue(StrEnum):
    """Who a task waits for."""

    AGENT = "agent"
    SENIOR = "senior"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    WAREHOUSE = "warehouse"
    FINANCE = "finance"
    OPS = "ops"


STORE: Final = ActorKind.STORE
CUSTOMER: Final = ActorKind.CUSTOMER
Who = ActorKind | Role

AGENTS: Final[tuple[Role, ...]] = (Role.AGENT, Role.SENIOR, Role.SUPERVISOR, Role.MANAGER)
STAFF: Final[tuple[Role, ...]] = tuple(Role)

# Who may take and complete the tasks of a queue; an unknown queue is the manager's.
QUEUE_ROLES: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        Queue.AGENT: frozenset(AGENTS),
        Queue.SENIOR: frozenset({Role.SENIOR, Role.SUPERVISOR, Role.MANAGER}),
        Queue.SUPERVISOR: frozenset({Role.SUPERVISOR, Role.MANAGER}),
        Queue.MANAGER: frozenset({Role.MANAGER}),
        Queue.WAREHOUSE: frozenset({Role.WAREHOUSE}),
        Queue.FINANCE: frozenset({Role.FINANCE}),
        Queue.OPS: frozenset({Role.OPS}),
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody known. ``named_store`` is the one meant, when there is no doubt about it."""

    actor: Actor
    stores: frozenset[StoreId]
    named_store: StoreId | None = None

    @property
    def scope(self) -> str:
        """Whose idempotency keys and rate these are."""
        return f"{self.actor.kind}:{self.actor.actor_id}"

    @property
    def is_customer(self) -> bool:
        return self.actor.kind is ActorKind.CUSTOMER

    @property
    def store_id(self) -> StoreId:
        """The store meant.

        Raises:
            InvalidArgument: If it could be one of several.
        """
        if self.named_store is None:
            problem = FieldProblem("/header/recourse-store", "required", "one of the caller's stores")
            raise InvalidArgument("name the store in the header Recourse-Store", problems=(problem,))
        return self.named_store

    @property
    def possible_stores(self) -> frozenset[StoreId]:
        """Where an id may be looked for."""
        return frozenset({self.named_store}) if self.named_store else self.stores

    def for_store(self, name: str | None) -> "Caller":
        """Return the caller as meaning the store of this name (or the only one it has).

        Raises:
            PermissionDenied: If the store is none of the caller's.
        """
        if name is not None and name not in self.stores:
            raise PermissionDenied("the store in Recourse-Store is not yours")
        only = next(iter(self.stores)) if len(self.stores) == 1 else None
        return Caller(self.actor, self.stores, StoreId(name) if name is not None else only)

    def may_see(self, store_id: str, customer_id: str) -> bool:
        """Tell whether something of this customer of this store exists for the caller."""
        if store_id not in self.stores:
            return False
        return not self.is_customer or self.actor.actor_id == customer_id

    def is_one_of(self, who: tuple[Who, ...]) -> bool:
        if self.actor.kind is ActorKind.STAFF:
            return any(role in self.actor.roles for role in who if isinstance(role, Role))
        return self.actor.kind in who

    def check_is_one_of(self, who: tuple[Who, ...]) -> None:
        """Refuse whoever is none of ``who``.

        Raises:
            PermissionDenied: Naming who may.
        """
        if not self.is_one_of(who):
            raise PermissionDenied(f"only for {', '.join(sorted(who))}")

    def check_works(self, queue: str) -> None:
        """Refuse whoever does not work in ``queue``.

        Raises:
            PermissionDenied: Naming who does.
        """
        self.check_is_one_of(tuple(QUEUE_ROLES.get(queue, frozenset({Role.MANAGER}))))

    @property
    def customer_filter(self) -> str:
        """Whose things a list shows: a customer's own, or everybody's (empty)."""
        return CustomerId(self.actor.actor_id) if self.is_customer else ""
