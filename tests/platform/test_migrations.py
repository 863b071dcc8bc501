"""Migrations run once, in order, under a lock, and never change afterwards."""

import asyncio
import importlib

import asyncpg
import pytest

from services.payment.invariants import INVARIANTS
from services.platform import migrations
from services.platform.database import database_dsn, ensure_database
from services.platform.migrations import Migration, MigrationChanged, migrate

APPLIED = "SELECT component || '/' || name FROM schema_migrations ORDER BY 1"
SERVICES = ["order", "warehouse", "payment"]


@pytest.fixture
async def empty(postgres_url):
    """A database with nothing in it."""
    admin = await asyncpg.connect(postgres_url)
    await admin.execute('DROP DATABASE IF EXISTS "empty" WITH (FORCE)')
    await ensure_database(postgres_url, "empty")
    yield database_dsn(postgres_url, "empty")
    await admin.execute('DROP DATABASE "empty" WITH (FORCE)')
    await admin.close()


@pytest.fixture
def shipped(monkeypatch):
    """Replace what a service ships by what a test says."""

    def ship(*files: Migration) -> None:
        known = migrations.migrations_of
        monkeypatch.setattr(
            migrations, "migrations_of", lambda name: list(files) if name == "order" else known(name)
        )

    return ship


async def fetch(dsn: str, sql: str) -> list[object]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(sql)
    await connection.close()
    return [row[0] for row in rows]


async def test_processes_that_start_at_once_migrate_once(empty):
    """Five replicas and a repeat: each file ran once."""
    await asyncio.gather(*(migrate(empty, "order") for _ in range(5)))
    await migrate(empty, "order")

    assert await fetch(empty, APPLIED) == ["order/0001_orders.sql", "platform/0001_outbox.sql"]


async def test_a_file_that_was_edited_afterwards_is_refused(empty, shipped):
    """What ran is not what is shipped: nobody knows what the schema is."""
    shipped(Migration("order", "0001_a.sql", "CREATE TABLE a (id int)"))
    await migrate(empty, "order")
    shipped(Migration("order", "0001_a.sql", "CREATE TABLE a (id bigint)"))

    with pytest.raises(MigrationChanged, match=r"order/0001_a\.sql"):
        await migrate(empty, "order")


async def test_a_file_that_fails_leaves_nothing_behind(empty, shipped):
    """The ones before it stay; it runs again when it is right."""
    good = Migration("order", "0001_a.sql", "CREATE TABLE a (id int)")
    shipped(good, Migration("order", "0002_b.sql", "CREATE TABLE b (id int); SELECT 1 / 0"))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, "order")
    assert await fetch(empty, "SELECT to_regclass('b')::text") == [None]

    shipped(good, Migration("order", "0002_b.sql", "CREATE TABLE b (id int)"))
    await migrate(empty, "order")
    assert (await fetch(empty, APPLIED))[:2] == ["order/0001_a.sql", "order/0002_b.sql"]


@pytest.mark.parametrize("service", SERVICES)
async def test_every_statement_fits_its_schema(fresh_database, service):
    """Each SQL constant is understood by the database that the migrations make."""
    connection = await asyncpg.connect(await fresh_database(service))
    module = importlib.import_module(f"services.{service}.queries")
    statements = {name: sql for name, sql in vars(module).items() if name.isupper() and "\n" in str(sql)}
    whole = {
        n: s
        for n, s in statements.items()
        if s.split()[0] in {"SELECT", "INSERT", "UPDATE", "WITH", "DELETE"}
    }

    prepared = [await connection.prepare(sql) for sql in whole.values()]
    await connection.close()

    assert len(prepared) == len(whole) >= 10


async def test_every_invariant_fits_its_schema(fresh_database):
    """So do the checks of the books."""
    connection = await asyncpg.connect(await fresh_database("payment"))
    prepared = [await connection.prepare(sql) for sql in INVARIANTS.values()]
    await connection.close()

    assert len(prepared) == len(INVARIANTS) >= 12


async def test_a_database_is_made_once(postgres_url):
    """Several processes may find it missing at the same time."""
    await asyncio.gather(*(ensure_database(postgres_url, "once") for _ in range(5)))

    admin = await asyncpg.connect(postgres_url)
    assert await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = 'once'") == 1
    await admin.execute('DROP DATABASE "once"')
    await admin.close()


HOT = {
    "order": [
        "GET_ORDER",
        "GET_CONTACT",
        "LOCK_FOR_CLAIM",
        "LOCK_CLAIM",
        "TAKE_UNITS",
        "SETTLE_CLAIM",
        "IS_OUTBOUND",
    ],
    "payment": [
        "LOCK_FOR_REFUND",
        "COUNTED",
        "GET_REFUND",
        "SETTLE_REFUND",
        "KEEP_EVENT",
        "LOCK_TOLD",
        "BALANCE",
    ],
    "warehouse": [
        "FIND_RETURN",
        "FIND_BY_SCAN",
        "KEEP_RECEIPT",
        "KEEP_INSPECTION",
        "REGISTER_PARCEL",
        "KEEP_SCAN",
    ],
}


@pytest.mark.parametrize(("service", "name"), [(service, name) for service in HOT for name in HOT[service]])
async def test_what_is_asked_often_finds_its_index(fresh_database, service, name):
    """No table is read from end to end, however large it grows."""
    connection = await asyncpg.connect(await fresh_database(service))
    sql = getattr(importlib.import_module(f"services.{service}.queries"), name)
    nothing = ", ".join("NULL" for _ in (await connection.prepare(sql)).get_parameters())
    await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE hot AS {sql}")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE hot ({nothing})"))
    await connection.close()

    assert "Seq Scan" not in plan, plan
