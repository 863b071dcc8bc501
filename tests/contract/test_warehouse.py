"""Goods are expected once per RMA."""

from dataclasses import replace

import pytest

from services.domain.errors import IdempotencyConflict, ReturnNotFound
from tests.builders import NOW, an_expected_return

RMA = "R7K3M9QX1"


async def test_a_return_is_authorised_once(warehouse):
    """The same body again gives the same label and address; another body is a conflict."""
    first = await warehouse.authorize(an_expected_return())
    second = await warehouse.authorize(an_expected_return())

    assert second == first
    assert first.label_url
    assert first.ship_to
    assert first.is_open
    assert first.tracking_number
    with pytest.raises(IdempotencyConflict):
        await warehouse.authorize(an_expected_return(quantity=3))


async def test_a_label_is_bought_only_when_it_is_prepaid(warehouse):
    """Who pays freight alone gets the address, no label."""
    made = await warehouse.authorize(an_expected_return(prepaid_label=False))

    assert (made.label_url, made.tracking_number) == (None, None)
    assert made.ship_to


async def test_the_customers_own_parcel_is_linked(warehouse):
    """The last parcel told of is the one shown; saying so twice is harmless."""
    await warehouse.authorize(an_expected_return(prepaid_label=False))
    for _ in range(2):
        made = await warehouse.register(RMA, "demo-post", "BACK1")

    assert (made.carrier, made.tracking_number) == ("demo-post", "BACK1")
    with pytest.raises(ReturnNotFound):
        await warehouse.register("R00000000", "demo-post", "BACK1")


async def test_a_closed_return_stays_known(warehouse):
    """Closing twice, or what never was, is harmless; the same authorisation again does not open it."""
    made = await warehouse.authorize(an_expected_return())
    for rma in (RMA, RMA, "R00000000"):
        await warehouse.close(rma, NOW)

    assert await warehouse.authorize(an_expected_return()) == replace(made, is_open=False)
