"""What the supervisor tells of itself and its processes: ``status.json``, rewritten at every change."""

import fcntl
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.local.places import StatePlaces, write_private

# Exit status of a supervisor that found another one at work.
TAKEN: Final = 75


class Condition(StrEnum):
    """How a process does, or the stack as a whole (which never waits or restarts)."""

    WAITING = "waiting"  # for those that it needs
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"  # it died, and is started again after a while
    STOPPING = "stopping"
    ENDED = "ended"
    FAILED = "failed"


class ProcessStatus(BaseModel):
    """``since`` is when the running process was started, in seconds of the epoch."""

    model_config = ConfigDict(frozen=True)

    pid: int | None
    state: Condition
    restarts: int
    since: float | None
    log: str


class StackStatus(BaseModel):
    """``supervisor`` is a pid; ``failure`` says why the stack did not start."""

    model_config = ConfigDict(frozen=True)

    supervisor: int
    state: Condition
    failure: str | None = None
    processes: dict[str, ProcessStatus] = {}

    @classmethod
    def read(cls, places: StatePlaces) -> "StackStatus | None":
        """Return what the last supervisor told, if any has."""
        try:
            return cls.model_validate_json(places.status.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def write(self, places: StatePlaces) -> None:
        write_private(places.status, self.model_dump_json(indent=1))


def is_supervised(places: StatePlaces) -> bool:
    """Tell whether a supervisor lives."""
    try:
        with places.life_lock.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def current_status(places: StatePlaces) -> StackStatus | None:
    """Return what the living supervisor tells; None when none lives, or it has only just begun."""
    status = StackStatus.read(places)
    is_of_living = status is not None and Path(f"/proc/{status.supervisor}").exists()
    return status if is_of_living and is_supervised(places) else None
