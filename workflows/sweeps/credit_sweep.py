"""The lapsing of store credit, as a workflow that a Schedule starts."""

from temporalio import workflow

from workflows.activities.lapsing import LapseCredit, LapsingActivities
from workflows.options import MEND


@workflow.defn(name="CreditSweep")
class CreditSweep:
    """Lets lapse what is due by now, also what an hour that was missed left; its result is how many lots."""

    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity_method(
            LapsingActivities.lapse_credit, LapseCredit(workflow.now()), **MEND
        )
