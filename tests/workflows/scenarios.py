"""Returns worth recording: what each does is a history that every later version of the code must replay.

``python -m tests.workflows.scenarios`` records them anew, after a change of command order that was meant (and
that running cases survive: see the runbook on deploying workflows).
"""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from temporalio.client import Client, WorkflowHistory

from services.domain.case import Reason
from services.domain.logistics import ParcelStatus
from tests.fixtures.temporal import CUSTOMER, SUPERVISOR, Stage, a_secrets, serving
from workflows.hosting import case_worker
from workflows.messages import Choose, Escalate, Pause, Withdraw
from workflows.temporal.client import connect

HISTORIES = Path(__file__).parent / "histories"
Scenario = Callable[[Stage], Awaitable[None]]


async def opened(stage: Stage) -> None:
    await stage.sell()
    await stage.open()


async def received(stage: Stage) -> None:
    await opened(stage)
    await stage.receive(2)
    await stage.until("inspecting")


async def refunded(stage: Stage) -> None:
    await received(stage)
    await stage.inspect(accepted=2)
    await stage.until("refunded")


async def two_parcels(stage: Stage) -> None:
    await stage.sell()
    await stage.open(quantity=3)
    await stage.receive(2)
    await stage.until("inspecting")
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].lines[0].refunded == 2)
    await stage.until("awaiting_parcel")
    await stage.receive(1)
    await stage.until("inspecting")
    await stage.inspect(accepted=1)
    await stage.until("refunded")


async def rated(stage: Stage) -> None:
    await refunded(stage)
    await stage.advance(days=3, minutes=1)
    await stage.advance(days=7, minutes=1)


async def expired(stage: Stage) -> None:
    await opened(stage)
    await stage.advance(days=14, minutes=1)
    await stage.until("expired")


async def late_after_expiry(stage: Stage) -> None:
    await expired(stage)
    await stage.receive(2)
    await stage.until("inspecting")
    await stage.inspect(accepted=2)
    await stage.until("refunded")


async def denied(stage: Stage) -> None:
    await stage.sell(delivered_days_ago=15)
    await stage.open()
    await stage.advance(days=7, minutes=1)
    await stage.until("denied")


async def overturned(stage: Stage) -> None:
    await stage.sell(delivered_days_ago=15)
    await stage.open()
    await stage.command("escalate", Escalate(CUSTOMER, "in hospital"))
    await stage.complete("review_escalation", "overturn", SUPERVISOR)
    await stage.until("awaiting_parcel")
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].return_ is not None)
    await stage.until_true(lambda: "return_approved" in stage.told())


async def withdrawn_under_review(stage: Stage) -> None:
    await stage.sell()
    await stage.open(reason=Reason.OTHER)
    await stage.command("withdraw", Withdraw(CUSTOMER, "no"))


async def rejected(stage: Stage) -> None:
    await received(stage)
    await stage.inspect(accepted=1, rejected=1)
    await stage.until("inspection_rejected")
    await stage.command("choose", Choose(CUSTOMER, "send_back"))


async def deemed(stage: Stage) -> None:
    await opened(stage)
    await stage.track(ParcelStatus.IN_TRANSIT)
    await stage.until("in_transit")
    await stage.track(ParcelStatus.DELIVERED)
    await stage.until("awaiting_receipt")
    await stage.advance(days=10, minutes=1)
    await stage.until("refunded")


async def pending(stage: Stage) -> None:
    await stage.sell()
    stage.world.payments.behave("pay_536365", "card_refund_pending")
    await stage.open()
    await stage.receive(2)
    await stage.until("inspecting")
    await stage.inspect(accepted=2)
    await stage.until_true(lambda: stage.world.register.cases[stage.case_id].refunds != ())


async def settled_after_polls(stage: Stage) -> None:
    await pending(stage)
    await stage.advance(minutes=1, seconds=5)
    await stage.advance(minutes=5)
    await stage.until("refunded")


async def paused_and_resumed(stage: Stage) -> None:
    await opened(stage)
    await stage.command("pause", Pause(SUPERVISOR, "in hospital"))
    await stage.advance(days=5)
    await stage.command("resume", Pause(SUPERVISOR, "back"))


# Some end, some are in the middle of it: a deploy meets both.
SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        opened,
        received,
        refunded,
        two_parcels,
        rated,
        expired,
        late_after_expiry,
        denied,
        overturned,
        withdrawn_under_review,
        rejected,
        deemed,
        pending,
        settled_after_polls,
        paused_and_resumed,
    )
}


async def history_of(stage: Stage) -> WorkflowHistory:
    """Return what the stage's case has done so far, once it rests."""
    await stage.now()
    return await stage.client.get_workflow_handle(f"{stage.kind}/{stage.case_id}").fetch_history()


def fingerprint(history: WorkflowHistory) -> list[str]:
    """Return the commands of a history in their order, without times and payloads."""
    commands = []
    for event in history.events:
        kind = str(event.WhichOneof("attributes")).removesuffix("_event_attributes")
        if kind == "activity_task_scheduled":
            commands.append(event.activity_task_scheduled_event_attributes.activity_type.name)
        elif kind == "marker_recorded":
            commands.append(event.marker_recorded_event_attributes.marker_name)
        elif kind in {"timer_started", "timer_canceled", "upsert_workflow_search_attributes"}:
            commands.append(kind)
    return commands


async def _record(client: Client) -> None:
    fingerprints = {}
    for name, scenario in SCENARIOS.items():
        stage = Stage(client)
        async with case_worker(client, stage.outside(), task_queue=stage.task_queue):
            await scenario(stage)
            history = await history_of(stage)
        (HISTORIES / f"{name}.json").write_text(history.to_json())
        fingerprints[name] = fingerprint(history)
    (HISTORIES / "fingerprints.json").write_text(json.dumps(fingerprints, indent=1) + "\n")


async def main() -> None:
    """Record every scenario on a server of its own."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        await _record(await connect(server.address, a_secrets()))


if __name__ == "__main__":
    asyncio.run(main())
