"""Idempotency keys: what a caller repeats under the same key is the same request."""

from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from services.domain.ids import StoreId, derived_id


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key a caller sent, scoped to store and caller; ``body_hash`` covers the operation, too."""

    store_id: StoreId
    caller: str
    key: str
    body_hash: bytes


class Keys(Protocol):
    async def bind(self, use: KeyUse) -> None: ...


async def command_id(keys: Keys, use: KeyUse | None) -> str:
    """Return the id of a command: the same for the same key, and a new one where none was sent.

    Raises:
        IdempotencyConflict: If the key stands for another request.
    """
    if use is None:
        return str(uuid4())
    await keys.bind(use)
    return derived_id("command", use.store_id, use.caller, use.key)
