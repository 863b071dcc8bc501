"""The worker as a process: workflows, activities, and the relay of facts."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import grpc
import structlog
import uvloop
from temporalio.client import Client

from services.clients.casework import CaseworkClient
from services.clients.events import EventClient
from services.clients.notification import NotificationClient
from services.clients.order import OrderClient
from services.clients.payment import PaymentClient
from services.clients.store_credit import StoreCreditClient
from services.clients.warehouse import WarehouseClient
from services.platform.grpc_channel import open_channel
from services.platform.logging import configure
from services.platform.secrets import load_secrets
from services.platform.settings import ServiceSettings
from workflows.activities.lapsing import LapsingActivities
from workflows.activities.mending import MendingActivities
from workflows.activities.sweeping import SweepActivities
from workflows.hosting import World, case_worker
from workflows.relay import Relay
from workflows.starter import Cases
from workflows.sweeps.directory import TemporalDirectory
from workflows.sweeps.schedules import ensure_schedules
from workflows.temporal.client import connect

log = structlog.get_logger()

_RECONNECT_SECONDS: Final = 1.0
_SERVICES: Final = ("order", "warehouse", "payment", "notification", "casework")
# Services that learn facts from outside.
_LEARNERS: Final = ("warehouse", "payment", "notification")


async def _connected(settings: ServiceSettings) -> Client:
    """Connect, for as long as it takes: Temporal may start after its workers."""
    secrets = load_secrets(settings.secrets_file)
    while True:
        try:
            return await connect(settings.temporal_address, secrets)
        except RuntimeError as error:
            log.warning("temporal.unreachable", error=str(error))
            await asyncio.sleep(_RECONNECT_SECONDS)


def _say_ready() -> None:
    """Touch the file that whoever started this process waits for."""
    if ready_file := os.environ.get("RECOURSE_READY_FILE"):
        Path(ready_file).touch()


def _clients(stack: AsyncExitStack, settings: ServiceSettings) -> dict[str, grpc.aio.Channel]:
    """Open a channel to each service, for as long as ``stack`` stays; they connect at first use."""
    channels = {name: open_channel(getattr(settings, f"{name}_address")) for name in _SERVICES}
    for channel in channels.values():
        stack.push_async_callback(channel.close)
    return channels


async def work(settings: ServiceSettings) -> None:
    """Run cases and relay facts until cancelled."""
    client = await _connected(settings)
    async with AsyncExitStack() as stack:
        channels = _clients(stack, settings)
        orders, payments = OrderClient(channels["order"]), PaymentClient(channels["payment"])
        casework = CaseworkClient(channels["casework"])
        world = World(
            orders=orders,
            claims=orders,
            contacts=orders,
            policies=casework,
            balances=payments,
            refunds=payments,
            warehouse=WarehouseClient(channels["warehouse"]),
            register=casework,
            messages=NotificationClient(channels["notification"]),
            sweeping=SweepActivities(TemporalDirectory(client), casework),
            mending=MendingActivities(payments, casework),
            lapsing=LapsingActivities(StoreCreditClient(channels["payment"])),
        )
        facts = {name: EventClient(channels[name]) for name in _LEARNERS}
        await stack.enter_async_context(case_worker(client, world))
        await ensure_schedules(client)
        _say_ready()
        log.info("worker.started", temporal=settings.temporal_address)
        await Relay(facts, Cases(client), casework).run()


async def main(settings: ServiceSettings) -> None:
    """Work until told to stop; what ends the work otherwise ends the process."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    working, stopping = asyncio.create_task(work(settings)), asyncio.create_task(stopped.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


if __name__ == "__main__":
    _settings = ServiceSettings()
    configure(_settings.log_format, "worker")
    uvloop.run(main(_settings))
