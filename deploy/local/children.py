"""Child processes that die with their parent, however it dies."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import leash


def on_leash(command: Sequence[str], dies_on: signal.Signals = signal.SIGTERM, user: str = "") -> list[str]:
    """Return ``command`` so that its process, the same one, is sent ``dies_on`` when its parent ends.

    The parent is, to the kernel, the thread that started it. Nothing of ours runs between fork and exec: with
    threads of gRPC around, the child has been seen to abort there. It runs as ``user``, or as its parent.

    Raises:
        FileNotFoundError: If there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(command[0])
    return [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(int(dies_on)), user, *command]


def spawn(
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    cwd: str | None = None,
    *,
    dies_on: signal.Signals = signal.SIGTERM,
) -> "subprocess.Popen[bytes]":
    """Start ``command`` with its output appended to ``log``; it is sent ``dies_on`` when its parent ends."""
    with log.open("ab") as output:
        return subprocess.Popen(
            on_leash(command, dies_on, user or ""),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
        )
