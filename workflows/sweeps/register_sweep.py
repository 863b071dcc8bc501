"""The sweep of the register, as a workflow that a Schedule starts."""

from temporalio import workflow

from workflows.activities.sweeping import SweepActivities, SweepReport
from workflows.options import SWEEP


@workflow.defn(name="RegisterSweep")
class RegisterSweep:
    """One look over all cases; its result is the report."""

    @workflow.run
    async def run(self) -> SweepReport:
        return await workflow.execute_activity_method(SweepActivities.sweep_register, **SWEEP)
