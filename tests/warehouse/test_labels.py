"""A label that nothing came under is given back when the return is closed."""

import json
from dataclasses import replace

import pytest

from services.clients.warehouse import WarehouseClient
from services.domain.errors import DependencyUnavailable
from services.warehouse.__main__ import composition
from services.warehouse.settings import WarehouseSettings
from tests.builders import NOW, STORE, an_expected_return
from tests.fixtures.services import free_port

RMA = "R7K3M9QX1"


async def test_an_unused_label_is_voided_once_the_return_is_closed(warehouse, sandbox):
    """Closing twice is closing once; the carrier prints it no more."""
    made = await warehouse.authorize(an_expected_return())
    for _ in range(2):
        await warehouse.close(RMA, NOW)

    assert [label["is_void"] for label in sandbox.state.named("label", RMA)] == [True]
    assert (await sandbox.http.get(made.label_url)).status_code == 410


async def test_a_label_that_goods_came_under_stays_paid(warehouse, sandbox, a_receipt):
    """The carrier has done its work: the return is closed, the label is not given back."""
    await warehouse.authorize(an_expected_return())
    await warehouse.receive(STORE, a_receipt())
    await warehouse.close(RMA, NOW)

    assert [label.get("is_void") for label in sandbox.state.named("label", RMA)] == [None]


async def test_closing_while_the_carrier_is_down_is_asked_for_again(serve, settings, serve_http):
    """The dock expects nothing more at once; the label is voided by the repeat."""
    asked: list[str] = []

    async def carrier(scope, _receive, send):
        """Sell labels, and be down the first time one is given back."""
        if scope["type"] != "http":
            return
        asked.append(scope["path"])
        status = 503 if asked.count("/carrier/labels/void") == 1 else 200
        label = {"label_url": "https://labels.example.com/1", "carrier": "post", "tracking_number": "P1"}
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(label).encode()})

    url = await serve_http(carrier, free_port())
    limping = WarehouseSettings(database_url=settings.database_url, sandbox_url=url)
    warehouse = WarehouseClient(await serve("warehouse", composition(limping)))
    await warehouse.authorize(an_expected_return())

    with pytest.raises(DependencyUnavailable):
        await warehouse.close(RMA, NOW)
    assert not (await warehouse.inbound(STORE, RMA)).expected.is_open
    await warehouse.close(RMA, NOW)

    assert asked == ["/carrier/labels", "/carrier/labels/void", "/carrier/labels/void"]


async def test_a_return_without_a_label_closes_without_its_carrier(serve, settings):
    """Nothing was bought, so nobody is asked."""
    nobody = f"http://127.0.0.1:{free_port()}"
    down = WarehouseSettings(database_url=settings.database_url, sandbox_url=nobody)
    warehouse = WarehouseClient(await serve("warehouse", composition(down)))
    await warehouse.authorize(replace(an_expected_return(), prepaid_label=False))

    await warehouse.close(RMA, NOW)
    assert not (await warehouse.inbound(STORE, RMA)).expected.is_open
