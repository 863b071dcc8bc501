"""After all other tests: the stack is stopped and started, and the books of all that was played are read."""

import pytest

from deploy.local.processes import Manner
from deploy.local.stack import Stack
from tests.e2e.conftest import SellTo
from tests.e2e.outside import Outside, until

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]

# No test here disputes a payment, or has an invoice issued.
_OF_WHAT_NOBODY_DID = {
    "ledger_matches_disputes",
    "disputes_after_refunds",
    "provider_agrees_on_disputes",
    "credits_within_invoices",
    "document_series_without_gaps",
    "refunds_have_their_notes",
}


async def test_cases_survive_the_end_of_everything(stack: Stack, a_purchase: SellTo):
    """Stopped and started again on the same addresses: an open case goes on, a closed one is known."""
    going, done = [await (await a_purchase().arrive()).give_back(2) for _ in range(2)]
    await done.act("withdraw", {"reason": "no more"})
    await done.until("withdrawn")
    before = stack.facts()

    stack.stop()
    after = stack.start(Manner(hasty=True), with_parent=True)

    assert (after.gateway, after.temporal, after.sandbox) == (before.gateway, before.temporal, before.sandbox)
    assert after.tokens["store"] == before.tokens["store"]
    assert (await done.now())["outcome"] == "withdrawn"
    assert (await going.now())["waiting_on"] == going.opened["waiting_on"]
    await going.come_back()
    await going.until("refunded")
    assert await going.moved() == [(510, "succeeded")]


async def test_all_books_agree_after_everything(outside: Outside):
    """Whatever the tests before have done: every invariant holds over all of it."""
    checked = await outside.get("/v1/reconciliation", "finance")

    broken = await until(outside.invariants, lambda violations: not any(violations.values()))

    unseen = {each["name"] for each in checked["invariants"] if not each["checked"]}
    assert unseen <= _OF_WHAT_NOBODY_DID, checked
    assert set(broken.values()) == {0}
