"""``python -m deploy.local up | down | status | forget``."""

import argparse
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil

from deploy.local.processes import Manner, add_flags
from deploy.local.stack import Stack
from deploy.local.status import ProcessStatus, StackStatus
from deploy.local.supervisor import StartFailed

_MIB = 1024 * 1024
_ROW = "{:<13} {:>7}  {:<11} {:>8}  {:>16}  {:>9}  {}"


def main() -> int:
    """Do what the command line says; 1 when it could not be done."""
    parser = argparse.ArgumentParser(prog="deploy.local", description="The whole stack on this machine.")
    parser.add_argument("command", choices=["up", "down", "status", "forget"])
    parser.add_argument("--state", type=Path, default=Path(".local"), help="the folder of its state")
    add_flags(parser)
    arguments = parser.parse_args()
    stack = Stack.at(arguments.state)
    match arguments.command:
        case "up":
            return _up(stack, Manner.of(arguments))
        case "down":
            _say("stopped" if stack.stop() else "nothing is running")
            return 0
        case "forget":
            stack.forget()
            _say(f"stopped, and forgotten: {stack.places.root}")
            return 0
        case _:
            return _status(stack)


def _up(stack: Stack, manner: Manner) -> int:
    was_running = stack.is_running()
    started = time.monotonic()
    try:
        facts = stack.start(manner, say=_say)
    except StartFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    took = "was running already" if was_running else f"is up after {time.monotonic() - started:.1f} s"
    _say(f"the stack {took}")
    _say(f"  API          {facts.gateway}/docs")
    _say(f"  Temporal UI  {facts.temporal_ui}")
    _say(f"  mail         {facts.mailbox}")
    _say(f"  facts        {stack.places.facts}")
    return 0


def _status(stack: Stack) -> int:
    status = stack.status()
    if status is None:
        last = StackStatus.read(stack.places)
        _say(f"nothing is running{f': {last.failure}' if last and last.failure else ''}")
        return 1
    _say(_ROW.format("process", "pid", "state", "restarts", "uptime", "memory", "log"))
    supervisor = _memory(status.supervisor, with_children=False)
    total = supervisor + sum(_show(name, process) for name, process in status.processes.items())
    _say(_ROW.format("supervisor", status.supervisor, status.state, "", "", _mebibytes(supervisor), ""))
    _say(f"together {_mebibytes(total)} (each page counted once)")
    return 0


def _show(name: str, process: ProcessStatus) -> int:
    """Print a row; returns the memory in bytes."""
    memory = _memory(process.pid, with_children=True) if process.pid else 0
    uptime = str(timedelta(seconds=int(time.time() - process.since))) if process.since else "-"
    row = (name, process.pid or "-", process.state, process.restarts, uptime, _mebibytes(memory), process.log)
    _say(_ROW.format(*row))
    return memory


def _say(line: str) -> None:
    """Print a line; once whoever read it has had enough, the rest is done in silence."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _mebibytes(memory: int) -> str:
    return f"{memory / _MIB:.0f} MiB"


def _memory(pid: int, *, with_children: bool) -> int:
    """Return the proportional share of memory (PSS) of a process, in bytes."""
    try:
        one = psutil.Process(pid)
        family = [one, *(one.children(recursive=True) if with_children else [])]
        return sum(int(member.memory_full_info().pss) for member in family)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    sys.exit(main())
