"""The real payment service, PostgreSQL and sandbox under one roof, for stories of many steps.

The service is asked over gRPC and asks the sandbox over HTTP. The sandbox's webhooks lie in its drawer until
somebody delivers them; time passes by letting the past recede.
"""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from starlette.types import ASGIApp, Receive, Scope, Send

from services.clients.events import EventClient
from services.clients.payment import PaymentClient
from services.domain.accounts import LedgerClock
from services.domain.errors import RecourseError
from services.domain.ids import StoreId
from services.domain.refund import Refund, RefundIntent
from services.payment.__main__ import composition
from services.payment.settings import PaymentSettings
from services.platform.database import Connection, database_dsn, database_name
from services.platform.process import serving
from services.platform.secrets import Secrets
from services.sandbox.app import Sandbox
from services.sandbox.processor import Processor
from services.sandbox.state import State
from services.sandbox.webhooks import signature
from tests.fixtures.sandbox import API_KEY, WEBHOOK_SECRET, serving_http
from tests.fixtures.services import free_port, patient_channel

STORE = StoreId("demo")
_PROVIDER_SECONDS = 60.0
_TABLES = """
SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables
 WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
"""
# Past the ledger's own guard: nothing is changed but how long ago it was.
_RECEDE = """
SET session_replication_role = replica;
UPDATE ledger_entries SET posted_at = posted_at - interval '{0} seconds';
UPDATE dispute_tellings SET told_at = told_at - interval '{0} seconds';
"""
_RECEDE_OUTSIDE = """
UPDATE things SET body = json_set(body, '$.created', json_extract(body, '$.created') - ?)
 WHERE kind IN ('event', 'refund', 'dispute')
"""


