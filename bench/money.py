"""The payment service measured: its speed beside its own SQL, and many refunds of few payments at once.

It runs as a process of its own over a PostgreSQL server of its own, which forgets nothing (fsync on).
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop

from bench.measures import compare, seconds_for
from bench.refunds import STORE, Purchases, Raw, Served
from deploy.local.children import spawn
from deploy.local.ports import keep
from deploy.local.postgres import Place
from services.clients.payment import PaymentClient
from services.domain.accounts import LedgerClock
from services.domain.errors import DependencyUnavailable
from services.platform.database import database_dsn, database_name
from services.platform.grpc_channel import check_health, open_channel

BATCH: Final = 500
ROUNDS: Final = 4
HOT: Final = 10_000
# Of 400 pence asked of each order, 150 may go back to each of its two payments, and 250 of its line.
HOT_CAPTURED, HOT_CAP, HOT_PAID = 150, 250, 25 * 250
_START_SECONDS: Final = 60.0
_APART: Final = 10_000_000


def measure_refunds(folder: Path) -> dict[str, Any]:
    """Measure on a server and a service that are started for it, and end with it."""
    with _postgres(folder) as url:
        return uvloop.run(_measure(folder, url))


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    folder.mkdir()
    folder.chmod(0o755)
    place = Place.for_state(folder)
    place.prepare()
    server = spawn(place.command(), folder / "postgres.log", user=place.user, cwd="/")
    try:
        place.wait_until_accepting()
        yield place.url
    finally:
        server.terminate()
        server.wait(30)
        place.forget()


@asynccontextmanager
async def _service(folder: Path, url: str) -> AsyncIterator[PaymentClient]:
    with keep() as held:
        address = f"127.0.0.1:{held.getsockname()[1]}"
        env = {**os.environ, "RECOURSE_DATABASE_URL": url, "RECOURSE_PAYMENT_ADDRESS": address}
        process = spawn([sys.executable, "-m", "bench.instant"], folder / "payment.log", env)
        channel = open_channel(address)
        try:
            await _healthy(channel)
            yield PaymentClient(channel)
        finally:
            await channel.close()
            process.terminate()
            await asyncio.to_thread(process.wait, 30)


async def _healthy(channel: Any) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while True:
        try:
            await check_health(channel, seconds=1)
        except DependencyUnavailable:
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def _measure(folder: Path, url: str) -> dict[str, Any]:
    dsn = database_dsn(url, database_name("payment"))
    async with _service(folder, url) as payments:
        results = await _beside_raw(payments, dsn)
        results |= await _hot(payments)
    # Once those who wrote have gone, the server's own counts are complete.
    connection = await asyncpg.connect(dsn)
    deadlocks = await connection.fetchval(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    await connection.close()
    if deadlocks:
        raise RuntimeError(f"{deadlocks} deadlocks")
    return {**results, "hot_deadlocks": deadlocks}


async def _beside_raw(payments: PaymentClient, dsn: str) -> dict[str, Any]:
    served = Served(payments, Purchases("served", captured=_APART, cap=_APART))
    raws = Served(payments, Purchases("raw", captured=_APART, cap=_APART))
    for seller in (served, raws):
        await seller.sell()
    raw = await Raw.over(dsn, raws.purchases, _APART)
    try:
        throughput = await compare(served, raw, BATCH, ROUNDS)
    finally:
        await raw.pool.close()
    return {
        "refunds_per_second": round(throughput.first, 1),
        "raw_transactions_per_second": round(throughput.second, 1),
        "refund_ratio": round(throughput.ratio, 3),
        "statements_per_refund": len(raw.statements),
    }


async def _hot(payments: PaymentClient) -> dict[str, Any]:
    """Ask for far more than fifty payments have, 32 at a time: what may go back does, to the penny.

    Raises:
        RuntimeError: If it does not, or the books do not add up.
    """
    served = Served(payments, Purchases("hot", captured=HOT_CAPTURED, cap=HOT_CAP))
    await served.sell()
    seconds = await seconds_for(served, range(HOT))
    if (served.paid, served.refused) != (HOT_PAID, HOT - HOT_PAID):
        raise RuntimeError(f"{served.paid} of {HOT} were paid, not {HOT_PAID}")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    rows = await payments.trial_balance(STORE, tomorrow, LedgerClock.POSTED)
    if sum(row.debit.minor_units - row.credit.minor_units for row in rows):
        raise RuntimeError("the trial balance is not zero")
    return {
        "hot_refunds_asked": HOT,
        "hot_refunds_per_second": round(HOT / seconds, 1),
        "hot_refunds_refused": served.refused,
    }
