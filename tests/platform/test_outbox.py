"""What a service learned is handed out until it is acknowledged, to one relay at a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from recourse.events.v1 import events_pb2 as pb
from recourse.events.v1 import events_pb2_grpc
from services.domain.facts import Fact, FactKind
from services.domain.ids import EventId
from services.domain.logistics import Receipt
from services.order.__main__ import compose as compose_order
from services.platform.database import Pool, open_pool, transaction
from services.platform.grpc_channel import call
from services.platform.outbox import LeasedFact, Outbox, record
from services.platform.process import serving
from services.platform.wire import from_wire
from tests.builders import NOW, STORE
from tests.fixtures.listening import wired
from tests.fixtures.services import free_port

LEASE = timedelta(minutes=10)
AT_ONCE = timedelta(0)
PATIENCE = timedelta(minutes=1)
# Nobody looks within the time of a test: what is found was heard of.
NEVER = 3600
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


@pytest.fixture
async def dsn(fresh_database) -> str:
    return await fresh_database("order")


@pytest.fixture
async def pool(dsn) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn, "test")
    yield pool
    await pool.close()


@pytest.fixture
async def outbox(pool, dsn) -> AsyncIterator[Outbox]:
    outbox = Outbox(pool, dsn)
    yield outbox
    await outbox.close()


@pytest.fixture
async def hearing(pool, dsn) -> AsyncIterator[Outbox]:
    """An outbox that finds by itself only what it has heard of."""
    outbox = Outbox(pool, dsn, look_seconds=NEVER)
    yield outbox
    await outbox.close()


async def pulling(outbox: Outbox) -> "asyncio.Task[list[LeasedFact]]":
    """Begin to pull; it has looked in vain, and waits."""
    task = asyncio.create_task(outbox.pull(10, LEASE, timedelta(seconds=NEVER)))
    while not outbox._news._waiters:
        await asyncio.sleep(0.01)
    return task


async def came(waiting: "asyncio.Task[list[LeasedFact]]") -> list[str]:
    """Wait for what is pulled, not as long as it takes to look for it."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        return ids(await waiting)


def a_fact(number: int = 1) -> Fact:
    receipt = Receipt(f"r{number}", "SCAN", NOW, ())
    return Fact(EventId(f"event-{number}"), FactKind.GOODS_RECEIVED, NOW, STORE, receipt=receipt)


async def learn(pool: Pool, *numbers: int) -> None:
    for number in numbers:
        async with transaction(pool) as connection:
            await record(connection, a_fact(number))


def ids(leased) -> list[str]:
    return [one.fact.event_id for one in leased]


async def test_a_fact_is_stored_with_what_it_tells_of_or_not_at_all(pool, outbox):
    """The transaction that learned it was rolled back: nothing was learned."""

    async def learn_and_fail() -> None:
        async with transaction(pool) as connection:
            await record(connection, a_fact())
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await learn_and_fail()
    assert await outbox.pull(10, LEASE, AT_ONCE) == []


async def test_facts_come_oldest_first_and_once(pool, outbox):
    """The same fact learned again is the same fact."""
    await learn(pool, 2, 1, 3, 1)

    leased = await outbox.pull(10, LEASE, AT_ONCE)

    assert ids(leased) == ["event-2", "event-1", "event-3"]
    assert leased[0].fact == a_fact(2)
    assert await outbox.pull(10, LEASE, AT_ONCE) == []


async def test_relays_never_hold_the_same_fact(pool, outbox):
    """Ten relays pull twenty facts at once: each fact is with one of them."""
    await learn(pool, *range(20))

    hauls = await asyncio.gather(*(outbox.pull(3, LEASE, AT_ONCE) for _ in range(10)))

    held = [event for haul in hauls for event in ids(haul)]
    assert len(held) == len(set(held)) == 20


async def test_a_relay_that_locks_a_fact_does_not_stop_the_others(pool, outbox):
    """Somebody is about to lease the oldest: the next one is given out meanwhile."""
    await learn(pool, 1, 2)
    async with transaction(pool) as connection:
        await connection.execute("SELECT 1 FROM outbox WHERE event_id = 'event-1' FOR UPDATE")
        assert ids(await outbox.pull(10, LEASE, AT_ONCE)) == ["event-2"]


async def test_a_fact_whose_relay_died_comes_again(pool, outbox):
    """The lease runs out unacknowledged: the fact is handed out once more, and says so."""
    await learn(pool, 1)
    first = await outbox.pull(10, timedelta(milliseconds=50), AT_ONCE)
    again = await outbox.pull(10, LEASE, PATIENCE)

    assert ids(first) == ids(again) == ["event-1"]
    assert [first[0].attempts, again[0].attempts] == [1, 2]


async def test_what_is_acknowledged_never_comes_again(pool, outbox):
    """Acknowledging twice, or what nobody knows, is harmless; learning it again too."""
    await learn(pool, 1, 2)
    await outbox.pull(10, timedelta(milliseconds=1), AT_ONCE)
    for _ in range(2):
        await outbox.ack(["event-1", "event-unknown"])
    await learn(pool, 1)

    assert ids(await outbox.pull(10, LEASE, PATIENCE)) == ["event-2"]


