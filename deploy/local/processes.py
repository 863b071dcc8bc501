"""The processes of the stack, as a table: what runs, after whom, with which environment, ready when."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.places import ROOT, StatePlaces
from deploy.local.postgres import HASTY, Place
from deploy.local.probes import Probe, accepts, answers, holds, touched
from workflows.names import SEARCH_ATTRIBUTES

SERVICES = ("order", "warehouse", "payment", "notification", "casework")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; it is started once everything in ``after`` is ready.

    ``ends_on`` asks it to end, ``dies_on`` ends it when its supervisor has died. What holds ``ready_file``
    makes it when it is ready.
    """

    name: str
    command: Sequence[str]
    is_ready: Probe
    after: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    cwd: str | None = None
    ends_on: signal.Signals = signal.SIGTERM
    dies_on: signal.Signals = signal.SIGKILL
    ready_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a stack is run.

    ``in_memory``: Temporal keeps nothing. ``hasty``: for tests; data may be lost with the machine, what dies
    is restarted at once, and no port is one that a stack for people would use.
    """

    in_memory: bool = False
    hasty: bool = False

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Manner":
        return cls(in_memory=arguments.in_memory, hasty=arguments.hasty)

    @property
    def flags(self) -> list[str]:
        """The manner on a command line, as `add_flags` takes it."""
        chosen = {"--in-memory": self.in_memory, "--hasty": self.hasty}
        return [flag for flag, is_on in chosen.items() if is_on]


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--in-memory", action="store_true", help="Temporal keeps nothing")
    parser.add_argument("--hasty", action="store_true", help="for tests: quick rather than safe, other ports")


def database_url(places: StatePlaces) -> str:
    """Return the address of the stack's PostgreSQL: one's own if RECOURSE_DATABASE_URL names it."""
    return os.environ.get("RECOURSE_DATABASE_URL") or Place.for_state(places.root).url


def table(places: StatePlaces, ports: Mapping[str, int], manner: Manner) -> list[Process]:
    """Return every process of the stack, those that others use first."""
    env = _environment(places, ports)
    has_database = "RECOURSE_DATABASE_URL" not in os.environ
    postgres = ("postgres",) if has_database else ()
    python = [_module(name, ports[name], env, postgres) for name in SERVICES]
    sandbox = Process(
        "sandbox",
        [sys.executable, "-m", "services.sandbox"],
        answers(f"http://127.0.0.1:{ports['sandbox']}/readyz"),
        env=env,
    )
    ready = places.ready_file("worker")
    worker = Process(
        "worker",
        [sys.executable, "-m", "workflows.worker"],
        touched(ready),
        env={**env, "RECOURSE_READY_FILE": str(ready)},
        ready_file=ready,
    )
    gateway = Process(
        "gateway",
        [sys.executable, "-m", "services.gateway"],
        answers(f"http://127.0.0.1:{ports['gateway']}/readyz"),
        after=postgres,
        env=env,
    )
    database = [_postgres(places, manner)] if has_database else []
    return [
        *database,
        _temporal(places, ports, manner),
        _mailbox(places, ports),
        sandbox,
        *python,
        worker,
        gateway,
    ]


def _environment(places: StatePlaces, ports: Mapping[str, int]) -> dict[str, str]:
    addresses = {f"RECOURSE_{name.upper()}_ADDRESS": f"127.0.0.1:{ports[name]}" for name in SERVICES}
    return {
        "RECOURSE_POLICIES_DIR": str(ROOT / "deploy" / "policies"),
        "RECOURSE_SELLERS_FILE": str(ROOT / "deploy" / "sellers.yaml"),
        **os.environ,
        **addresses,
        "RECOURSE_DATABASE_URL": database_url(places),
        "RECOURSE_TEMPORAL_ADDRESS": f"127.0.0.1:{ports['temporal']}",
        "RECOURSE_TEMPORAL_UI_URL": f"http://127.0.0.1:{ports['temporal-ui']}",
        "RECOURSE_SANDBOX_URL": f"http://127.0.0.1:{ports['sandbox']}",
        "RECOURSE_GATEWAY_URL": f"http://127.0.0.1:{ports['gateway']}",
        "RECOURSE_SMTP_PORT": str(ports["mailbox"]),
        "RECOURSE_DATA_DIR": str(places.root),
        "RECOURSE_SECRETS_FILE": str(places.secrets),
        "RECOURSE_STAFF_JWKS": str(places.jwks),
        "RECOURSE_TEST_CLOCK": "true",
        "RECOURSE_WEBHOOKS_TO_LOOPBACK": "true",
        "PYTHONUNBUFFERED": "1",
    }


def _postgres(places: StatePlaces, manner: Manner) -> Process:
    place = Place.for_state(places.root)
    place.prepare()
    place.await_end_of_predecessor()
    # SIGINT: PostgreSQL ends at once and cleanly, without waiting for its clients.
    return Process(
        "postgres",
        place.command(*(HASTY if manner.hasty else ())),
        holds(place.is_accepting),
        user=place.user,
        cwd="/",
        ends_on=signal.SIGINT,
        dies_on=signal.SIGINT,
    )


def _temporal(places: StatePlaces, ports: Mapping[str, int], manner: Manner) -> Process:
    binary = Path(sys.executable).parent / "temporal"
    where = {
        "--ip": "127.0.0.1",
        "--port": str(ports["temporal"]),
        "--http-port": str(ports["temporal-http"]),
        "--ui-port": str(ports["temporal-ui"]),
        "--metrics-port": str(ports["temporal-metrics"]),
        "--ui-codec-endpoint": f"http://127.0.0.1:{ports['gateway']}/codec",
        "--log-level": "warn",
        "--dynamic-config-value": "frontend.WorkflowTimeSkippingEnabled=true",
    }
    flags = [word for pair in where.items() for word in pair]
    flags += [f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()]
    flags.append("--ui-disable-news-fetch")
    if not manner.in_memory:
        flags += ["--db-filename", str(places.temporal)]
        flags += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"]
    ready = answers(f"http://127.0.0.1:{ports['temporal-http']}/api/v1/namespaces/default")
    return Process("temporal", [str(binary), "server", "start-dev", *flags], ready)


def _mailbox(places: StatePlaces, ports: Mapping[str, int]) -> Process:
    port = ports["mailbox"]
    flags = ["--port", str(port), "--directory", str(places.mailbox)]
    return Process("mailbox", [sys.executable, "-m", "deploy.local.mailbox", *flags], accepts(port))


def _module(name: str, port: int, env: Mapping[str, str], after: tuple[str, ...]) -> Process:
    return Process(name, [sys.executable, "-m", f"services.{name}"], accepts(port), after, env)
