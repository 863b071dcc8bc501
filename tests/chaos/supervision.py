"""The stack's own supervisor over its own table of processes, each of ours run by `tests.chaos.doomed`."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from deploy.local.places import StatePlaces
from deploy.local.planning import Plan, plan
from deploy.local.processes import Manner, Process, add_flags
from deploy.local.supervision import supervise
from deploy.local.supervisor import Pace

# What dies here dies often, and has to be back at once.
_PACE = Pace(first_back_off=0.1, longest_back_off=0.2)
_OURS = ("services.", "workflows.")


def _doomed(process: Process) -> Process:
    python, *arguments = process.command
    if arguments[0] != "-m" or not arguments[1].startswith(_OURS):
        return process
    return replace(process, command=[python, "-m", "tests.chaos.doomed", arguments[1]])


def main() -> int:
    """Supervise the stack of the given state folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    add_flags(parser)
    arguments = parser.parse_args()
    places, manner = StatePlaces(arguments.state), Manner.of(arguments)

    def doomed_plan() -> Plan:
        planned = plan(places, manner)
        return Plan([_doomed(process) for process in planned.processes], planned.publish)

    return supervise(places, doomed_plan, _PACE)


if __name__ == "__main__":
    sys.exit(main())
