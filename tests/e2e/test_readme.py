"""What the README says to paste does what it says, as often as it is pasted."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.local.places import ROOT
from deploy.local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.heavy, pytest.mark.timeout(600)]

# The stack runs already.
_PRELUDE = "make() { :; }\n"


@pytest.fixture
def clone(stack: Stack, tmp_path: Path) -> Path:
    """A folder that looks as a clone does after `make up`, as far as the README's lines look."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / ".local").symlink_to(stack.places.root)
    return tmp_path


@pytest.fixture
def pasted(clone: Path) -> list[list[dict[str, Any]]]:
    """The answers that the README's API example prints, pasted twice."""
    [example] = re.findall(
        r"^```bash\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    runs = []
    for _ in range(2):
        command = ["bash", "-c", _PRELUDE + example]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True, timeout=240)
        assert done.stderr == ""
        runs.append(documents(done.stdout))
    return runs


def documents(printed: str) -> list[dict[str, Any]]:
    """Read JSON documents printed one after the other, each in lines that people can read."""
    decoder, found = json.JSONDecoder(), []
    while printed := printed.lstrip():
        document, end = decoder.raw_decode(printed)
        assert "\n" in printed[:end], printed[:end]
        found.append(document)
        printed = printed[end:]
    return found


def test_the_api_example_can_be_pasted_again(pasted: list[list[dict[str, Any]]]):
    """Each time it is another order's return: sold, decided, received, judged, refunded, explained."""
    for order, opened, receipt, inspection, case, explained in pasted:
        assert opened["order_id"] == order["order_id"]
        assert opened["decision"]["verdict"] == "allow"
        assert receipt["case_id"] == case["case_id"] == opened["case_id"]
        assert inspection["rma"] == opened["return"]["rma"]
        assert (case["phase"], [refund["status"] for refund in case["refunds"]]) == (
            "refunded",
            ["succeeded"],
        )
        assert explained["refund"] == {"amount": 510, "currency": "GBP"}
    first, second = (run[1]["case_id"] for run in pasted)
    assert first != second
