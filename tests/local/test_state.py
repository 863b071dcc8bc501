"""What the local stack keeps between runs: ports, secrets, facts, the database's lock."""

import dataclasses
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest

from deploy.local import postgres
from deploy.local.facts import StackFacts
from deploy.local.places import StatePlaces
from deploy.local.planning import facts_of
from deploy.local.ports import USUAL, choose, elsewhere
from deploy.local.postgres import Place, PostgresFailed
from deploy.local.processes import Manner, table
from deploy.local.secrets import SecretsBroken, ensure_secrets
from deploy.local.stack import Stack
from deploy.local.supervisor import StartFailed
from services.gateway.access import Role
from services.gateway.settings import GatewaySettings
from services.gateway.tokens import StaffIssuer, StaffKeys, Verifier
from tests.fixtures.services import free_port


@pytest.fixture
def places(tmp_path: Path) -> StatePlaces:
    places = StatePlaces(tmp_path / "state")
    places.make()
    return places


@pytest.fixture
def facts(places: StatePlaces) -> StackFacts:
    secrets = ensure_secrets(places.secrets, places.jwks)
    return facts_of(places, USUAL, secrets, "postgresql:///", {"order": 1})


def test_the_state_is_its_owner_s_alone(places: StatePlaces, facts: StackFacts):
    """The folder has mode 0700; secrets, public keys and facts 0600."""
    facts.write(places.facts)

    assert stat.S_IMODE(places.root.stat().st_mode) == 0o700
    files = [places.secrets, places.jwks, places.facts]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3


def test_the_facts_have_the_published_shape(places: StatePlaces, facts: StackFacts):
    """Whoever reads stack.json finds what the contract promises, under its names."""
    facts.write(places.facts)

    told = json.loads(places.facts.read_text())

    promised = {
        *("gateway", "console", "temporal", "temporal_ui", "sandbox", "mailbox", "stores", "store_id"),
        *("tokens", "webhook_secrets", "pids", "logs"),
    }
    assert promised <= told.keys()
    assert (told["gateway"], told["temporal"]) == ("http://127.0.0.1:8080", "127.0.0.1:7233")
    assert {store: set(keys) for store, keys in told["stores"].items()} == {
        "demo": {"token", "customer_key"},
        "other": {"token", "customer_key"},
    }
    assert told["store_id"] == "demo"
    assert told["tokens"].keys() == {"store", *(role.value for role in Role)}
    assert told["tokens"]["store"] == told["stores"]["demo"]["token"]
    assert [told["webhook_secrets"][name][:6] for name in ("carrier", "sandbox")] == ["whsec_", "whsec_"]
    assert StackFacts.read(places.facts) == facts


async def test_the_gateway_takes_the_staff_tokens(places: StatePlaces, facts: StackFacts):
    """Each token is that of one role at the first store, by the issuer that the gateway trusts."""
    settings = GatewaySettings()
    issuer = StaffIssuer(StaffKeys(str(places.jwks)), settings.staff_issuer, settings.staff_audience)
    verifier = Verifier(_NoApiKeys(), {}, issuer)

    callers = {role: await verifier.caller(facts.tokens[role]) for role in Role}

    assert {role: caller.actor.roles for role, caller in callers.items()} == {role: (role,) for role in Role}
    assert {caller.actor.actor_id for caller in callers.values()} == {f"{role}-1" for role in Role}
    assert {store for caller in callers.values() for store in caller.stores} == {"demo"}


class _NoApiKeys:
    async def store_of_key(self, key_hash: bytes) -> None:
        raise AssertionError("a staff token is no API key")


def test_secrets_are_made_once(places: StatePlaces):
    """A second start finds the same secrets: histories were sealed with them."""
    made = ensure_secrets(places.secrets, places.jwks)

    assert ensure_secrets(places.secrets, places.jwks) == made


@pytest.mark.parametrize("content", ['{"stores": {"demo": {"api_key": "rk_hush"}}}', "rk_hush"])
def test_broken_secrets_are_refused_without_being_shown(places: StatePlaces, content: str):
    """They are never made anew, and the message names the file but none of what is in it."""
    places.secrets.write_text(content)

    with pytest.raises(SecretsBroken) as refused:
        ensure_secrets(places.secrets, places.jwks)

    assert str(places.secrets) in str(refused.value)
    assert "rk_hush" not in str(refused.value)
    assert places.secrets.read_text() == content


def test_a_restart_keeps_its_ports(tmp_path: Path):
    """The chosen ports are found again, whether or not they are the usual ones."""
    remembered = tmp_path / "ports.json"
    chosen = choose(remembered, prefer_usual=False)

    assert choose(remembered) == chosen


