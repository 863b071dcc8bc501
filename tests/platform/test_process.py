"""What every process does: log events, keep secrets, and refuse to start half told."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from services.platform.secrets import Secrets, load_secrets

LOGS = """
import logging, structlog
from services.platform.logging import configure
configure({format!r}, "order")
structlog.get_logger().info("refund.settled", refund_id="r-1")
logging.getLogger("somebody.else").warning("odd: %s", "thing")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger().exception("call.failed")
"""


def said(log_format: str) -> list[str]:
    """Run a process that logs, and return its lines."""
    program = LOGS.format(format=log_format)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_every_line_is_one_event_for_a_machine():
    """Ours and the libraries' alike: JSON, with time, level and process; a traceback is a member."""
    ours, theirs, failed = [json.loads(line) for line in said("json")]

    assert (ours["event"], ours["refund_id"], ours["process"]) == ("refund.settled", "r-1", "order")
    assert (theirs["event"], theirs["level"]) == ("odd: thing", "warning")
    assert "ZeroDivisionError" in failed["exception"]
    assert {"timestamp", "level", "process"} <= ours.keys() & theirs.keys()


def test_a_person_may_read_them_too():
    """On a terminal: words, no colours in a file."""
    first = said("console")[0]

    assert "refund.settled" in first
    assert "\x1b" not in first


def test_secrets_are_complete_and_do_not_show(secrets, tmp_path):
    """What is missing stops the process; what is there is never printed."""
    file = tmp_path / "secrets.json"
    with pytest.raises(OSError, match="No such file"):
        load_secrets(file)
    file.write_text("{}")
    with pytest.raises(ValidationError):
        load_secrets(file)

    members = {name: getattr(value, "get_secret_value", lambda v=value: v)() for name, value in secrets}
    file.write_text(json.dumps(members))

    loaded = load_secrets(file)
    assert loaded.sandbox_api_key.get_secret_value() == "sk_test_sandbox"
    assert "sk_test_sandbox" not in repr(loaded)
    assert isinstance(loaded, Secrets)
