"""What the running stack says of itself: ``stack.json``, for whoever wants to use it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.local.places import write_private


@dataclass(frozen=True, slots=True)
class StackFacts:
    """Addresses and development secrets; ``tokens`` by role, ``stores`` by store id."""

    gateway: str
    console: str
    temporal: str
    temporal_ui: str
    temporal_metrics: str
    sandbox: str
    mailbox: str
    stores: Mapping[str, Mapping[str, str]]
    store_id: str
    tokens: Mapping[str, str]
    webhook_secrets: Mapping[str, str]
    pids: Mapping[str, int]
    logs: str
    database: str

    @classmethod
    def read(cls, file: Path) -> "StackFacts":
        """Read the facts of a running stack.

        Raises:
            FileNotFoundError: If it does not run, or is not ready.
        """
        document: dict[str, Any] = json.loads(file.read_text())
        return cls(**document)

    def write(self, file: Path) -> None:
        write_private(file, json.dumps(asdict(self), indent=1))
