"""When the sweeps run: Temporal's own Schedules, made by whichever worker starts first."""

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
)

from workflows.names import TASK_QUEUE
from workflows.sweeps.payment_sweep import PaymentSweep
from workflows.sweeps.register_sweep import RegisterSweep


async def ensure_schedules(client: Client) -> None:
    """Make the schedules unless they are there; a sweep that was missed is not made up for."""
    register = ScheduleActionStartWorkflow(RegisterSweep.run, id="sweep/register", task_queue=TASK_QUEUE)
    await _ensure(client, "sweep-register", register, timedelta(minutes=10))
    payments = ScheduleActionStartWorkflow(PaymentSweep.run, id="sweep/payments", task_queue=TASK_QUEUE)
    await _ensure(client, "sweep-payments", payments, timedelta(hours=1))


async def _ensure(client: Client, name: str, action: ScheduleActionStartWorkflow, every: timedelta) -> None:
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        return
