"""The sweep of payments against their providers, as a workflow that a Schedule starts."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

from workflows.activities.mending import MendingActivities, MendPayments, MendReport
from workflows.options import MEND

# Providers repeat a webhook for about this long; what is older was seen by an earlier sweep.
_WINDOW: Final = timedelta(days=3)


@workflow.defn(name="PaymentSweep")
class PaymentSweep:
    """One look over open refunds and what providers list; its result is the report."""

    @workflow.run
    async def run(self) -> MendReport:
        now = workflow.now()
        return await workflow.execute_activity_method(
            MendingActivities.mend_payments, MendPayments(now - _WINDOW, now), **MEND
        )
