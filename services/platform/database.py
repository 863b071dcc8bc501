"""PostgreSQL: one database per service, one pool per process, statements counted."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.domain.errors import DependencyUnavailable, InvalidArgument, RecourseError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


# The server is away, going, full, or has ended a statement that others were waiting for. The client's own
# inner error is what it says when a connection breaks between two steps of one statement.
NOT_NOW: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)


def expected_error(error: Exception) -> RecourseError | None:
    """Return what a failure of the database means to a caller; None when it is a bug of ours."""
    if isinstance(error, asyncpg.CharacterNotInRepertoireError):
        return InvalidArgument("text holds a NUL character")
    if isinstance(error, NOT_NOW):
        return DependencyUnavailable("the database does not answer")
    return None


def database_name(service: str) -> str:
    return f"recourse_{service}"


def database_dsn(server_url: str, database: str) -> str:
    """Return the server's URL with its database part replaced, whatever form the host has."""
    parts = urlsplit(server_url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}/{database}{query}"


def socket_directory(server_url: str) -> str | None:
    """Return the unix socket's folder that a URL names, if it names one."""
    hosts = parse_qs(urlsplit(server_url).query).get("host", [])
    return hosts[0] if hosts and hosts[0].startswith("/") else None


async def ensure_database(server_url: str, database: str) -> None:
    """Create ``database`` unless it is there; harmless when several processes try at once."""
    connection = await asyncpg.connect(database_dsn(server_url, "postgres"))
    try:
        found = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
        if not found:
            await connection.execute(f'CREATE DATABASE "{database}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass
    finally:
        await connection.close()


@dataclass
class StatementCount:
    """How many statements this process has sent, transaction control included."""

    statements: int = 0

    def on_query(self, _record: object) -> None:
        self.statements += 1


STATEMENTS = StatementCount()


async def _prepare_connection(connection: Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    connection.add_query_logger(STATEMENTS.on_query)


async def _keep_session(_connection: Connection) -> None:
    """Nothing here changes a session's state, so giving a connection back costs no statement."""


async def open_pool(dsn: str, application: str, max_size: int = 10) -> Pool:
    """Open a pool whose connections carry jsonb as Python values and refuse to hang."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        timeout=5,
        command_timeout=20,
        init=_prepare_connection,
        reset=_keep_session,
        server_settings={
            "application_name": f"recourse-{application}",
            "statement_timeout": "15000",
            "lock_timeout": "10000",
            "idle_in_transaction_session_timeout": "20000",
            "timezone": "UTC",
        },
    )


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One connection, one transaction: committed at the end, rolled back on any error."""
    async with pool.acquire() as connection, connection.transaction():
        yield connection
