"""Numbered SQL, forward only: each file runs once, under a lock, and never changes afterwards."""

import asyncio
import hashlib
import importlib.resources
from dataclasses import dataclass

import asyncpg

from services.platform.database import Connection

_LOCK = 7_242_001
_LOCK_POLL_SECONDS = 0.1
# A migration waiting for a lock makes everybody behind it wait too.
_LOCK_TIMEOUT = "4s"

CREATE_REGISTER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    component  text        NOT NULL,
    name       text        NOT NULL,
    checksum   bytea       NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (component, name)
)
"""
APPLIED = "SELECT component, name, checksum FROM schema_migrations"
RECORD = "INSERT INTO schema_migrations (component, name, checksum) VALUES ($1, $2, $3)"


class MigrationChanged(Exception):
    """A migration that has been applied was edited afterwards."""


@dataclass(frozen=True, slots=True)
class Migration:
    component: str
    name: str
    sql: str

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.sql.encode()).digest()


def migrations_of(component: str) -> list[Migration]:
    """Return a component's migrations in their order; ``component`` is a package of ``services``."""
    folder = importlib.resources.files(f"services.{component}").joinpath("migrations")
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return [Migration(component, entry.name, entry.read_text()) for entry in files]


async def migrate(dsn: str, service: str) -> None:
    """Bring a service's database up to date; several processes may try at once.

    Raises:
        MigrationChanged: If a file differs from what was applied.
    """
    connection = await asyncpg.connect(dsn, server_settings={"lock_timeout": _LOCK_TIMEOUT})
    try:
        # Polled: a session waiting inside pg_advisory_lock would hold back CREATE INDEX CONCURRENTLY.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        await connection.execute(CREATE_REGISTER)
        await _apply(connection, [*migrations_of("platform"), *migrations_of(service)])
    finally:
        await connection.close()


async def _apply(connection: Connection, migrations: list[Migration]) -> None:
    applied = {(row["component"], row["name"]): row["checksum"] for row in await connection.fetch(APPLIED)}
    for migration in migrations:
        known = applied.get((migration.component, migration.name))
        if known is None:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(RECORD, migration.component, migration.name, migration.checksum)
        elif known != migration.checksum:
            raise MigrationChanged(f"{migration.component}/{migration.name}")
