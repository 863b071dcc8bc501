"""What the background process does: it makes sure to be the only one, plans, and runs the supervisor."""

import argparse
import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.local.places import StatePlaces
from deploy.local.planning import Plan, plan
from deploy.local.processes import Manner, add_flags
from deploy.local.status import TAKEN, Condition, StackStatus
from deploy.local.supervisor import Pace, StartFailed, Supervisor

_HASTY_PACE: Final = Pace(first_back_off=0.1, longest_back_off=1.0)


def supervise(places: StatePlaces, make_plan: Callable[[], Plan], pace: Pace) -> int:
    """Be the supervisor, until told to stop; returns the exit status."""
    places.make()
    with _as_the_only_one(places) as is_ours:
        if not is_ours:
            return TAKEN
        places.facts.unlink(missing_ok=True)
        StackStatus(supervisor=os.getpid(), state=Condition.STARTING).write(places)
        try:
            planned = make_plan()
            asyncio.run(_run(Supervisor(places, planned.processes, planned.publish, pace)))
        except StartFailed as error:
            print(error, flush=True)
            StackStatus(supervisor=os.getpid(), state=Condition.FAILED, failure=str(error)).write(places)
            return 1
        StackStatus(supervisor=os.getpid(), state=Condition.ENDED).write(places)
        return 0


@contextmanager
def _as_the_only_one(places: StatePlaces) -> Iterator[bool]:
    """Hold the supervisor's locks; False if another one does."""
    with places.place_lock.open("w") as place, places.life_lock.open("w") as life:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        fcntl.flock(life, fcntl.LOCK_EX)
        yield True


async def _run(supervisor: Supervisor) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
    await supervisor.run()


def main() -> int:
    """Supervise the stack of the given state folder."""
    parser = argparse.ArgumentParser(prog="deploy.local.supervision", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    add_flags(parser)
    arguments = parser.parse_args()
    places, manner = StatePlaces(arguments.state), Manner.of(arguments)
    return supervise(places, lambda: plan(places, manner), _HASTY_PACE if manner.hasty else Pace())


if __name__ == "__main__":
    sys.exit(main())
