"""Stacks of processes that do nothing, under the real supervisor."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest

from deploy.local.places import StatePlaces
from deploy.local.stack import Stack

_SUPERVISOR = Path(__file__).with_name("dummy_supervisor.py")
SLEEP = 'touch "$READY"; exec sleep 600'

DummyStack = Callable[..., Stack]


@pytest.fixture
def a_stack(tmp_path: Path) -> Iterator[DummyStack]:
    """Return a stack of such processes (name=script), each started after the one before it.

    ``pace`` says how long its supervisor waits for what, in seconds.
    """
    stack = Stack(StatePlaces(tmp_path / "state"), (sys.executable, str(_SUPERVISOR)))

    def make(pace: Mapping[str, float] = MappingProxyType({}), **scripts: str) -> Stack:
        stack.places.make()
        (stack.places.root / "dummies.json").write_text(json.dumps(scripts))
        (stack.places.root / "pace.json").write_text(json.dumps(dict(pace)))
        return stack

    yield make
    stack.stop()


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """Tell whether a process has ended; waits for it."""

    def gone(pid: int) -> bool:
        try:
            psutil.Process(pid).wait(30)
        except psutil.NoSuchProcess:
            return True
        except psutil.TimeoutExpired:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return True

    return gone
