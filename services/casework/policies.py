"""Policies: documents that say what a shop grants, versioned, never below the law, frozen by every order."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

from services.domain.errors import IdempotencyConflict, PolicyNotFound
from services.domain.policy import Policy, check_policy
from services.domain.statute import check_statute, shortfalls
from services.platform.documents import parse, to_json


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A version as it was loaded; an empty ``store_id`` is every store's."""

    store_id: str
    policy: Policy

    @property
    def valid_from(self) -> datetime | None:
        """The instant from which orders are sold under it, by the shop's own clock."""
        day, zone = self.policy.valid_from, ZoneInfo(self.policy.calendar.zone)
        return datetime.combine(day, time(), zone) if day else None

    @property
    def document(self) -> str:
        return to_json(self.policy)


class PolicyStore(Protocol):
    """Where versions are kept; every method is one statement."""

    async def add(self, stored: StoredPolicy) -> bool:
        """Keep a version unless there is one; True when it is new."""

    async def find(self, policy_id: str, version: int) -> StoredPolicy | None: ...
    async def candidates(self, store_id: str, country: str, at: datetime) -> list[Policy]:
        """Return what may hold there for an order placed then, the most particular first."""


@dataclass(frozen=True, slots=True)
class PolicyShelf:
    store: PolicyStore

    async def put(self, store_id: str, document: str) -> bool:
        """Load a document; True when the version is new.

        What a version leaves out is filled in when it is loaded, so that a later default never changes it.

        Raises:
            InvalidArgument: If it is no policy document; a problem per fault.
            PolicyBelowStatute: If it grants less than the law; a problem per shortfall.
            IdempotencyConflict: If the version, or the policy's id, stands for something else.
        """
        policy = parse(document, Policy, refuses_unknown=True)
        check_policy(policy)
        check_statute(policy)
        wanted = StoredPolicy(store_id, policy)
        if await self.store.add(wanted):
            return True
        if await self.store.find(policy.policy_id, policy.version) == wanted:
            return False
        raise IdempotencyConflict(
            f"version {policy.version} of {policy.policy_id} is known otherwise; make a new version"
        )

    async def get(self, policy_id: str, version: int) -> Policy:
        stored = await self.store.find(policy_id, version)
        if stored is None:
            raise PolicyNotFound("there is no such version")
        return stored.policy

    async def resolve(self, store_id: str, country: str, placed_at: datetime) -> Policy:
        """Return the policy of an order: the most particular in force, a fallback only where it is lawful.

        Raises:
            PolicyNotFound: If none holds there.
        """
        for policy in await self.store.candidates(store_id, country, placed_at):
            if country in policy.countries or not shortfalls(policy, [country]):
                return policy
        raise PolicyNotFound(f"no policy holds in {country}")
