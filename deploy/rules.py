"""Which test shows which of the business's numbered rules: ``docs/rules.md``, made from the tests' marks.

Marks are read from the sources, without importing a test: quick, and the same on every machine. A number
is written out at its mark, and the test is one that pytest collects.
"""

import ast
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
STATED: Final = ROOT / "docs" / "rules.csv"
REPORT: Final = ROOT / "docs" / "rules.md"

_INTRODUCTION: Final = """\
# The business's rules and the tests that show them

Made by `make rules`; do not edit. The rules are [rules.csv](rules.csv): the business's own statement of how
its customer service works, numbered, with the phrase of its source (Chinese) and what it asks of Recourse.

A rule is *shown* when at least one test carries its number (`pytest.mark.rule`). A test shows of a rule what
its docstring says, which may be a part; a rule without a test is not shown, built or not.

* A **non-rule** is something people take for a rule: its test shows that it makes no difference.
* A **compliance** rule forbids a behaviour: its test shows that it does not happen.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    number: str
    cluster: str
    kind: str
    requirement: str


@dataclass(frozen=True, slots=True, order=True)
class MarkedTest:
    """A test function; ``path`` from the root of the project."""

    path: str
    name: str


def stated_rules() -> list[Rule]:
    """Return the rules in the order they are stated."""
    with STATED.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [Rule(row["id"], row["cluster"], row["kind"], row["requirement"]) for row in rows]


def marked_tests() -> dict[str, list[MarkedTest]]:
    """Return the tests that carry each number.

    Raises:
        ValueError: If a mark's number is not written out.
    """
    marked: dict[str, set[MarkedTest]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for number, name in marks_of_module(ast.parse(path.read_text(encoding="utf-8"))):
            marked[number].add(MarkedTest(path.relative_to(ROOT).as_posix(), name))
    return {number: sorted(tests) for number, tests in marked.items()}


def marks_of_module(module: ast.Module) -> Iterator[tuple[str, str]]:
    everywhere = _marks_of_all(module.body)
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _marks_of_tests(
                node.body, [*everywhere, *_decorators(node), *_marks_of_all(node.body)]
            )
        else:
            yield from _marks_of_tests([node], everywhere)


def _marks_of_tests(body: list[ast.stmt], inherited: list[str]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            for number in [*inherited, *_decorators(node)]:
                yield number, node.name


def _marks_of_all(body: list[ast.stmt]) -> list[str]:
    """Return the numbers of a module's or class's ``pytestmark``."""
    marks = [node.value for node in body if isinstance(node, ast.Assign) and _is_pytestmark(node)]
    return [number for mark in marks for number in _numbers_in(mark)]


def _is_pytestmark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def _decorators(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    return [number for decorator in node.decorator_list for number in _numbers_in(decorator)]


def _numbers_in(expression: ast.expr) -> Iterator[str]:
    """Give the number of every ``mark.rule(…)`` within, a parameter's own marks too."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.rule"):
            match node.args:
                case [ast.Constant(value=str(number))]:
                    yield number
                case _:
                    raise ValueError(f"write the rule's number out: {ast.unparse(node)}")


def report(rules: list[Rule], marked: Mapping[str, list[MarkedTest]]) -> str:
    """Return the coverage as Markdown.

    Raises:
        ValueError: If a mark carries a number that is not stated.
    """
    unknown = sorted(set(marked) - {rule.number for rule in rules})
    if unknown:
        places = [f"{number} ({marked[number][0].path})" for number in unknown]
        raise ValueError(f"no such rule: {', '.join(places)}")
    parts = [_INTRODUCTION, _summary(rules, marked)]
    by_cluster = sorted(rules, key=lambda rule: rule.cluster)
    for cluster, members in groupby(by_cluster, key=lambda rule: rule.cluster):
        parts.append(_table(cluster, list(members), marked))
    return "\n".join(parts)


def _summary(rules: list[Rule], marked: Mapping[str, list[MarkedTest]]) -> str:
    stated = Counter(rule.kind for rule in rules)
    shown = Counter(rule.kind for rule in rules if rule.number in marked)
    rows = [f"| {kind} | {stated[kind]} | {shown[kind]} |" for kind in sorted(stated)]
    total = f"| **all** | **{len(rules)}** | **{shown.total()}** |"
    head = ["## Summary", "", "| kind | stated | shown |", "| --- | ---: | ---: |"]
    return "\n".join([*head, *rows, total, ""])


def _table(cluster: str, rules: list[Rule], marked: Mapping[str, list[MarkedTest]]) -> str:
    shown = sum(rule.number in marked for rule in rules)
    head = [
        f"## {cluster[0].upper()}{cluster[1:]}",
        "",
        f"{shown} of {len(rules)} shown.",
        "",
        "| rule | kind | requirement | tests |",
        "| --- | --- | --- | --- |",
    ]
    rows = []
    for rule in rules:
        tests = "<br>".join(f"[{test.name}](../{test.path})" for test in marked.get(rule.number, []))
        requirement = rule.requirement.replace("|", "\\|")
        rows.append(f"| {rule.number} | {rule.kind} | {requirement} | {tests} |")
    return "\n".join([*head, *rows, ""])


def main() -> int:
    """Write the report; an unknown number is named and nothing is written."""
    try:
        text = report(stated_rules(), marked_tests())
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    REPORT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
