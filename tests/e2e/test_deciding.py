"""Who decides, what silence means, and how a return ends when nothing comes."""

import pytest

from tests.e2e.conftest import SellTo
from tests.e2e.outside import until

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]

TOO_LATE = 60


async def test_a_refusal_stands_as_a_case_and_a_supervisor_takes_it_back(a_purchase: SellTo):
    """Denied is 201 with the rule; escalated and overturned, the return goes on to the money."""
    purchase = await a_purchase(placed_days_ago=TOO_LATE).arrive()
    back = await purchase.give_back(2)
    verdicts = {rule["rule"]: rule["verdict"] for rule in back.opened["decision"]["rules"]}
    assert (back.opened["decision"]["verdict"], verdicts["return_window"]) == ("deny", "fail")
    assert (back.opened["phase"], back.opened["return"]) == ("refused", None)

    await back.act("escalate", {"reason": "I was in hospital"})
    await back.outside.complete(back.case_id, "review_escalation", "overturn", "supervisor")
    await back.until_case(lambda case: case["return"] is not None)
    await back.come_back()
    case = await back.until("refunded")

    assert (case["decision"]["verdict"], case["decision"]["decided_by"]) == ("allow", "supervisor-1")
    assert case["owner"] == "supervisor-1"
    assert await back.moved() == [(510, "succeeded")]


async def test_a_refusal_that_nobody_escalates_is_final_after_a_week(a_purchase: SellTo):
    """It claims nothing meanwhile, and the customer hears of it once."""
    purchase = await a_purchase(placed_days_ago=TOO_LATE).arrive()
    back = await purchase.give_back(2)
    assert back.opened["waiting_on"]["then"] == "close_denied"

    case = await back.advance(days=7, minutes=1)

    assert (case["status"], case["outcome"]) == ("closed", "denied")
    (line,) = (await back.outside.get(f"/v1/orders/{purchase.order_id}"))["lines"]
    assert (line["in_case"], line["remaining"]) == (0, 6)
    assert await back.moved() == []


async def test_an_agent_approves_a_return_in_review(a_purchase: SellTo):
    """The task names the question and its answers; who answers first owns the case."""
    purchase = await a_purchase().arrive()
    back = await purchase.give_back(2, "other")
    assert (back.opened["phase"], back.opened["owner"]) == ("merchant_review", None)
    assert back.opened["waiting_on"]["party"] == "merchant"

    done = await back.outside.complete(back.case_id, "review_return", "approve", "agent")

    assert (done["state"], done["case"]["owner"]) == ("completed", "agent-1")
    case = await back.until_case(lambda case: case["return"] is not None)
    assert (case["phase"], case["decision"]["decided_by"]) == ("awaiting_parcel", "agent-1")


async def test_a_second_answer_to_a_task_is_refused(a_purchase: SellTo):
    """Of two answers exactly one is taken; the other is told so."""
    back = await (await a_purchase().arrive()).give_back(2, "other")
    tasks = lambda: back.outside.tasks(back.case_id, "review_return", "agent")  # noqa: E731
    (task,) = await until(tasks, lambda found: len(found) == 1)
    path = f"/v1/tasks/{task['task_id']}/complete"
    await back.outside.post(path, {"outcome": "refuse"}, role="agent")

    second = await back.outside.call("POST", path, {"outcome": "approve"}, role="supervisor")

    assert (second.status_code, second.json()["code"]) == (409, "task_already_completed")
    assert (await back.until("refused"))["decision"]["verdict"] == "deny"


async def test_silence_agrees_where_there_is_a_right(a_purchase: SellTo):
    """Inside the window the merchant has 48 hours; then the return is approved by the timer."""
    back = await (await a_purchase().arrive()).give_back(2, "other")

    await back.advance(hours=48, minutes=1)

    case = await back.until("awaiting_parcel")
    assert case["decision"]["decided_by"] == "timer:merchant_answer"


async def test_a_withdrawn_return_gives_its_units_back(a_purchase: SellTo):
    """The case closes, the dock expects nothing, the label is void, and the units may be asked back again."""
    purchase = await a_purchase().arrive()
    back = await purchase.give_back(6)

    case = await back.act("withdraw", {"reason": "I keep them"})

    closed = await back.until("withdrawn")
    assert (case["case_id"], closed["outcome"]) == (back.case_id, "withdrawn")
    await until(
        lambda: back.outside.http.get(closed["return"]["label_url"]), lambda label: label.status_code == 410
    )
    again = await purchase.ask_back(6, key="once-more")
    assert again.status_code == 201, again.text
    assert len(await until(lambda: back.mail(back.case_id), lambda found: len(found) == 2)) == 2


async def test_a_parcel_that_never_comes_ends_the_return(a_purchase: SellTo):
    """Reminded once, then closed as unreturned; the units are free again and no money has moved."""
    purchase = await a_purchase().arrive()
    back = await purchase.give_back(2)
    assert back.opened["waiting_on"]["then"] == "close_unreturned"

    case = await back.advance(days=14, minutes=1)

    assert (case["status"], case["outcome"]) == ("closed", "expired")
    (line,) = (await back.outside.get(f"/v1/orders/{purchase.order_id}"))["lines"]
    assert (line["in_case"], line["remaining"]) == (0, 6)
    assert await back.moved() == []


async def test_goods_that_come_after_the_end_reopen_the_return(a_purchase: SellTo):
    """A late parcel is still somebody's goods: received, judged and paid."""
    back = await (await a_purchase().arrive()).give_back(2)
    assert (await back.advance(days=14, minutes=1))["outcome"] == "expired"

    await back.receive(2)
    await back.until("inspecting")
    await back.inspect(accepted=2)
    case = await back.until("refunded")

    assert (case["status"], case["outcome"]) == ("closed", "refunded")
    assert await back.moved() == [(510, "succeeded")]
    assert (await back.stock())["on_hand"] == 2


async def test_an_unhappy_customer_goes_back_to_a_person(a_purchase: SellTo):
    """Three days after the end the customer is asked once; a low score becomes an agent's task."""
    back = await (await a_purchase().arrive()).give_back(2)
    await back.come_back()
    await back.until("refunded")

    asked = await back.advance(days=3, minutes=1)
    assert (asked["waiting_on"]["party"], asked["waiting_on"]["action"]) == ("customer", "rate")
    await back.act("confirm", {"ok": False, "score": 1, "comment": "slow"})

    (task,) = await until(
        lambda: back.outside.tasks(back.case_id, "low_score", "agent"), lambda found: len(found) == 1
    )
    assert task["queue"] == "agent"
