"""The real supervisor over processes that do nothing; the tests run it as a command.

Which processes is in the state folder's ``dummies.json``: a shell script by name, each started after the one
before it. A script has ``$READY``, the file it makes when it is ready. ``pace.json`` says how long is waited
for what, where a test is about that; else a slow machine has all the time it needs.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from deploy.local.places import StatePlaces
from deploy.local.planning import Plan, facts_of
from deploy.local.ports import USUAL
from deploy.local.probes import touched
from deploy.local.processes import Process
from deploy.local.secrets import ensure_secrets
from deploy.local.supervision import supervise
from deploy.local.supervisor import Pace

PACE = Pace(ready_within=120, end_within=60, first_back_off=0.05, longest_back_off=0.2, longest_log=1000)


def _process(places: StatePlaces, name: str, script: str) -> Process:
    ready = places.ready_file(name)
    env = {"READY": str(ready), "PATH": "/usr/bin:/bin"}
    command = ["/bin/sh", "-c", script]
    return Process(name, command, touched(ready), env=env, cwd=str(places.root), ready_file=ready)


def _plan(places: StatePlaces) -> Plan:
    scripts: dict[str, str] = json.loads((places.root / "dummies.json").read_text())
    table = {name: _process(places, name, script) for name, script in scripts.items()}
    for before, name in pairwise(scripts):
        table[name] = replace(table[name], after=(before,))
    facts = facts_of(places, USUAL, ensure_secrets(places.secrets, places.jwks), "postgresql:///", {})

    def publish(pids: Mapping[str, int]) -> None:
        replace(facts, pids=dict(pids)).write(places.facts)

    return Plan(list(table.values()), publish)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    places = StatePlaces(parser.parse_args().state)
    pace = replace(PACE, **json.loads((places.root / "pace.json").read_text()))
    sys.exit(supervise(places, lambda: _plan(places), pace))
