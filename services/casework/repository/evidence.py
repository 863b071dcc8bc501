"""Evidence in its table: one method, one statement."""

from typing import Any

from services.casework import queries
from services.domain.errors import CaseClosed, EvidenceNotFound
from services.domain.ids import CaseId, StoreId
from services.domain.inbox import Evidence
from services.platform.database import Pool


class EvidenceRepository:
    """Satisfies `services.casework.evidence.EvidenceStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def admit(self, told: Evidence) -> None:
        whose = (told.store_id, told.case_id, told.evidence_id)
        if not await self._pool.fetchval(queries.ADMITS_EVIDENCE, *whose):
            raise CaseClosed("the case is closed")

    async def keep(self, evidence: Evidence) -> Evidence:
        row = await self._pool.fetchrow(
            queries.KEEP_EVIDENCE,
            evidence.evidence_id,
            evidence.store_id,
            evidence.case_id,
            evidence.kind,
            evidence.content_type,
            evidence.sha256,
            evidence.size_bytes,
            evidence.added_at,
        )
        return _to_evidence(row)

    async def find(self, store_id: str, evidence_id: str) -> Evidence:
        row = await self._pool.fetchrow(queries.FIND_EVIDENCE, store_id, evidence_id)
        if row is None:
            raise EvidenceNotFound("there is no such evidence")
        return _to_evidence(row)


def _to_evidence(row: Any) -> Evidence:
    return Evidence(
        evidence_id=row["evidence_id"],
        store_id=StoreId(row["store_id"]),
        case_id=CaseId(row["case_id"]),
        kind=row["kind"],
        content_type=row["content_type"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        added_at=row["added_at"],
    )
