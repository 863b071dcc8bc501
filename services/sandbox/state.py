"""What the sandbox knows: one SQLite file, every change committed before it is answered."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, parent TEXT NOT NULL,
    reference TEXT NOT NULL, body TEXT NOT NULL, idempotency_key TEXT);
CREATE INDEX IF NOT EXISTS things_by_kind ON things (kind, position);
CREATE INDEX IF NOT EXISTS things_by_parent ON things (parent, kind, position);
CREATE INDEX IF NOT EXISTS things_by_reference ON things (reference, kind, position);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS behaviours (payment_id TEXT PRIMARY KEY, method TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tallies (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0);
"""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of the wire, and what it hangs on.

    ``parent`` is its payment intent's id, ``reference`` the caller's own name for it (a payment id, an RMA).
    """

    kind: str
    body: Mapping[str, Any]
    parent: str = ""
    reference: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked under an idempotency key, and what was answered."""

    request: str
    status: int
    body: str


class State:
    """All calls are short and run to their end, so concurrent requests see one order of events."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # What was committed survives the death of the process; the machine is not expected to die.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested ones join the outermost."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def next_number(self) -> int:
        """Return the number of the next thing; ids are made from it."""
        (last,) = self._db.execute("SELECT coalesce(max(position), 0) FROM things").fetchone()
        return int(last) + 1

    def insert(self, thing: Thing) -> None:
        self._db.execute(
            "INSERT INTO things (id, kind, parent, reference, body, idempotency_key)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                thing.body["id"],
                thing.kind,
                thing.parent,
                thing.reference,
                json.dumps(thing.body),
                thing.idempotency_key,
            ),
        )

    def update(self, body: Mapping[str, Any]) -> None:
        self._db.execute("UPDATE things SET body = ? WHERE id = ?", (json.dumps(body), body["id"]))

    def get(self, kind: str, object_id: str) -> dict[str, Any] | None:
        row = self._db.execute(
            "SELECT body FROM things WHERE kind = ? AND id = ?", (kind, object_id)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def parent_of(self, object_id: str) -> str:
        """Return the payment intent that an object belongs to; empty for an unknown object."""
        row = self._db.execute("SELECT parent FROM things WHERE id = ?", (object_id,)).fetchone()
        return str(row[0]) if row else ""

    def page(self, kind: str, parent: str, after: str, limit: int) -> list[dict[str, Any]]:
        """Return things newest first, those older than ``after`` (of one payment intent, if one is named)."""
        rows = self._db.execute(
            "SELECT body FROM things WHERE kind = :kind AND (:parent = '' OR parent = :parent)"
            " AND position < coalesce((SELECT position FROM things WHERE id = :after), 1 << 60)"
            " ORDER BY position DESC LIMIT :limit",
            {"kind": kind, "parent": parent, "after": after, "limit": limit},
        )
        return [json.loads(row[0]) for row in rows]

    def children(self, kind: str, parent: str) -> list[tuple[dict[str, Any], str | None]]:
        """Return a payment intent's things, oldest first, with the idempotency keys they came under."""
        rows = self._db.execute(
            "SELECT body, idempotency_key FROM things WHERE parent = ? AND kind = ? ORDER BY position",
            (parent, kind),
        )
        return [(json.loads(body), key) for body, key in rows]

    def named(self, kind: str, reference: str) -> list[dict[str, Any]]:
        """Return the things that callers gave this name, oldest first: stores may use the same one."""
        rows = self._db.execute(
            "SELECT body FROM things WHERE reference = ? AND kind = ? ORDER BY position", (reference, kind)
        )
        return [json.loads(row[0]) for row in rows]

    def answer(self, key: str) -> Answer | None:
        """Return what was answered under ``key``."""
        row = self._db.execute("SELECT request, status, body FROM answers WHERE key = ?", (key,)).fetchone()
        return Answer(*row) if row else None

    def keep_answer(self, key: str, answer: Answer) -> None:
        self._db.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?)", (key, answer.request, answer.status, answer.body)
        )

    def behaviour(self, intent_id: str) -> str:
        row = self._db.execute("SELECT method FROM behaviours WHERE payment_id = ?", (intent_id,)).fetchone()
        return str(row[0]) if row else "card"

    def behave(self, intent_id: str, method: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO behaviours VALUES (?, ?)", (intent_id, method))

    def tally(self, name: str) -> int:
        """Count once more, and return how often that has been done."""
        row = self._db.execute(
            "INSERT INTO tallies VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
            " RETURNING value",
            (name,),
        ).fetchone()
        return int(row[0])

    def queue_webhook(self, event: Mapping[str, Any], due: float) -> None:
        self._db.execute(
            "INSERT INTO webhooks (id, body, due) VALUES (?, ?, ?)", (event["id"], json.dumps(event), due)
        )

    def due_webhooks(self, now: float) -> list[tuple[str, str, int]]:
        rows = self._db.execute(
            "SELECT id, body, attempts FROM webhooks WHERE NOT delivered AND due <= ? ORDER BY due LIMIT 50",
            (now,),
        )
        return list(rows)

    def webhook_sent(self, event_id: str) -> None:
        self._db.execute("UPDATE webhooks SET delivered = 1 WHERE id = ?", (event_id,))

    def webhook_failed(self, event_id: str, due: float) -> None:
        self._db.execute("UPDATE webhooks SET attempts = attempts + 1, due = ? WHERE id = ?", (due, event_id))

    def resend_webhooks(self, now: float) -> int:
        """Queue every webhook that has been due once more, in a random order."""
        return self._db.execute(
            "UPDATE webhooks SET delivered = 0, attempts = 0, due = :now + abs(random()) % 1000 / 1000.0"
            " WHERE due <= :now",
            {"now": now},
        ).rowcount
