"""House laws that no ready-made linter checks."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LISTED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
TRACKED = [ROOT / name for name in _LISTED.stdout.split("\0") if name and (ROOT / name).is_file()]
PYTHON = [path for path in TRACKED if path.suffix == ".py"]
PRODUCT = [path for path in PYTHON if path.relative_to(ROOT).parts[0] != "tests"]
SQL = [path for path in TRACKED if path.suffix == ".sql"]
LOCKS = [path for path in TRACKED if path.suffix == ".lock"]
PROTOS = [path for path in TRACKED if path.suffix == ".proto"]

LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# Split, so that this file does not break its own law.
PLACES = ["/wo" + "rk/", "/tm" + "p/brief", "../sh" + "ared"]
REGISTRIES = ["py" + "pi.org", "python" + "hosted", "npm" + "js", "crates" + ".io", "deb.deb" + "ian.org"]
WORKSHOP = [r"\bthe br" + "ief\\b", r"\bissue #?\d", r"\bL" + r"LM\b", r"\bAI ag" + "ent", r"\bsub" + "agent"]
FORBIDDEN = re.compile("|".join([re.escape(word) for word in PLACES + REGISTRIES] + WORKSHOP), re.IGNORECASE)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_file_outgrows_its_noun():
    """A file over 400 lines is a missing noun."""
    assert [_name(path) for path in PRODUCT if len(path.read_text().splitlines()) > LONGEST_FILE] == []


def test_no_function_outgrows_a_screen():
    """A function over 60 lines hides a step that deserves a name."""
    long = [
        f"{_name(path)}:{function.name}"
        for path in PRODUCT
        for function in _functions(path)
        if (function.end_lineno or 0) - function.lineno >= LONGEST_FUNCTION
    ]

    assert long == []


def test_columns_are_listed():
    """A query names its columns: a column added later does not change what it returns."""
    star = re.compile(r"\b(SELECT|RETURNING)\s+(\w+\.)?\*", re.IGNORECASE)

    assert [_name(path) for path in [*PRODUCT, *SQL] if star.search(path.read_text())] == []


def test_every_activity_call_names_its_options():
    """Deadline and retries of an effect are a named constant with its reason, never written at the call."""
    nameless = []
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not re.fullmatch(r"(execute|start)_(local_)?activity(_method|_class)?", node.func.attr):
                continue
            named = [word.value for word in node.keywords if word.arg is None]
            named = [
                value.args[0] if isinstance(value, ast.Call) and value.args else value for value in named
            ]
            literal = {word.arg for word in node.keywords} & {"retry_policy", "start_to_close_timeout"}
            if literal or not any(isinstance(value, ast.Name) and value.id.isupper() for value in named):
                nameless.append(f"{_name(path)}:{node.lineno}")

    assert nameless == []


def test_every_rpc_lists_its_errors_and_says_whether_it_may_be_repeated():
    """The comment of an rpc is its promise: the stable reasons, and whether to call again."""
    rpc = re.compile(r"((?:^ *//.*\n)*)^ *rpc (\w+)\(", re.MULTILINE)
    broken = [
        f"{_name(path)}:{name}"
        for path in PROTOS
        for comment, name in rpc.findall(path.read_text())
        if "Errors:" not in comment or not re.search("repeat", comment, re.IGNORECASE)
    ]

    assert broken == []


@pytest.mark.parametrize("lock", LOCKS, ids=_name)
def test_locks_are_pinned_hashed_and_know_no_address(lock):
    """What is installed is decided by its hash, wherever it comes from."""
    text = lock.read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)

    assert "//" not in text
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert [entry.splitlines()[0] for entry in entries if not re.match(r"[\w.\[\]-]+==", entry)] == []


def test_nothing_tells_of_the_machine_it_was_written_on():
    """No file names a place, a registry or a way of working that a reader of the project does not have."""
    found = []
    for path in TRACKED:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{_name(path)}: {match.group()}" for match in FORBIDDEN.finditer(text)]

    assert found == []


def test_types_are_never_excused():
    """No type error is ignored outside the tests."""
    excuse = re.compile(r"type:\s*ignore")

    assert [_name(path) for path in PRODUCT if excuse.search(path.read_text())] == []


def test_no_test_is_skipped():
    """A test runs or is deleted."""
    excuse = re.compile(r"pytest\.(skip|importorskip)\(|pytest\.mark\.(skip|xfail)")
    others = [path for path in PYTHON if path != Path(__file__)]

    assert [_name(path) for path in others if excuse.search(path.read_text())] == []
