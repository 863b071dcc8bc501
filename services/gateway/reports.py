"""Reports that carry no time of their own: when and by whom they were made first counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.domain.ids import StoreId


@dataclass(frozen=True, slots=True)
class FirstReport:
    at: datetime
    by: str


class Reports(Protocol):
    async def first_report(
        self, store_id: StoreId, what: str, report_id: str, now: FirstReport
    ) -> FirstReport: ...
    async def known_report(self, store_id: StoreId, what: str, report_id: str) -> FirstReport | None: ...
