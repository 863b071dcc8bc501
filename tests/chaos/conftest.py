"""One stack whose processes die where they are told to, and all its returns, several at a time."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHistory

from deploy.local.places import StatePlaces
from deploy.local.processes import Manner
from deploy.local.stack import Stack
from tests.chaos.fate import Death, Fates
from tests.chaos.story import Persistent, Story

_SUPERVISOR = (sys.executable, "-m", "tests.chaos.supervision")
_AT_ONCE = 10
_MOST_TRIES = 8
# A letter in the hands of a sender that has died is not waited for as long as in earnest.
_SENDERS_LEASE = {"RECOURSE_MAIL_LEASE_SECONDS": "20"}


@pytest.fixture(scope="session")
def doomed_stack() -> Iterator[Stack]:
    """Every process of the stack, each able to die at any step."""
    state = Path(tempfile.mkdtemp(prefix="recourse-chaos-", dir="/var/tmp"))
    stack = Stack(StatePlaces(state), _SUPERVISOR)
    try:
        stack.start(Manner(hasty=True), with_parent=True, env=_SENDERS_LEASE)
        yield stack
    finally:
        stack.forget()
        shutil.rmtree(state, ignore_errors=True)


@dataclass
class Campaign:
    """``quiet`` is a return during which nobody died, told before all others; ``known``: its history then."""

    stack: Stack
    quiet: Story
    known: WorkflowHistory
    stories: "dict[Death, asyncio.Task[Story]]"

    def processes(self) -> dict[str, int]:
        """Return how often each process of the stack was started again."""
        status = self.stack.status()
        assert status is not None
        return {name: process.restarts for name, process in status.processes.items()}

    async def all(self) -> list[Story]:
        """Return every story that came to its end, once all have ended somehow."""
        await asyncio.gather(*self.stories.values(), return_exceptions=True)
        return [self.quiet, *(task.result() for task in self.stories.values() if not task.exception())]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def campaign(request: pytest.FixtureRequest, doomed_stack: Stack) -> AsyncIterator[Campaign]:
    """The stories of all deaths that are to be tested, being told while the tests wait for theirs."""
    facts = doomed_stack.facts()
    outside, fates = Persistent.of(facts), Fates(doomed_stack.places)
    temporal = await Client.connect(facts.temporal)
    free = asyncio.Semaphore(_AT_ONCE)

    async def tell(death: Death) -> Story:
        """Tell a story again in which nobody died: its step was not taken, or its victim was down already."""
        async with free:
            for _ in range(_MOST_TRIES):
                story = await Story(outside, fates, temporal, death).play()
                if story.has_struck:
                    return story
            raise AssertionError(f"nobody died: {death}")

    async with outside.http:
        quiet = await Story(outside, fates, temporal).play()
        known = await quiet.history()
        parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
        deaths = [each["death"] for each in parameters if "death" in each]
        stories = {death: asyncio.create_task(tell(death)) for death in deaths}
        yield Campaign(doomed_stack, quiet, known, stories)
        for task in stories.values():
            task.cancel()
        await asyncio.gather(*stories.values(), return_exceptions=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look back on the whole last, however the rest is shuffled."""
    items.sort(key=lambda item: "after_everything" in item.name)
