"""The sweep of payments against their providers, as a workflow that a Schedule starts."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio import workflow

from workflows.activities.mending import BooksReport, MendingActivities, MendPayments, MendReport
from workflows.options import MEND, REVIEW

# A bank may send a refund back, and a provider's dashboard change one, for about a month.
_REACH: Final = timedelta(days=35)
# What one run looks at; the next goes on where it stopped.
_MOST_STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class PaymentReport:
    """What was repaired, and what of the books is broken thereafter."""

    mended: MendReport
    books: BooksReport


@workflow.defn(name="PaymentSweep")
class PaymentSweep:
    """One look over open refunds, what providers list, and the books; its result is the report."""

    @workflow.run
    async def run(self) -> PaymentReport:
        now = workflow.now()
        wanted, mended = MendPayments(now - _REACH, now), MendReport()
        for _ in range(_MOST_STEPS):
            mended = mended.and_then(
                await workflow.execute_activity_method(MendingActivities.mend_payments, wanted, **MEND)
            )
            if mended.is_done:
                break
        books = await workflow.execute_activity_method(MendingActivities.review_books, **REVIEW)
        return PaymentReport(mended, books)