def test_ports_that_are_taken_are_not_chosen(tmp_path: Path):
    """A server that listens keeps its port; the stack gets another, below the ephemeral range."""
    remembered = tmp_path / "ports.json"
    before = choose(remembered, prefer_usual=False)
    with socket.create_server(("127.0.0.1", before["order"])):
        chosen = choose(remembered, prefer_usual=False)

    assert chosen["order"] != before["order"]
    assert chosen["order"] in range(20000, 32000)
    assert {**chosen, "order": 0} == {**before, "order": 0}
    assert len(set(chosen.values())) == len(USUAL)


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Usual ports of which nobody on this machine has any."""
    ports = {"gateway": free_port(), "order": free_port()}
    monkeypatch.setattr("deploy.local.ports.USUAL", ports)
    return ports


def test_another_port_than_the_usual_one_is_told_with_who_has_that(tmp_path: Path, usual: dict[str, int]):
    """Only the server that is elsewhere is told of: its port, the one that was taken, and by whom."""
    remembered = tmp_path / "ports.json"
    with socket.create_server(("127.0.0.1", usual["gateway"])):
        chosen = choose(remembered)["gateway"]
        told = elsewhere(remembered)

    name = psutil.Process().name()
    why = f"its usual {usual['gateway']} is taken by {name} (process {os.getpid()})"
    assert told == [f"gateway       is on port {chosen}: {why}"]


def test_a_port_that_is_kept_is_told_as_kept(tmp_path: Path, usual: dict[str, int]):
    """When the usual port is free again, nobody is blamed for it: addresses survive a restart."""
    remembered = tmp_path / "ports.json"
    with socket.create_server(("127.0.0.1", usual["gateway"])):
        choose(remembered)
    chosen = choose(remembered)["gateway"]

    why = f"its usual {usual['gateway']} was taken once; it keeps this one"
    assert elsewhere(remembered) == [f"gateway       is on port {chosen}: {why}"]


def test_what_the_processes_are_told_agrees_with_the_facts(
    places: StatePlaces, monkeypatch: pytest.MonkeyPatch
):
    """With one's own PostgreSQL none is started, and everybody is told its address."""
    monkeypatch.setenv("RECOURSE_DATABASE_URL", "postgresql://example@127.0.0.1/own")

    processes = {process.name: process for process in table(places, USUAL, Manner())}

    assert "postgres" not in processes
    assert not any("postgres" in process.after for process in processes.values())
    order, gateway = processes["order"].env, processes["gateway"].env
    assert order["RECOURSE_DATABASE_URL"] == "postgresql://example@127.0.0.1/own"
    assert order["RECOURSE_SECRETS_FILE"] == str(places.secrets)
    assert gateway["RECOURSE_STAFF_JWKS"] == str(places.jwks)
    assert f"http://127.0.0.1:{USUAL['gateway']}/codec" in processes["temporal"].command
    assert gateway["RECOURSE_TEMPORAL_UI_URL"] == f"http://127.0.0.1:{USUAL['temporal-ui']}"


def test_the_policies_are_found_from_anywhere(places: StatePlaces, monkeypatch: pytest.MonkeyPatch):
    """The path told is whole, whatever folder a process starts in; one's own policies stay one's own."""
    monkeypatch.setenv("RECOURSE_DATABASE_URL", "postgresql://example@127.0.0.1/own")
    monkeypatch.delenv("RECOURSE_POLICIES_DIR", raising=False)

    usual = {process.name: process for process in table(places, USUAL, Manner())}["casework"]
    monkeypatch.setenv("RECOURSE_POLICIES_DIR", "/srv/policies")
    own = {process.name: process for process in table(places, USUAL, Manner())}["casework"]

    assert Path(usual.env["RECOURSE_POLICIES_DIR"]).is_absolute()
    assert (Path(usual.env["RECOURSE_POLICIES_DIR"]) / "uk.yaml").is_file()
    assert own.env["RECOURSE_POLICIES_DIR"] == "/srv/policies"


def test_only_a_lock_whose_process_id_went_to_another_program_is_removed(tmp_path: Path):
    """The lock of a dead server is PostgreSQL's own business, that of a living one holds."""
    place = dataclasses.replace(Place.for_state(tmp_path), data=tmp_path)
    lock = tmp_path / "postmaster.pid"

    lock.write_text(f"{os.getpid()}\n")
    place.await_end_of_predecessor()
    assert not lock.exists()

    # Larger than any process id.
    lock.write_text(f"{2**31 - 1}\n")
    place.await_end_of_predecessor()
    assert lock.exists()


def test_a_living_server_s_data_is_not_taken(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    """Two servers over one data directory would ruin it: the second start fails and names the first."""
    data = Path(postgres_url.partition("host=")[2])
    place = dataclasses.replace(Place.for_state(data.parent), data=data)
    monkeypatch.setattr("deploy.local.postgres._END_SECONDS", 0.1)

    with pytest.raises(PostgresFailed, match=r"another server \(process \d+\)"):
        place.await_end_of_predecessor()


def test_everybody_s_folders_are_not_trusted(tmp_path: Path):
    """Where root may only use a shared folder, one that somebody else has made there is refused."""
    shelter = tmp_path / "shelter"
    shelter.symlink_to(tmp_path)
    place = dataclasses.replace(Place.for_state(tmp_path), shelter=shelter, data=shelter / "postgres")

    with pytest.raises(PostgresFailed, match="belongs to somebody else"):
        place.prepare()


def test_a_folder_of_something_else_is_neither_used_nor_forgotten(tmp_path: Path):
    """A state folder is a stack's alone: `forget` removes it whole, so nothing else may be in it."""
    (tmp_path / "letter").write_text("dear reader")
    stack = Stack.at(tmp_path)

    with pytest.raises(StartFailed, match="holds something else"):
        stack.start()
    stack.forget()

    assert [entry.name for entry in tmp_path.iterdir()] == ["letter"]


def test_the_sheltered_binaries_run(monkeypatch: pytest.MonkeyPatch):
    """Where root's checkout is closed to others, a copy that `nobody` may run is used, and made once."""
    shelters = Path(tempfile.mkdtemp(prefix="recourse-tests-", dir="/var/tmp"))
    shelters.chmod(0o755)
    monkeypatch.setattr(postgres, "_SHELTERS", shelters)
    try:
        installation = postgres._sheltered_installation()

        command = [str(installation / "bin" / "initdb"), "--version"]
        user = "nobody" if os.geteuid() == 0 else None
        told = subprocess.run(
            command, user=user, cwd="/", env={}, capture_output=True, text=True, check=False
        )
        assert told.stdout.startswith("initdb (PostgreSQL)"), told.stderr
        assert postgres._sheltered_installation() == installation
        assert len(list(shelters.iterdir())) == 1
    finally:
        shutil.rmtree(shelters)
