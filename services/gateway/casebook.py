"""The running cases, as the gateway speaks to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol

from services.domain.case import CaseKind, CaseSnapshot
from services.domain.errors import DependencyUnavailable
from services.gateway.connecting import Lazy
from workflows.messages import OpenCase


class CaseBook(Protocol):
    """Every method raises what the case refuses, as the domain's errors."""

    async def open(self, request: OpenCase) -> CaseSnapshot:
        """Open a case, or say how it stands that was opened by the same request."""

    async def command(
        self, kind: CaseKind, case_id: str, name: str, command: object, command_id: str
    ) -> CaseSnapshot:
        """Give a running case a command, at most once per ``command_id``."""

    async def now(self, kind: CaseKind, case_id: str) -> datetime:
        """Return the time by a running case's own clock."""

    async def advance(self, kind: CaseKind, case_id: str, by: timedelta) -> datetime:
        """Move a case's own clock; returns its time thereafter."""


class DistantCases:
    """A case book whose server may be away: it is connected at first use, and every call has a deadline."""

    def __init__(self, cases: Lazy[CaseBook], seconds: float, advance_seconds: float = 60.0) -> None:
        self._cases = cases
        self._seconds = seconds
        self._advance_seconds = advance_seconds

    async def open(self, request: OpenCase) -> CaseSnapshot:
        async with self._deadline(self._seconds):
            return await (await self._cases.get()).open(request)

    async def command(
        self, kind: CaseKind, case_id: str, name: str, command: object, command_id: str
    ) -> CaseSnapshot:
        async with self._deadline(self._seconds):
            return await (await self._cases.get()).command(kind, case_id, name, command, command_id)

    async def now(self, kind: CaseKind, case_id: str) -> datetime:
        async with self._deadline(self._seconds):
            return await (await self._cases.get()).now(kind, case_id)

    async def advance(self, kind: CaseKind, case_id: str, by: timedelta) -> datetime:
        async with self._deadline(self._advance_seconds):
            return await (await self._cases.get()).advance(kind, case_id, by)

    @asynccontextmanager
    async def _deadline(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise DependencyUnavailable("the case did not answer in time") from error
