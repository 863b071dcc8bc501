"""The test clock: how far a case's own clock is to go is decided once; a repeat moves it no further."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.domain.case import CaseKind
from services.domain.errors import CaseClosed
from services.domain.ids import StoreId
from services.gateway.casebook import CaseBook
from services.gateway.reports import FirstReport, Reports

_WHAT: Final = "clock_goal"
_NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Advance:
    """One request to move a case's clock; its id is the same for a repeat."""

    advance_id: str
    store_id: StoreId
    by: timedelta
    asked_by: str


@dataclass(frozen=True, slots=True)
class TestClock:
    cases: CaseBook
    reports: Reports

    async def advance(self, kind: CaseKind, case_id: str, wanted: Advance) -> datetime:
        """Move a case's clock once per id; returns its time thereafter (its goal, if the case has closed).

        Raises:
            CaseClosed: If the case was closed before this was asked for.
        """
        goal = await self._goal(kind, case_id, wanted)
        try:
            now = await self.cases.now(kind, case_id)
        except CaseClosed:
            return goal
        left = goal - now
        return await self.cases.advance(kind, case_id, left) if left > _NOTHING else now

    async def _goal(self, kind: CaseKind, case_id: str, wanted: Advance) -> datetime:
        known = await self.reports.known_report(wanted.store_id, _WHAT, wanted.advance_id)
        if known is None:
            goal = await self.cases.now(kind, case_id) + wanted.by
            told = FirstReport(goal, wanted.asked_by)
            known = await self.reports.first_report(wanted.store_id, _WHAT, wanted.advance_id, told)
        return known.at
