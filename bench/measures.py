"""Measuring: throughput in alternating batches, SQL statements from the server's log, history, memory."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import asyncpg
import psutil
from temporalio.client import Client

IN_FLIGHT: Final = 32
_LOGGED_WITHIN: Final = 0.5
_MIB: Final = 1024 * 1024


class Subject(Protocol):
    """Something that can be done many times at once."""

    async def prepare(self, numbers: Sequence[int]) -> None: ...
    async def one(self, number: int) -> None: ...
    async def check(self, numbers: Sequence[int]) -> None: ...


async def seconds_for(subject: Subject, numbers: Sequence[int]) -> float:
    """Do one for each number, ``IN_FLIGHT`` at a time; return the wall time."""
    await subject.prepare(numbers)
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> None:
        async with slots:
            await subject.one(number)

    started = time.perf_counter()
    await asyncio.gather(*(one(number) for number in numbers))
    seconds = time.perf_counter() - started
    await subject.check(numbers)
    return seconds


@dataclass(frozen=True, slots=True)
class Throughput:
    """Per second, over all batches of each; ``ratio`` is the first to the second."""

    first: float
    second: float

    @property
    def ratio(self) -> float:
        return self.first / self.second


async def compare(first: Subject, second: Subject, batch: int, rounds: int) -> Throughput:
    """Run both in turn, so that whatever else the machine does falls on both."""
    for warm in (first, second):
        await seconds_for(warm, range(IN_FLIGHT))
    spent = {0: 0.0, 1: 0.0}
    for turn in range(rounds):
        start = IN_FLIGHT + turn * batch
        for index, subject in enumerate((first, second)):
            spent[index] += await seconds_for(subject, range(start, start + batch))
    return Throughput(rounds * batch / spent[0], rounds * batch / spent[1])


async def statements_of(subject: Subject, database_url: str, log: Path, numbers: Sequence[int]) -> float:
    """Return how many SQL statements one takes, transaction control and polling included.

    PostgreSQL logs every statement meanwhile, whoever sends it.
    """
    await subject.prepare(numbers)
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(_LOGGED_WITHIN)
        before = (await asyncio.to_thread(log.stat)).st_size
        for number in numbers:
            await subject.one(number)
        await asyncio.sleep(_LOGGED_WITHIN)
        text = (await asyncio.to_thread(log.read_bytes))[before:].decode(errors="replace")
        await connection.execute("ALTER SYSTEM RESET log_statement")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
    lines = [line for line in text.splitlines() if "LOG:  execute " in line or "LOG:  statement: " in line]
    return len(lines) / len(numbers)


@dataclass(frozen=True, slots=True)
class HistorySize:
    events: int
    size_bytes: int


async def history_of(client: Client, workflow_id: str) -> HistorySize:
    """Return what a case has left in Temporal."""
    described = await client.get_workflow_handle(workflow_id).describe()
    info = described.raw_description.workflow_execution_info
    return HistorySize(info.history_length, info.history_size_bytes)


def memory_of(pids: dict[str, int]) -> dict[str, float]:
    """Return each process's proportional share of memory with its children's, in MiB."""
    shares = {}
    for name, pid in pids.items():
        family = psutil.Process(pid)
        members = (family, *family.children(recursive=True))
        shares[name] = sum(one.memory_full_info().pss for one in members) / _MIB
    return shares


def quantile(seconds: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of ``seconds`` do not exceed, in milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000
