"""``python -m deploy.demo``: start the stack if it is not running, play the week, show what came of it."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from deploy.demo.audit import differences
from deploy.demo.examples import Example, read_examples
from deploy.demo.play import Parties
from deploy.demo.progress import progress_on
from deploy.demo.report import report, where_to_look
from deploy.demo.run import Demo, GaveUp, Played
from deploy.demo.week import Week, read_week
from deploy.local.facts import StackFacts
from deploy.local.stack import Stack
from deploy.local.supervisor import StartFailed

# A run is named after its second, and its dates count from it: a repeat of the same run is the same requests.
_RUN = "%y%m%dT%H%M%S"
_INTERRUPTED = 130
# What the tables want where no terminal says how wide it is.
_WIDTH = 118


def main() -> int:
    """Return 0 if every refund is what it must be, 1 if anything differs, with what differs."""
    parser = argparse.ArgumentParser(prog="deploy.demo", description="A real week's returns, from outside.")
    parser.add_argument("--state", type=Path, default=Path(".local"), help="the stack's folder")
    parser.add_argument("--run", type=_start, default=_start(), help="repeat or finish an earlier run")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    run = arguments.run.strftime(_RUN)
    week, examples = read_week(arguments.run, run), read_examples(arguments.run, run)
    again = f"to finish it: {sys.executable} -m deploy.demo --state {arguments.state.resolve()} --run {run}"
    try:
        facts = Stack.at(arguments.state).start(say=partial(console.print, markup=False, highlight=False))
        started = time.monotonic()
        is_equal = _played_as_it_must(facts, week, examples, console)
    except StartFailed as error:
        console.print(f"[bold red]the stack does not start[/]: {escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print(f"interrupted; {again}", soft_wrap=True)
        return _INTERRUPTED
    console.print(f"run {run} took {time.monotonic() - started:.1f} s; the stack stays up")
    where_to_look(facts, console)
    if not is_equal:
        console.print(again, soft_wrap=True)
    return 0 if is_equal else 1


def _start(run: str | None = None) -> datetime:
    """Return when a run of this name began; without a name, one that begins now."""
    if run is None:
        return datetime.now(UTC).replace(microsecond=0)
    return datetime.strptime(run, _RUN).replace(tzinfo=UTC)


def _played_as_it_must(
    facts: StackFacts, week: Week, examples: tuple[Example, ...], console: Console
) -> bool:
    """Play everything and show what came of it; False if anything differs, or it does not get on."""
    try:
        played = asyncio.run(_play(facts, week, examples, console))
    except GaveUp as error:
        console.print(f"[bold red]GIVEN UP[/]  {escape(str(error))}", soft_wrap=True)
        return False
    console.print(report(played, week, examples))
    return _conclude(differences(played, week, examples), console)


def _conclude(found: Sequence[str], console: Console) -> bool:
    """Say what differs; True if nothing does."""
    console.print()
    for difference in found:
        console.print(f"[bold red]DIFFERS[/]  {escape(difference)}")
    if found:
        console.print(f"[bold red]{len(found)} differences[/]")
    else:
        console.print("[bold green]everything is equal[/]")
    return not found


async def _play(facts: StackFacts, week: Week, examples: tuple[Example, ...], console: Console) -> Played:
    """Play everything, and show how far it is."""
    parties = Parties.of(facts)
    try:
        async with progress_on(console) as progress:
            return await Demo(parties, week, examples, progress).run()
    finally:
        await parties.part()


if __name__ == "__main__":
    sys.exit(main())
