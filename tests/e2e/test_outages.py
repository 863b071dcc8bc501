"""What dies comes back by itself, and what it was needed for is caught up with."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Stack
from tests.e2e.conftest import SellTo, kept_down
from tests.e2e.outside import Outside, until
from tests.e2e.purchases import Return

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]

SERVICES = ("order", "warehouse", "payment", "notification", "casework")


@pytest.fixture
async def healing(stack: Stack, outside: Outside) -> AsyncIterator[Stack]:
    """The stack, whole again before the next test."""
    yield stack
    for name in (*SERVICES, "worker", "temporal", "gateway", "sandbox", "mailbox"):
        await asyncio.to_thread(stack.wait_ready, name)
    await until(outside.readiness, lambda told: told == (200, []))


@pytest.mark.parametrize("name", [*SERVICES, "worker", "temporal", "sandbox", "mailbox", "gateway"])
async def test_a_killed_process_comes_back_by_itself(healing: Stack, a_purchase: SellTo, name: str):
    """A return that was open when it died is finished after it is back."""
    back = await (await a_purchase().arrive()).give_back(2)
    before = healing.process(name)

    await asyncio.to_thread(healing.kill, name)
    after = await asyncio.to_thread(healing.wait_ready, name)

    assert (after.pid != before.pid, after.restarts) == (True, before.restarts + 1)
    await until(back.outside.readiness, lambda told: told == (200, []))
    await back.come_back()
    await back.until("refunded")
    assert await back.moved() == [(510, "succeeded")]


@pytest.mark.parametrize("name", [*SERVICES, "temporal"])
async def test_the_gateway_names_what_is_down(healing: Stack, outside: Outside, name: str):
    """Not ready, and why; alive all the same; ready again by itself."""
    with kept_down(healing, name):
        await until(outside.readiness, lambda told: told == (503, [name]))
        alive = await outside.http.get("/livez")

    assert alive.status_code == 200
    assert await until(outside.readiness, lambda told: told[0] == 200) == (200, [])


async def test_a_case_opens_while_the_warehouse_is_down(healing: Stack, a_purchase: SellTo):
    """It is decided and answered without a return number, which comes with the warehouse."""
    purchase = await a_purchase().arrive()

    with kept_down(healing, "warehouse"):
        answer = await purchase.ask_back(2)

    assert answer.status_code == 201, answer.text
    back = Return(purchase, answer.json())
    assert (back.opened["return"], back.opened["decision"]["verdict"]) == (None, "allow")
    case = await back.until_case(lambda case: case["return"] is not None)
    assert case["return"]["rma"] == back.rma
    await back.come_back()
    await back.until("refunded")


async def test_a_case_goes_on_while_nobody_can_be_told(healing: Stack, a_purchase: SellTo):
    """Messages hold up nothing: the money moves, and the mail follows once the service is back."""
    back = await (await a_purchase().arrive()).give_back(2)
    await until(lambda: back.mail("approved"), lambda found: len(found) == 1)

    with kept_down(healing, "notification"):
        await back.come_back()
        await back.until("refunded")

    found = await until(lambda: back.mail("refund"), lambda found: len(found) >= 1)
    assert len(found) == 1


async def test_a_request_that_needs_what_is_down_is_told_to_ask_again(healing: Stack, a_purchase: SellTo):
    """503 with Retry-After and a code, never a trace; the same request succeeds later."""
    purchase = await a_purchase().arrive()

    with kept_down(healing, "order"):
        answer = await purchase.ask_back(2, "changed_mind", "again")

    assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    await asyncio.to_thread(healing.wait_ready, "order")
    later = await until(
        lambda: purchase.ask_back(2, "changed_mind", "again"), lambda answer: answer.is_success, 30
    )
    assert later.json()["decision"]["verdict"] == "allow"
