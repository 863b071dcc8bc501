"""Every process in one stack for all tests here; each test has an order of its own."""

from collections.abc import AsyncIterator, Callable

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Play what looks back on the session last, however the rest is shuffled."""
    items.sort(key=lambda item: item.path.name == "test_whole_session.py")
