"""The local stack's supervisor, over real processes that do nothing."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from deploy.local.__main__ import _status, _up
from deploy.local.facts import StackFacts
from deploy.local.ports import USUAL
from deploy.local.processes import Manner
from deploy.local.stack import NotRunning
from deploy.local.status import Condition
from deploy.local.supervisor import Pace, StartFailed
from tests.local.conftest import SLEEP, DummyStack

IsGone = Callable[[int], bool]


def test_a_process_starts_after_those_it_needs_and_all_are_told_of(a_stack: DummyStack):
    """`start` returns when everything is ready, in order, and says what it does."""
    log = "echo {0} >> order; {1}"
    stack = a_stack(first="sleep 0.2; " + log.format("first", SLEEP), second=log.format("second", SLEEP))
    said: list[str] = []

    facts = stack.start(say=said.append)

    assert (stack.places.root / "order").read_text().split() == ["first", "second"]
    ready = [line.split()[0] for line in said if line.endswith(" ready")]
    assert ready == ["first", "second"]
    assert {name: psutil.Process(pid).name() for name, pid in facts.pids.items()} == {
        "first": "sleep",
        "second": "sleep",
    }


def test_a_start_says_what_it_waits_for_and_which_port_is_not_the_usual_one(
    a_stack: DummyStack, monkeypatch: pytest.MonkeyPatch
):
    """Silence would look like standing still; and whoever wants to open an address has to be told of it."""
    monkeypatch.setattr("deploy.local.narration.REMIND_SECONDS", 0.2)
    stack = a_stack(slow=f"while [ ! -e go ]; do sleep 0.02; done; {SLEEP}")
    stack.places.ports.write_text(json.dumps({**USUAL, "gateway": 23456}))
    said: list[str] = []

    def listen(line: str) -> None:
        said.append(line)
        if line.endswith("s: still waiting for slow"):
            (stack.places.root / "go").touch()

    stack.start(say=listen)

    assert [line for line in said if " is on port 23456: its usual 8080 " in line] == said[-1:]


def test_a_killed_process_is_restarted_and_the_facts_follow(a_stack: DummyStack, is_gone: IsGone):
    """After a kill there is a new process, one more restart, and its pid in stack.json; the rest lives on."""
    stack = a_stack(first=SLEEP, second=SLEEP)
    before = stack.start()

    stack.kill("first")
    status = stack.wait_ready("first")

    after = stack.facts()
    assert is_gone(before.pids["first"])
    assert (status.restarts, status.pid) == (1, after.pids["first"])
    assert after == StackFacts(**{**dataclasses.asdict(before), "pids": {**before.pids, "first": status.pid}})


def test_nothing_outlives_a_killed_supervisor(a_stack: DummyStack, is_gone: IsGone):
    """SIGKILL of the supervisor ends its processes, also those that ignore SIGTERM; a new start works."""
    stack = a_stack({"end_within": 1}, stubborn=f"trap '' TERM; {SLEEP}", first=SLEEP)
    facts = stack.start()
    status = stack.status()
    assert status is not None

    os.kill(status.supervisor, signal.SIGKILL)
    assert is_gone(status.supervisor)

    assert all(is_gone(pid) for pid in facts.pids.values())
    with pytest.raises(NotRunning):
        stack.facts()
    assert stack.start().pids.keys() == facts.pids.keys()


def test_a_second_start_finds_the_running_stack(a_stack: DummyStack, capsys: pytest.CaptureFixture[str]):
    """Starting what runs already changes nothing and says so."""
    stack = a_stack(first=SLEEP)
    facts = stack.start()

    exit_status = _up(stack, Manner())

    assert exit_status == 0
    assert "was running already" in capsys.readouterr().out
    assert stack.facts() == facts


def test_of_two_simultaneous_starts_one_starts_and_both_wait(a_stack: DummyStack):
    """Both calls return the same facts when everything is ready."""
    stack = a_stack(first=f"echo once >> starts; sleep 0.3; {SLEEP}")

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: stack.start(), range(2))

    assert one == other
    assert (stack.places.root / "starts").read_text().split() == ["once"]


def test_a_start_during_a_stop_waits_for_it(a_stack: DummyStack):
    """A stack that is being stopped is not mistaken for a running one."""
    stack = a_stack(slow="trap 'sleep 0.5; exit' TERM; touch \"$READY\"; while :; do sleep 0.05; done")
    before = stack.start()

    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(stack.stop)
        while (status := stack.status()) is not None and status.state is Condition.READY:
            time.sleep(0.01)
        after = stack.start()

    assert stopping.result() is True
    assert after.pids["slow"] != before.pids["slow"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "echo a strange error; exit 3",
            "ended while the stack was starting (exit status 3)\n  a strange error",
        ),
        ("echo still waiting; exec sleep 600", "is not ready after 5 s\n  still waiting"),
    ],
    ids=["dies", "hangs"],
)
def test_a_failed_start_says_which_process_why_and_where_its_log_is(
    a_stack: DummyStack, capsys: pytest.CaptureFixture[str], script: str, why: str
):
    """The message has the last lines of this run alone; nothing is left running, not even for status."""
    first = 'touch "$READY"; echo $$ > pid; exec sleep 600'
    stack = a_stack({"ready_within": 5}, first=first, broken=script)
    log = stack.places.log("broken")
    log.write_text("an old line\n")

    exit_status = _up(stack, Manner())

    assert exit_status == 1
    assert capsys.readouterr().err == f"broken {why}\nits log: {log}\n"
    assert not psutil.pid_exists(int((stack.places.root / "pid").read_text()))
    assert not stack.places.facts.exists()
    assert _status(stack) == 1
    assert f"nothing is running: broken {why}" in capsys.readouterr().out


def test_whoever_waits_for_another_start_is_told_of_its_failure(a_stack: DummyStack):
    """Both starts fail with the same words; the second one does not try again."""
    stack = a_stack(broken="echo once >> starts; while [ ! -e go ]; do sleep 0.02; done; exit 1")
    looks = [threading.Event(), threading.Event()]

    with ThreadPoolExecutor(2) as pool:
        attempts = []
        for seen in looks:
            attempts.append(pool.submit(stack.start, say=lambda _, seen=seen: seen.set()))
            assert seen.wait(20)
        (stack.places.root / "go").touch()
        failures = [attempt.exception() for attempt in attempts]

    assert [type(failure) for failure in failures] == [StartFailed, StartFailed]
    assert str(failures[0]) == str(failures[1])
    assert (stack.places.root / "starts").read_text().split() == ["once"]


def test_stopping_goes_in_reverse_and_ends_what_does_not_listen(a_stack: DummyStack, is_gone: IsGone):
    """The last one started ends first; one that ignores the request is killed after a bounded time."""
    listening = "trap 'echo {0} >> order; exit' TERM; touch \"$READY\"; while :; do sleep 0.05; done"
    stubborn = f"trap '' TERM; {SLEEP}"
    scripts = {"first": listening.format("first"), "stubborn": stubborn, "last": listening.format("last")}
    stack = a_stack({"end_within": 5}, **scripts)
    facts = stack.start()

    was_running = stack.stop()

    assert was_running
    assert (stack.places.root / "order").read_text().split() == ["last", "first"]
    assert all(is_gone(pid) for pid in facts.pids.values())
    assert not stack.places.facts.exists()
    assert stack.stop() is False


def test_forgetting_stops_the_stack_and_leaves_nothing(a_stack: DummyStack, is_gone: IsGone):
    """No process and no file of it remains."""
    stack = a_stack(first=SLEEP)
    facts = stack.start()

    stack.forget()

    assert is_gone(facts.pids["first"])
    assert not stack.places.root.exists()


def test_a_stack_of_a_test_ends_with_it(a_stack: DummyStack):
    """With a parent, the whole stack ends when the process that started it is killed."""
    stack = a_stack(first=SLEEP)
    program = (
        "import sys; from pathlib import Path; from deploy.local.places import StatePlaces;"
        "from deploy.local.stack import Stack;"
        "Stack(StatePlaces(Path(sys.argv[1])), tuple(sys.argv[2:])).start(with_parent=True);"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", program, str(stack.places.root), *stack.supervisor]

    done = subprocess.run(command, check=False)

    assert done.returncode == -signal.SIGKILL
    give_up_at = time.monotonic() + 30
    while stack.is_running() and time.monotonic() < give_up_at:
        time.sleep(0.02)
    assert not stack.is_running()
    assert not stack.places.facts.exists()


def test_the_environment_reaches_every_process(a_stack: DummyStack):
    """What a start adds to the environment is what its supervisor, and so its processes, see."""
    stack = a_stack(first=SLEEP)

    stack.start(env={"RECOURSE_EXAMPLE": "1"})

    status = stack.status()
    assert status is not None
    assert psutil.Process(status.supervisor).environ()["RECOURSE_EXAMPLE"] == "1"


def test_a_long_log_is_set_aside_at_the_next_start(a_stack: DummyStack):
    """A log is appended to until it is longer than its bound; then one older generation is kept."""
    stack = a_stack(first=f"echo new; {SLEEP}")
    log: Path = stack.places.log("first")
    log.write_text("old\n" * 300)

    stack.start()
    stack.kill("first")
    stack.wait_ready("first")

    assert log.read_text() == "new\nnew\n"
    assert log.with_suffix(".log.1").read_text() == "old\n" * 300


def test_the_wait_before_a_restart_doubles_up_to_a_bound_and_starts_again_after_a_steady_life():
    """1, 2, 4 … 30 s; a process that lived for a minute counts as sound again."""
    pace = Pace()
    waits = [pace.back_off(None, 0.1)]
    while len(waits) < 7:
        waits.append(pace.back_off(waits[-1], 0.1))

    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert pace.back_off(30, 60) == 1


def test_status_shows_every_process(a_stack: DummyStack, capsys: pytest.CaptureFixture[str]):
    """Name, pid, state, restarts, uptime, memory and log; and the sum of the memory."""
    stack = a_stack(first=SLEEP)
    facts = stack.start()

    assert _status(stack) == 0

    header, first, _, together = capsys.readouterr().out.splitlines()
    assert header.split() == ["process", "pid", "state", "restarts", "uptime", "memory", "log"]
    name, pid, state, restarts, uptime, memory, unit, log = first.split()
    assert (name, int(pid), state, restarts) == ("first", facts.pids["first"], "ready", "0")
    assert re.fullmatch(r"0:0\d:\d\d", uptime)
    assert (memory.isdigit(), unit) == (True, "MiB")
    assert Path(log) == stack.places.log("first")
    assert together.startswith("together ")


@pytest.mark.parametrize("command", ["up", "status", "down", "forget"])
def test_a_command_ends_quietly_when_nobody_reads_on(a_stack: DummyStack, is_gone: IsGone, command: str):
    """As in `make status | head -1`: it does what it is for, and neither complains nor fails."""
    stack = a_stack(first=SLEEP)
    stack.start()
    status = stack.status()
    assert status is not None
    read, write = os.pipe()
    os.close(read)

    program = [sys.executable, "-m", "deploy.local", command, "--state", str(stack.places.root)]
    done = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)

    assert (done.returncode, done.stderr) == (0, "")
    assert stack.is_running() or is_gone(status.supervisor)
    assert stack.is_running() is (command in {"up", "status"})


def test_a_start_goes_on_when_nobody_reads_on(a_stack: DummyStack):
    """`make up | head -1` has started the stack all the same."""
    stack = a_stack(first=SLEEP)
    program = (
        "import sys; from pathlib import Path; from deploy.local.__main__ import _up;"
        "from deploy.local.places import StatePlaces; from deploy.local.processes import Manner;"
        "from deploy.local.stack import Stack;"
        "sys.exit(_up(Stack(StatePlaces(Path(sys.argv[1])), tuple(sys.argv[2:])), Manner()))"
    )
    command = [sys.executable, "-c", program, str(stack.places.root), *stack.supervisor]
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)

    assert (done.returncode, done.stderr) == (0, "")
    assert stack.is_running()
