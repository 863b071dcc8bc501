"""The demo says how far it is, and does not wait for ever."""

import asyncio
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from deploy.demo import __main__ as demo
from deploy.demo import api, run
from deploy.demo.progress import progress_on
from deploy.local.facts import StackFacts
from deploy.local.places import StatePlaces
from deploy.local.planning import facts_of
from deploy.local.ports import USUAL
from deploy.local.secrets import ensure_secrets
from tests.demo.conftest import EXAMPLES, WEEK
from tests.fixtures.services import free_port


@pytest.fixture
def console() -> Console:
    """No terminal, as in a pipe."""
    return Console(file=io.StringIO(), width=118)


@pytest.fixture
def facts_of_nobody(tmp_path: Path) -> StackFacts:
    """A stack that has died, and whose facts are still there."""
    places = StatePlaces(tmp_path / "state")
    places.make()
    secrets = ensure_secrets(places.secrets, places.jwks)
    ports = {name: free_port() for name in USUAL}
    return facts_of(places, ports, secrets, "postgresql:///", {})


async def test_without_a_terminal_progress_is_plain_lines(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One when a stage begins, more while it lasts, one when it is done; no bars, no colours."""
    monkeypatch.setattr("deploy.demo.progress.REMIND_SECONDS", 0.05)

    async with progress_on(console) as progress:
        progress.begin("orders sold", 2)
        progress.advance()
        while console.file.getvalue().count("\n") < 2:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        progress.advance()

    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    lines = [re.fullmatch(r"(orders sold \d of 2), \d+ s", " ".join(line.split())) for line in told]
    begun, *meanwhile, done = [line and line[1] for line in lines]
    assert begun == "orders sold 0 of 2"
    assert set(meanwhile) == {"orders sold 1 of 2"}
    assert done == "orders sold 2 of 2"


def test_when_nothing_gets_on_the_demo_gives_up(
    facts_of_nobody: StackFacts, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After as many waits in vain as go on at once, and those begun meanwhile, it ends and names them."""
    monkeypatch.setattr(api, "_TOTAL_SECONDS", 0.3)

    is_equal = demo._played_as_it_must(facts_of_nobody, WEEK, EXAMPLES, console)

    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert not is_equal
    assert "GIVEN UP  orders sold, sent, delivered: nothing gets on any more\n  order " in told
    assert 8 <= told.count("no answer within 0 s") < 16


def test_a_stage_that_takes_too_long_is_given_up(
    facts_of_nobody: StackFacts, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then too it says what it was waiting for."""
    monkeypatch.setattr(run, "STAGE_SECONDS", 0.3)

    is_equal = demo._played_as_it_must(facts_of_nobody, WEEK, EXAMPLES, console)

    assert not is_equal
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "orders sold, sent, delivered: not done after 0 s, waiting for\n  order " in told
