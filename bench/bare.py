"""The bare workflow: a return's shape and nothing else, every activity one SQL statement.

It takes the same update, signals, regular and local activities and timers as a happy return (see the recorded
command order in ``tests/workflows/histories``), with nothing published, decided, held or paid. Run as a
process it is its worker.
"""

import argparse
import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import asyncpg
    import uvloop

    from services.platform.secrets import load_secrets
    from services.platform.settings import ServiceSettings
    from workflows.hosting import sandbox
    from workflows.options import MOVE_MONEY
    from workflows.temporal.client import connect

TASK_QUEUE: Final = "bench-bare"
CREATE: Final = "CREATE TABLE IF NOT EXISTS bare (id text, step integer)"
INSERT: Final = "INSERT INTO bare (id, step) VALUES ($1, $2)"
NOTIFY: Final = "SELECT pg_notify('bare', $1)"
PHASE: Final = SearchAttributeKey.for_keyword("CasePhase")
_LOCAL: Final = workflow.LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=5), retry_policy=RetryPolicy(maximum_attempts=3)
)


@dataclass
class BareActivities:
    pool: "asyncpg.Pool[asyncpg.Record]"

    @activity.defn
    async def one_statement(self, case_id: str) -> None:
        await self.pool.execute(INSERT, case_id, 1)

    @activity.defn
    async def say(self, what: str) -> None:
        await self.pool.execute(NOTIFY, what)


@workflow.defn
class BareReturn:
    """Three local activities, an effect, a timer; two more and the answer; and so on to the end."""

    @workflow.init
    def __init__(self, case_id: str) -> None:
        self._case_id = case_id
        self._is_open = False
        self._signals: list[str] = []
        self._timers: list[asyncio.Task[None]] = []

    @workflow.run
    async def run(self, case_id: str) -> None:
        await self._locally(2)
        self._enter("awaiting_parcel")
        effect = asyncio.create_task(self._effect())
        await self._locally(1)
        self._wait(timedelta(days=11))
        await effect
        await self._locally(2)
        self._is_open = True
        await workflow.wait_condition(lambda: len(self._signals) >= 1)
        self._enter("inspecting")
        await self._say("received")
        self._wait(timedelta(days=2))
        await workflow.wait_condition(lambda: len(self._signals) >= 2)  # noqa: PLR2004 — the second
        await self._locally(2)
        await self._effect()
        await self._locally(3)
        self._enter("refunded")
        await self._say("refunded")
        self._wait(timedelta(days=3))
        await workflow.wait_condition(lambda: len(self._signals) >= 3)  # noqa: PLR2004 — the end

    async def _locally(self, times: int) -> None:
        for _ in range(times):
            await workflow.execute_local_activity_method(
                BareActivities.one_statement, self._case_id, **_LOCAL
            )

    async def _say(self, what: str) -> None:
        await workflow.execute_local_activity_method(BareActivities.say, f"{self._case_id} {what}", **_LOCAL)

    async def _effect(self) -> None:
        await workflow.execute_activity_method(BareActivities.one_statement, self._case_id, **MOVE_MONEY)

    def _enter(self, phase: str) -> None:
        workflow.upsert_search_attributes([PHASE.value_set(phase)])

    def _wait(self, period: timedelta) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = [asyncio.create_task(workflow.sleep(period))]

    @workflow.signal
    def learn(self, fact: str) -> None:
        self._signals.append(fact)

    @workflow.update
    async def open(self) -> None:
        await workflow.wait_condition(lambda: self._is_open)


async def _work(settings: ServiceSettings) -> None:
    client = await connect(settings.temporal_address, load_secrets(settings.secrets_file))
    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=10) as pool:
        await pool.execute(CREATE)
        acts = BareActivities(pool)
        async with Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[BareReturn],
            activities=[acts.one_statement, acts.say],
            workflow_runner=sandbox(),
            max_concurrent_activities=100,
            max_concurrent_local_activities=100,
        ):
            await asyncio.Event().wait()


def main() -> None:
    """Work until ended."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    uvloop.run(_work(ServiceSettings()))


if __name__ == "__main__":
    main()
