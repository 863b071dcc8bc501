"""What the documentation says is held to the code, where a machine can tell."""

import ast
import re
from itertools import product
from pathlib import Path

from services.domain.accounts import CHART
from services.domain.errors import ERROR_KINDS
from services.domain.return_phases import TRANSITIONS, ReturnPhase

ROOT = Path(__file__).parents[2]
DOCS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))

_DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n(.*?)```", re.DOTALL)
_ARROW = re.compile(r"^\s*(\w+) --> (\w+)", re.MULTILINE)
_BOX = re.compile(r"state (\w+) \{([^}]*)\}")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_ROW = re.compile(r"^\| (\w+) \| \w+ \| ([A-Z_]+) \| (\d{3}) \| (yes|no) \|$", re.MULTILINE)
_TEST = re.compile(r"`(test_\w+)`")
_SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "References"]


def drawn(diagram: str) -> set[tuple[str, str]]:
    """Return the arrows of a state diagram; one from or to a box is one from or to each phase in it."""
    boxes = {name: inside.split() for name, inside in _BOX.findall(diagram)}
    arrows = _ARROW.findall(diagram)
    ends = [(boxes.get(source, [source]), boxes.get(target, [target])) for source, target in arrows]
    return {arrow for sources, targets in ends for arrow in product(sources, targets)}


def test_the_chart_of_accounts_is_the_one_in_the_code():
    """Every account is explained, with its kind, and no other is."""
    page = (ROOT / "docs" / "accounts.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE)

    assert dict(rows) == {account: kind.value for account, kind in CHART.items()}


def test_the_phases_are_drawn_as_they_are():
    """The picture has every step of the table and no other."""
    (diagram,) = _DIAGRAM.findall(ARCHITECTURE)
    steps = {(source, target) for source, targets in TRANSITIONS.items() for target in targets - {source}}

    assert drawn(diagram) == steps
    assert f"[*] --> {ReturnPhase.VERIFYING}" in diagram


def test_errors_cross_boundaries_as_it_is_written():
    """The table of errors is the code's."""
    written = {
        kind: (grpc, int(http), again == "yes") for kind, grpc, http, again in _ROW.findall(ARCHITECTURE)
    }
    crossings = ERROR_KINDS.items()

    assert written == {kind: (c.grpc_status, c.http_status, c.is_retryable) for kind, c in crossings}


def test_every_link_leads_to_a_file():
    """A reader who follows a link arrives."""
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in DOCS
        for target in _LINK.findall(page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert broken == []


def test_every_test_that_is_named_exists():
    """What is said to be shown is shown."""
    modules = list((ROOT / "tests").rglob("test_*.py"))
    known = {name for module in modules for name in re.findall(r"def (test_\w+)", module.read_text())}
    known |= {module.stem for module in modules}
    named = {(page.name, name) for page in DOCS for name in _TEST.findall(page.read_text())}

    assert sorted(one for one in named if one[1] not in known) == []


def test_every_task_has_a_runbook():
    """Whatever people are asked by a case, the runbooks name it."""
    runbook = (ROOT / "docs" / "runbooks" / "README.md").read_text()
    asked = {
        kind for path in (ROOT / "workflows").rglob("*.py") for kind in kinds_of(ast.parse(path.read_text()))
    }

    assert asked >= {"refund_stuck", "case_lost", "empty_box"}
    assert sorted(kind for kind in asked if f"`{kind}`" not in runbook) == []


def kinds_of(module: ast.Module) -> set[str]:
    """Return the kinds of task that a module asks for: an ``Ask``'s, an ``InboxTask``'s, or in ``kind``."""
    found: list[ast.expr] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found += node.args[:1] if node.func.id == "Ask" else []
            found += [
                word.value for word in node.keywords if node.func.id == "InboxTask" and word.arg == "kind"
            ]
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["kind"]:
            found += [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else []
    return {kind.value for kind in found if isinstance(kind, ast.Constant) and isinstance(kind.value, str)}


def test_every_decision_has_the_same_parts():
    """Context, a decision in one line that can be quoted, consequences, alternatives, references."""
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    odd = [
        page.name
        for page in DECISIONS
        if re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE) != _SECTIONS
    ]
    unquotable = [page.name for page in DECISIONS if not re.search(r"## Decision\n\n> \S", page.read_text())]

    assert (odd, unquotable) == ([], [])
    assert [page.name for page in DECISIONS if index.count(f"({page.name})") != 1] == []
    assert len({page.name[:4] for page in DECISIONS}) == len(DECISIONS)