class Gate:
    """In front of the sandbox: passes requests on, until one is to find nobody who hears the answer."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.cut = ""
        self.reached = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        assert self.app is not None
        if not self.cut or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        if self.cut == "after":
            await self.app(scope, receive, _unheard)
        self.reached.set()
        while (await receive())["type"] != "http.disconnect":
            pass


async def _unheard(_message: Any) -> None:
    """Nobody listens any more."""


class World:
    """One for all stories; each begins with `wipe`."""

    def __init__(self, server: str, folder: Path, secrets: Secrets) -> None:
        self._server = server
        self._folder = folder
        self._secrets = secrets
        self._service = AsyncExitStack()
        self._stories = 0
        self._gate = Gate()
        self.state: State | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, server: str, folder: Path, secrets: Secrets) -> AsyncIterator["World"]:
        """Start everything over an empty database of the service's usual name."""
        world = cls(server, folder, secrets)
        async with serving_http(world._gate, free_port()) as url:
            world._settings = PaymentSettings(
                database_url=server, sandbox_url=url, provider_seconds=_PROVIDER_SECONDS, notes_seconds=60
            )
            await world._start()
            world._books = await asyncpg.connect(database_dsn(server, database_name("payment")))
            try:
                yield world
            finally:
                await world._books.close()
                await world._service.aclose()
                if world.state:
                    world.state.close()

    _settings: PaymentSettings
    _books: Connection
    payments: PaymentClient
    _events: EventClient
    processor: Processor

    async def _start(self) -> None:
        address = f"127.0.0.1:{free_port()}"
        compose = composition(self._settings, self._secrets)
        await self._service.enter_async_context(serving(self._settings, "payment", address, compose))
        channel = patient_channel(address)
        self._service.push_async_callback(channel.close)
        self.payments, self._events = PaymentClient(channel), EventClient(channel)

    async def restart(self) -> None:
        """Drop the service with all that it remembers, and build it again over the same database."""
        await self._service.aclose()
        await self._start()

    async def wipe(self) -> None:
        """Begin anew: empty tables, and a sandbox that has seen nothing."""
        tables = await self._books.fetchval(_TABLES)
        await self._books.execute(
            f"SET session_replication_role = replica; TRUNCATE {tables} RESTART IDENTITY CASCADE"
        )
        if self.state:
            self.state.close()
        self._stories += 1
        self._file = self._folder / f"sandbox-{self._stories}.db"
        self.state = State(self._file)
        self.processor = Processor(self.state)
        sandbox = Sandbox(self.state, API_KEY, WEBHOOK_SECRET, "http://nowhere", slow_seconds=0.01)
        self._gate.app = sandbox.app()

    async def pass_time(self, seconds: int) -> None:
        """Let all that has happened lie further back."""
        await self._books.execute(_RECEDE.format(seconds))
        with sqlite3.connect(self._file, isolation_level=None) as outside:
            outside.execute("PRAGMA synchronous=OFF")
            outside.execute(_RECEDE_OUTSIDE, (seconds,))
        outside.close()

    # Asked over gRPC: what comes back in one word.

    async def said(self, asked: Awaitable[Any]) -> str:
        """Return a refund's status, another answer as it is, or the reason of a refusal."""
        try:
            answer = await asked
        except RecourseError as error:
            return error.reason
        return answer.status.value if isinstance(answer, Refund) else str(answer)

    async def at_once(self, intents: list[RefundIntent]) -> list[tuple[str, str]]:
        """Ask for refunds at the same instant: each one's id and what is said of it."""
        said = await asyncio.gather(*(self.said(self.payments.issue(intent)) for intent in intents))
        return [(intent.refund_id, answer) for intent, answer in zip(intents, said, strict=True)]

    async def die(self, intent: RefundIntent, moment: str) -> None:
        """Let the service die while it asks for a refund, before or after the provider has acted on it."""
        self._gate.cut = moment
        self._gate.reached.clear()
        asking = asyncio.create_task(self.payments.issue(intent))
        async with asyncio.timeout(120):
            await self._gate.reached.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await self.restart()
        self._gate.cut = ""

    async def deliver(self, event: dict[str, Any]) -> str:
        """Hand over a webhook, signed now."""
        body = json.dumps(event)
        sealed = signature(body, WEBHOOK_SECRET, int(time.time()))
        return await self.said(self.payments.receive_webhook("sandbox", sealed, body.encode()))

    async def mend(self) -> tuple[set[str], set[str], set[str]]:
        """Let the janitor walk to the end: what it repairs, doubts, and is told nothing of."""
        now, repaired, doubts, unanswered = datetime.now(UTC), set(), set(), set()
        is_done = False
        while not is_done:
            mending = await self.payments.mend(now - timedelta(days=300), now)
            repaired |= {self.key_of(one) for one in mending.repaired}
            doubts |= {doubt.refund_id for doubt in mending.doubts}
            unanswered |= set(mending.unanswered)
            is_done = mending.is_done
        return repaired, doubts, unanswered

    async def balance(self, payment_id: str) -> tuple[int, ...]:
        found = await self.payments.balance(STORE, payment_id)
        amounts = (found.captured, found.refunded, found.pending, found.disputed, found.refundable)
        return tuple(amount.minor_units for amount in amounts)

    async def trial_balance(self) -> dict[str, int]:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        rows = await self.payments.trial_balance(STORE, tomorrow, LedgerClock.POSTED)
        sums = {row.account: row.debit.minor_units - row.credit.minor_units for row in rows}
        return {account: units for account, units in sums.items() if units}

    async def violations(self) -> dict[str, int]:
        reports = await self.payments.reconcile(STORE)
        return {report.name: report.violations for report in reports if report.violations}

    async def facts(self) -> "Counter[tuple[str, ...]]":
        """Return all that cases and inbox are told, in the model's words."""
        told: Counter[tuple[str, ...]] = Counter()
        delivered: list[str] = []
        while facts := await self._events.pull(100, 60, 0, delivered):
            for fact in facts:
                if one := fact.refund:
                    amount = str(one.amount.minor_units)
                    told["refund", one.payment_id, one.refund_id or "", amount, one.status] += 1
                if dispute := fact.dispute:
                    words = ("freed",) if fact.case_id else ("dispute", dispute.status)
                    told[words[0], dispute.payment_id, *words[1:]] += 1
            delivered = [fact.event_id for fact in facts]
        return told

    # The provider's own word.

    def drawer(self) -> list[dict[str, Any]]:
        """Return every webhook that the provider has written so far, oldest first."""
        assert self.state is not None
        return self.state.page("event", "", "", 1_000_000)[::-1]

    def ref_of(self, payment_id: str) -> str:
        """Return what the provider calls a payment."""
        assert self.state is not None
        return str(self.state.named("payment_intent", payment_id)[0]["id"])

    def behave(self, payment_id: str, method: str) -> None:
        assert self.state is not None
        self.state.behave(self.ref_of(payment_id), method)

    def key_of(self, name: str) -> str:
        """Return our id of a refund that its provider names, if we asked for it."""
        assert self.state is not None
        refund = self.state.get("refund", name)
        return str(refund["metadata"].get("refund_id", name)) if refund else name

    def went_back(self, payment_id: str) -> int:
        """Return what has really gone back of a payment."""
        assert self.state is not None
        refunds = [refund for refund, _ in self.state.children("refund", self.ref_of(payment_id))]
        return sum(refund["amount"] for refund in refunds if refund["status"] == "succeeded")

    def taken(self, payment_id: str) -> int:
        """Return what disputes of a payment have really taken from the merchant, fees and all."""
        assert self.state is not None
        disputes = [dispute for dispute, _ in self.state.children("dispute", self.ref_of(payment_id))]
        return -sum(one["net"] for dispute in disputes for one in dispute["balance_transactions"])
