"""Where a stack keeps its state: one folder, readable by its owner alone."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


@dataclass(frozen=True, slots=True)
class StatePlaces:
    """The files below the state folder ``root``."""

    root: Path

    @property
    def facts(self) -> Path:
        return self.root / "stack.json"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    @property
    def place_lock(self) -> Path:
        """Who holds it is the supervisor."""
        return self.root / "supervisor.lock"

    @property
    def life_lock(self) -> Path:
        """While it is held, a supervisor lives; whoever asks takes it for a moment."""
        return self.root / "alive.lock"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def jwks(self) -> Path:
        return self.root / "staff_jwks.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def mailbox(self) -> Path:
        return self.root / "mailbox"

    @property
    def temporal(self) -> Path:
        return self.root / "temporal.db"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def ready_file(self, name: str) -> Path:
        return self.root / "ready" / name

    @property
    def is_ours(self) -> bool:
        """Tell whether the folder is a stack's state, and nothing else."""
        return self.place_lock.exists()

    def make(self) -> None:
        """Make the folders.

        Raises:
            OSError: If that is impossible, or there is a folder of something else.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        if not self.is_ours and any(self.root.iterdir()):
            raise FileExistsError(f"{self.root} holds something else")
        self.root.chmod(0o700)
        self.place_lock.touch()
        for folder in (self.logs, self.mailbox, self.root / "ready"):
            folder.mkdir(exist_ok=True, mode=0o700)