async def test_whoever_waits_is_woken_by_news(pool, hearing):
    """A fact is there long before the next look would have found it."""
    waiting = await pulling(hearing)
    await learn(pool, 1)

    assert await came(waiting) == ["event-1"]


async def test_news_may_get_lost(pool, outbox):
    """The connection that listens is cut: the fact is found by looking."""
    waiting = await pulling(outbox)
    assert await pool.fetch(CUT)
    await learn(pool, 1)

    assert await came(waiting) == ["event-1"]


async def test_a_relay_that_leaves_while_listening_begins_deafens_no_other(pool, dsn):
    """It went away before LISTEN was answered: the next one is woken by news all the same."""
    async with wired(dsn) as wire, asyncio.timeout(60):
        wire.held = 1
        outbox = Outbox(pool, wire.dsn, look_seconds=NEVER)
        leaving = asyncio.create_task(outbox.pull(10, LEASE, PATIENCE))
        await wire.reached.wait()
        leaving.cancel()
        await asyncio.wait([leaving])
        waiting = await pulling(outbox)
        await learn(pool, 1)
        assert await came(waiting) == ["event-1"]
        await outbox.close()


async def test_a_listener_that_is_not_answered_is_given_up(pool, dsn):
    """LISTEN has a deadline: whoever waits is told that the database is away, and the next one listens."""
    async with wired(dsn) as wire, asyncio.timeout(60):
        wire.held = 1
        outbox = Outbox(pool, wire.dsn)
        with pytest.raises(TimeoutError):
            await outbox.pull(10, LEASE, AT_ONCE)
        await learn(pool, 1)
        assert ids(await outbox.pull(10, LEASE, AT_ONCE)) == ["event-1"]
        await outbox.close()


async def test_whoever_waits_listens_again_at_once(pool, hearing):
    """The connection that listens is cut: it is renewed long before the next look."""
    waiting = await pulling(hearing)
    assert await pool.fetch(CUT)
    await learn(pool, 1)

    assert await came(waiting) == ["event-1"]


async def test_a_fact_in_a_transaction_still_open_is_not_handed_out(pool, outbox):
    """And what was learned after it does not wait for it."""
    slow = await pool.acquire()
    started = slow.transaction()
    await started.start()
    await record(slow, a_fact(1))
    await learn(pool, 2)
    assert ids(await outbox.pull(10, LEASE, AT_ONCE)) == ["event-2"]
    await started.commit()
    await pool.release(slow)

    assert ids(await outbox.pull(10, LEASE, PATIENCE)) == ["event-1"]


async def test_what_was_acknowledged_long_ago_is_removed(pool, outbox):
    """Not what was acknowledged lately, nor what nobody has acknowledged, however old; in small batches."""
    await learn(pool, *range(8))
    await pool.execute("UPDATE outbox SET recorded_at = now() - interval '9 days'")
    await outbox.ack([f"event-{number}" for number in (0, 1, 3, 4)])
    await pool.execute("UPDATE outbox SET acked_at = acked_at - interval '8 days'")
    await outbox.ack(["event-5", "event-7"])
    await outbox.forget(batch=2)

    left = await pool.fetch("SELECT event_id FROM outbox ORDER BY position")
    assert [row["event_id"] for row in left] == ["event-2", "event-5", "event-6", "event-7"]


async def test_every_service_forgets_by_itself(settings, fresh_database, database):
    """Whatever mounts the outbox removes what is old, for as long as it serves."""
    await fresh_database("order")
    behind = await database("order")
    await record(behind, a_fact())
    await behind.execute("UPDATE outbox SET recorded_at = '2026-01-01', acked_at = '2026-01-01'")
    address = f"127.0.0.1:{free_port()}"
    async with serving(settings, "order", address, compose_order, forget_seconds=0.05), asyncio.timeout(60):
        while left := await behind.fetchval("SELECT count(*) FROM outbox"):
            await asyncio.sleep(0.05)
    assert left == 0


async def test_every_service_hands_its_facts_out(warehouse_channel, postgres_url):
    """From whatever service mounts the outbox; what the next pull says was delivered stays away."""
    stub = events_pb2_grpc.EventServiceStub(warehouse_channel)
    connection = await asyncpg.connect(f"{postgres_url.replace('/postgres?', '/recourse_warehouse?')}")
    async with connection.transaction():
        await record(connection, a_fact())
    await connection.close()
    wanted = pb.PullEventsRequest(max_events=5, lease_seconds=1, wait_seconds=0)
    pulled = await call(stub.PullEvents, wanted, pb.PullEventsResponse, seconds=5)
    wanted = pb.PullEventsRequest(
        max_events=5, lease_seconds=1, wait_seconds=2, delivered_event_ids=["event-1"]
    )
    pulled_again = await call(stub.PullEvents, wanted, pb.PullEventsResponse, seconds=7)

    assert [from_wire(event.fact, Fact) for event in pulled.events] == [a_fact()]
    assert not pulled_again.events
