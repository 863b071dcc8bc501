"""Every process in one stack for all tests here; each test has an order of its own."""

import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from deploy.local.stack import Stack
from tests.e2e.outside import Outside
from tests.e2e.purchases import Purchase

SellTo = Callable[..., Purchase]


@pytest.fixture
async def outside(stack: Stack) -> AsyncIterator[Outside]:
    """Everybody outside; every service they need is up."""
    outside = Outside.of(stack.facts())
    async with outside.http:
        yield outside


@pytest.fixture
def a_purchase(outside: Outside) -> SellTo:
    """Return an order of its own, still to be placed."""

    def make(**changes: object) -> Purchase:
        return Purchase(outside, **changes)  # type: ignore[arg-type]

    return make


@contextmanager
def kept_down(stack: Stack, name: str) -> Iterator[None]:
    """Kill a process, and keep its supervisor from starting it again for as long as the block lasts."""
    status, before = stack.status(), stack.process(name)
    assert status is not None
    assert before.pid is not None
    os.kill(status.supervisor, signal.SIGSTOP)
    try:
        dying = psutil.Process(before.pid)
        dying.kill()
        while dying.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        yield
    finally:
        os.kill(status.supervisor, signal.SIGCONT)
    while stack.process(name).pid == before.pid:
        time.sleep(0.01)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Play what looks back on the session last, however the rest is shuffled."""
    items.sort(key=lambda item: item.path.name == "test_whole_session.py")
