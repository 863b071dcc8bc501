"""A return as it should go, seen from outside."""

import pytest

from tests.e2e.conftest import SellTo

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]


async def test_a_return_from_the_sale_to_the_money(a_purchase: SellTo):
    """Two of six lanterns come back: their price moves once, they are on the shelf once, all say so."""
    purchase = await a_purchase().arrive()
    back = await purchase.give_back(2)
    assert back.opened["phase"] == "awaiting_parcel"
    assert back.opened["return"]["rma"] == back.rma

    await back.come_back()
    case = await back.until("refunded")

    assert (case["status"], case["outcome"]) == ("closed", "refunded")
    assert [refund["amount"] for refund in case["refunds"]] == [{"amount": 510, "currency": "GBP"}]
    assert await back.moved() == [(510, "succeeded")]
    assert (await back.stock())["on_hand"] == 2
