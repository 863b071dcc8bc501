"""Policy versions in their table: one method, one statement."""

from datetime import datetime

from services.casework import queries
from services.casework.policies import StoredPolicy
from services.domain.policy import Policy
from services.platform.database import Pool
from services.platform.documents import from_json


class PolicyRepository:
    """Satisfies `services.casework.policies.PolicyStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, stored: StoredPolicy) -> bool:
        policy = stored.policy
        is_new = await self._pool.fetchval(
            queries.PUT_POLICY,
            policy.policy_id,
            policy.version,
            stored.store_id,
            list(policy.countries),
            policy.is_fallback,
            stored.valid_from,
            stored.document,
        )
        return bool(is_new)

    async def find(self, policy_id: str, version: int) -> StoredPolicy | None:
        row = await self._pool.fetchrow(queries.FIND_POLICY, policy_id, version)
        return StoredPolicy(row["store_id"], from_json(row["document"], Policy)) if row else None

    async def candidates(self, store_id: str, country: str, at: datetime) -> list[Policy]:
        rows = await self._pool.fetch(queries.POLICIES_FOR, store_id, country, at)
        return [from_json(row["document"], Policy) for row in rows]
