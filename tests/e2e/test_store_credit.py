"""Store credit from outside: what came back becomes it, pays for the next order, and comes back again."""

import pytest

from tests.e2e.conftest import SellTo
from tests.e2e.outside import Outside, until
from tests.e2e.purchases import Purchase, Return, Tender

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]


async def left(outside: Outside, purchase: Purchase) -> int:
    """Return what the purchase's customer may spend, in minor units, as the customer sees it."""
    path = f"/v1/customers/{purchase.customer_id}/store-credit"
    answer = await outside.call("GET", path, token=outside.customer_token(purchase.customer_id))
    assert answer.is_success, answer.text
    return sum(one["balance"]["amount"] for one in answer.json()["balances"])


async def came_back(purchase: Purchase, refund_to: str) -> Return:
    """Give two lanterns back, to the end."""
    back = await (await purchase.give_back(2, refund_to=refund_to)).come_back(2)
    await back.until("refunded")
    return back


async def test_a_return_becomes_credit_and_is_spent(outside: Outside, a_purchase: SellTo):
    """Nothing moves at the card's provider; the customer is told what is true, and buys with it."""
    first = await a_purchase().arrive()
    back = await came_back(first, "store_credit")

    (refund,) = (await back.now())["refunds"]
    assert (refund["amount"]["amount"], refund["destination"]) == (510, "store_credit")
    assert (await left(outside, first), await back.moved()) == (510, [])
    assert len(await until(lambda: back.mail("store credit"), lambda found: len(found) == 1)) == 1

    tenders = (Tender("card", 1020), Tender("store_credit", 510, "store_credit"))
    second = await a_purchase(customer=first.customer_id, tenders=tenders).arrive()
    assert await left(outside, first) == 0
    again = await came_back(second, "original")

    # What was paid in credit goes back first, as it was paid.
    assert (await again.now())["quote"]["to"] == [
        {"payment_id": second.payment_id(2), "amount": 510, "destination": "original"}
    ]
    assert (await left(outside, first), await again.moved(1)) == (510, [])
