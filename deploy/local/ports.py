"""Which port each server of the stack listens on: its usual one if it is free, and the same next time."""

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

USUAL: Final[Mapping[str, int]] = {
    "gateway": 8080,
    "temporal": 7233,
    "temporal-ui": 8233,
    "temporal-http": 7243,
    "temporal-metrics": 7234,
    "order": 7101,
    "warehouse": 7102,
    "payment": 7103,
    "notification": 7104,
    "casework": 7105,
    "sandbox": 7110,
    "mailbox": 7125,
}
# Below the kernel's ephemeral range: there, a process that is restarting could find its port
# taken by somebody's outgoing connection.
_OTHERS: Final = range(20000, 32000)


def choose(remembered: Path, *, prefer_usual: bool = True) -> dict[str, int]:
    """Return a free port for every server, and remember the choice in the file ``remembered``.

    What was chosen before is kept while it is free, so that addresses survive a restart.
    """
    before = json.loads(remembered.read_text()) if remembered.exists() else {}
    ports: dict[str, int] = {}
    for name, usual in USUAL.items():
        wanted = [before[name]] if name in before else []
        wanted += [usual] if prefer_usual else []
        ports[name] = next((port for port in wanted if _is_free(port, ports)), 0) or _another(ports)
    remembered.write_text(json.dumps(ports))
    return ports


def elsewhere(remembered: Path) -> list[str]:
    """Say of each server that is not on its usual port where it is, and who has that one."""
    chosen: dict[str, int] = json.loads(remembered.read_text()) if remembered.exists() else {}
    return [
        f"{name:<13} is on port {chosen[name]}: its usual {usual} {_why_not(usual)}"
        for name, usual in USUAL.items()
        if chosen.get(name, usual) != usual
    ]


def _why_not(port: int) -> str:
    if _is_free(port, {}):
        return "was taken once; it keeps this one"
    holder = _holder(port)
    return f"is taken by {holder}" if holder else "is taken"


def _holder(port: int) -> str:
    """Return who listens on a port, by name alone: its arguments may be secrets."""
    try:
        pids = [
            found.pid
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
        ]
        return f"{psutil.Process(pids[0]).name()} (process {pids[0]})" if pids else ""
    except psutil.Error:
        return ""


def _is_free(port: int, taken: Mapping[str, int]) -> bool:
    if port in taken.values():
        return False
    with socket.socket() as probe:
        # Connections that were closed a moment ago do not hinder a server either.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _another(taken: Mapping[str, int]) -> int:
    while True:
        port = random.choice(_OTHERS)  # noqa: S311 — no secret
        if _is_free(port, taken):
            return port
