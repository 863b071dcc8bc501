"""Store credit whose day has come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from temporalio import activity

from workflows.activities.errors import translated


@dataclass(frozen=True, slots=True)
class LapseCredit:
    """What is good until this instant or an earlier one lapses."""

    at: datetime


class Credit(Protocol):
    async def expire_credit(self, at: datetime) -> int: ...


@dataclass
class LapsingActivities:
    credit: Credit

    @activity.defn
    async def lapse_credit(self, wanted: LapseCredit) -> int:
        """Let lapse what is due, each lot once; returns how many lots had something left."""
        with translated():
            return await self.credit.expire_credit(wanted.at)
