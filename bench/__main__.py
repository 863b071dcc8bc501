"""``make bench``: measures on servers of its own, prints tables, writes ``bench/results``."""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import httpx2
from rich.console import Console
from rich.table import Table

from bench.measures import compare, history_of, memory_of, quantile, statements_of
from bench.money import measure_refunds
from bench.subjects import Bare, Returns
from deploy.local.children import spawn
from deploy.local.facts import StackFacts
from deploy.local.stack import Stack
from services.clients.casework import CaseworkClient
from services.clients.order import OrderClient
from services.clients.payment import PaymentClient
from services.clients.warehouse import WarehouseClient
from services.domain.ids import case_id
from services.platform.grpc_channel import open_channel
from services.platform.secrets import load_secrets
from workflows.starter import Cases
from workflows.temporal.client import connect

RESULTS: Final = Path(__file__).parent / "results"
BATCH: Final = 64
ROUNDS: Final = 3
SEQUENTIAL: Final = 10


async def measure(stack: Stack, facts: StackFacts) -> dict[str, Any]:
    """Measure everything on a running stack."""
    run = int(time.time()) % 300_000
    secrets = load_secrets(stack.places.secrets)
    ports = json.loads(stack.places.ports.read_text())
    async with AsyncExitStack() as stay:
        client = await connect(facts.temporal, secrets)
        names = ("order", "payment", "warehouse", "casework")
        channels = {name: open_channel(f"127.0.0.1:{ports[name]}") for name in names}
        for channel in channels.values():
            stay.push_async_callback(channel.close)
        returns = Returns(
            OrderClient(channels["order"]),
            PaymentClient(channels["payment"]),
            WarehouseClient(channels["warehouse"]),
            CaseworkClient(channels["casework"]),
            Cases(client),
            run,
        )
        bare = Bare(client, run)
        for subject in (returns, bare):
            stay.push_async_callback((await subject.listen(facts.database)).close)
        throughput = await compare(returns, bare, BATCH, ROUNDS)
        sequential = range(10_000, 10_000 + SEQUENTIAL)
        returns.opening_seconds.clear()
        log = Path(facts.logs) / "postgres.log"
        statements = await statements_of(returns, facts.database, log, sequential)
        last = case_id("RT", (run * 100_000 + sequential[-1]) % 32**7)
        history = await history_of(client, f"return/{last}")
        bare_history = await history_of(client, f"bare-{run}-{IN_LAST_ROUND}")
        return {
            "returns_per_second": round(throughput.first, 2),
            "bare_workflows_per_second": round(throughput.second, 2),
            "ratio": round(throughput.ratio, 3),
            "opening_p50_ms": round(quantile(returns.opening_seconds, 0.5), 1),
            "opening_p95_ms": round(quantile(returns.opening_seconds, 0.95), 1),
            "statements_per_return": round(statements, 1),
            "events_per_return": history.events,
            "bytes_per_return": history.size_bytes,
            "events_per_bare_workflow": bare_history.events,
            "memory_mib": {name: round(mib) for name, mib in memory_of(dict(facts.pids)).items()},
        }


IN_LAST_ROUND: Final = 32 + BATCH * ROUNDS - 1


def bare_worker(stack: Stack, facts: StackFacts) -> "subprocess.Popen[bytes]":
    """Start the bare workflow's worker as a process of its own, as the returns' worker is."""
    env = {
        **os.environ,
        "RECOURSE_TEMPORAL_ADDRESS": facts.temporal,
        "RECOURSE_DATABASE_URL": facts.database,
        "RECOURSE_SECRETS_FILE": str(stack.places.secrets),
    }
    return spawn([sys.executable, "-m", "bench.bare"], Path(facts.logs) / "bare.log", env)


def show(title: str, results: dict[str, Any]) -> None:
    """Print the results as a table."""
    table = Table(title=title)
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in results.items():
        if name == "memory_mib":
            table.add_row("memory together (MiB, PSS)", str(sum(value.values())))
            for process, mib in value.items():
                table.add_row(f"  {process}", str(mib))
        else:
            table.add_row(name.replace("_", " "), str(value))
    Console().print(table)


def measure_returns(folder: Path) -> dict[str, Any]:
    """Measure returns on a whole stack, which is started for it and ends with it."""
    stack = Stack.at(folder)
    facts = stack.start(with_parent=True, say=print)
    worker = bare_worker(stack, facts)
    try:
        httpx2.get(f"{facts.gateway}/readyz", timeout=10).raise_for_status()
        return asyncio.run(measure(stack, facts))
    finally:
        worker.terminate()
        worker.wait(10)
        stack.stop()


# What is measured: its name, what its table is called, and how.
MEASURES: Final = (
    ("returns", "a return beside a bare workflow of its shape, 32 in flight", measure_returns),
    ("refunds", "a refund over gRPC beside its own SQL, 32 in flight", measure_refunds),
)


def main() -> int:
    """Measure, print, write; a part that is measured alone leaves the others' last results as they are."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=[name for name, _, _ in MEASURES])
    only = parser.parse_args().only
    latest = RESULTS / "latest.json"
    document = json.loads(latest.read_text()) if latest.exists() else {}
    with tempfile.TemporaryDirectory(prefix="recourse-bench-", dir="/var/tmp") as folder:
        for name, title, how in MEASURES:
            if only in {None, name}:
                results = how(Path(folder) / name)
                show(title, results)
                document[name] = {**_when_and_where(), **results}
    RESULTS.mkdir(exist_ok=True)
    latest.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _when_and_where() -> dict[str, Any]:
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    return {"measured_on": time.strftime("%Y-%m-%d"), "machine": machine}


if __name__ == "__main__":
    sys.exit(main())
