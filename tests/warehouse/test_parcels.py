"""Scans reach the case of their parcel, in whatever order they and the parcel become known."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.clients.warehouse import WarehouseClient
from services.domain.errors import DependencyUnavailable
from services.domain.logistics import ParcelStatus, TrackingEvent
from services.warehouse.__main__ import composition
from services.warehouse.settings import WarehouseSettings
from tests.builders import NOW, STORE, an_expected_return
from tests.fixtures.services import free_port

RMA = "R7K3M9QX1"
SCAN = TrackingEvent("e1", "demo-post", "BACK1", ParcelStatus.IN_TRANSIT, NOW)


async def test_a_scan_of_a_return_reaches_its_case(expected, facts):
    """A repeat is known by the carrier's event id."""
    await expected.register(RMA, "demo-post", "BACK1")

    assert await expected.track(STORE, SCAN) == (True, True)
    assert await expected.track(STORE, SCAN) == (False, True)
    (fact,) = await facts("warehouse")
    assert (fact.case_id, fact.parcel.event) == ("RT-7K3M-9QX1", SCAN)


async def test_scans_from_before_are_told_when_the_parcel_is_known(expected, facts):
    """The carrier was faster than the customer: in the order it happened, and once."""
    delivered = replace(
        SCAN, event_id="e2", status=ParcelStatus.DELIVERED, occurred_at=NOW + timedelta(days=1)
    )
    assert await expected.track(STORE, delivered) == (True, False)
    assert await expected.track(STORE, SCAN) == (True, False)
    assert await facts("warehouse") == []

    for _ in range(2):
        await expected.register(RMA, "demo-post", "BACK1")

    told = [fact.parcel.event.status for fact in await facts("warehouse")]
    assert told == [ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED]


async def test_a_scan_from_before_the_return_is_no_scan_of_it(expected, facts):
    """What brought the goods to the customer brings nothing back, be it known before its number or after."""
    before = NOW - timedelta(seconds=1)
    delivered = replace(SCAN, event_id="kept", status=ParcelStatus.DELIVERED, occurred_at=before)
    assert await expected.track(STORE, delivered) == (True, False)
    await expected.register(RMA, "demo-post", "BACK1")

    assert await expected.track(STORE, replace(delivered, event_id="late")) == (True, False)
    assert await facts("warehouse") == []
    assert await expected.track(STORE, SCAN) == (True, True)
    assert [fact.parcel.event for fact in await facts("warehouse")] == [SCAN]


async def test_a_parcel_brings_back_one_return(expected, facts, database):
    """Whoever names the number of another return's parcel is told nothing of its scans, however old."""
    await expected.register(RMA, "demo-post", "BACK1")
    other = an_expected_return(rma="R00000000", case_id="RT-0000-0000", prepaid_label=False)
    await expected.authorize(other)
    await expected.track(STORE, SCAN)
    await (await database("warehouse")).execute("DELETE FROM outbox")  # as the janitor does, in time

    await expected.register("R00000000", "demo-post", "BACK1")

    assert await facts("warehouse") == []


async def test_no_scan_falls_between_learning_of_it_and_of_its_parcel(expected, facts):
    """However scans and the parcel's registration interleave, every scan is told exactly once."""
    scans = [replace(SCAN, event_id=f"e{number}") for number in range(20)]
    racing = [expected.track(STORE, scan) for scan in scans]
    racing.insert(10, expected.register(RMA, "demo-post", "BACK1"))

    await asyncio.gather(*racing)

    told = [fact.parcel.event.event_id for fact in await facts("warehouse")]
    assert sorted(told) == sorted(scan.event_id for scan in scans)


async def test_the_same_number_at_another_carrier_or_store_is_another_event(expected, facts):
    """Event ids are the carrier's own; another store's scans are not this store's."""
    await expected.register(RMA, "demo-post", "BACK1")

    assert await expected.track(STORE, replace(SCAN, carrier="other-post")) == (True, True)
    assert await expected.track("other", SCAN) == (True, False)
    assert len(await facts("warehouse")) == 1


async def test_a_parcel_is_found_by_its_number(expected, a_receipt):
    """The dock scans what is on the box."""
    await expected.register(RMA, "demo-post", "BACK1")
    _, of = await expected.receive(STORE, a_receipt(scan="BACK1"))

    assert of.rma == RMA
    assert (await expected.inbound(STORE, "BACK1")).received["1"] == 2


async def test_a_label_is_bought_once(warehouse, sandbox):
    """However often the return is authorised, at once or later, the carrier sold one label."""
    made = await asyncio.gather(*(warehouse.authorize(an_expected_return()) for _ in range(5)))
    await warehouse.authorize(an_expected_return())

    labels = sandbox.state.named("label", RMA)
    assert len(labels) == 1
    assert {one.label_url for one in made} == {labels[0]["label_url"]}
    assert (await sandbox.http.get(made[0].label_url)).text.startswith("SANDBOX POST")


async def test_the_labels_parcel_is_followed(warehouse, facts):
    """Nobody has to register the number that we printed ourselves."""
    made = await warehouse.authorize(an_expected_return())
    scan = replace(SCAN, carrier=made.carrier, tracking_number=made.tracking_number)

    assert await warehouse.track(STORE, scan) == (True, True)
    assert (await facts("warehouse"))[0].case_id == "RT-7K3M-9QX1"


async def test_a_carrier_that_is_down_says_so(serve, settings):
    """No label, no return: asked again later, it is authorised as if for the first time."""
    nobody = f"http://127.0.0.1:{free_port()}"
    down = WarehouseSettings(database_url=settings.database_url, sandbox_url=nobody)
    warehouse = WarehouseClient(await serve("warehouse", composition(down)))

    with pytest.raises(DependencyUnavailable):
        await warehouse.authorize(an_expected_return())
    made = await warehouse.authorize(an_expected_return(prepaid_label=False))
    assert made.label_url is None


async def test_a_carrier_that_talks_nonsense_is_as_good_as_down(serve, settings, serve_http):
    """Whatever is not a label is no label."""

    async def nonsense(scope, _receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"[1, 2]"})

    url = await serve_http(nonsense, free_port())
    odd = WarehouseSettings(database_url=settings.database_url, sandbox_url=url)
    warehouse = WarehouseClient(await serve("warehouse", composition(odd)))

    with pytest.raises(DependencyUnavailable):
        await warehouse.authorize(an_expected_return())
