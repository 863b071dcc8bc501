"""When the sweeps run: Temporal's own Schedules, made, and kept as they are here, by a worker that starts."""

from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows.names import TASK_QUEUE
from workflows.sweeps.credit_sweep import CreditSweep
from workflows.sweeps.payment_sweep import PaymentSweep
from workflows.sweeps.register_sweep import RegisterSweep


async def ensure_schedules(client: Client) -> None:
    """Make the schedules, or bring those that are there to what they are here; a paused one stays paused.

    No sweep runs beside itself, and one that was missed is not made up for: the next goes on where the last
    one stopped.
    """
    register = ScheduleActionStartWorkflow(RegisterSweep.run, id="sweep/register", task_queue=TASK_QUEUE)
    await _ensure(client, "sweep-register", register, timedelta(minutes=10))
    payments = ScheduleActionStartWorkflow(PaymentSweep.run, id="sweep/payments", task_queue=TASK_QUEUE)
    await _ensure(client, "sweep-payments", payments, timedelta(hours=1))
    credit = ScheduleActionStartWorkflow(CreditSweep.run, id="sweep/credit", task_queue=TASK_QUEUE)
    await _ensure(client, "sweep-credit", credit, timedelta(hours=1))


async def _ensure(client: Client, name: str, action: ScheduleActionStartWorkflow, every: timedelta) -> None:
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(name).update(lambda known: _changed(known, schedule))


def _changed(known: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate | None:
    """Return what a schedule is to become; None while it is that already."""
    present = known.description.schedule
    if (present.spec.intervals, present.policy) == (wanted.spec.intervals, wanted.policy):
        return None
    return ScheduleUpdate(replace(wanted, state=present.state))
