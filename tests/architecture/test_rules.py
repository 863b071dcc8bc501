"""The business's numbered rules: every mark names one, and the report says what the marks say."""

import ast

import pytest

from deploy.rules import REPORT, MarkedTest, Rule, marked_tests, marks_of_module, report, stated_rules

MARKED = """
pytestmark = [pytest.mark.e2e, pytest.mark.rule("S001")]

@pytest.mark.rule("S002")
@pytest.mark.parametrize("paid", [pytest.param(1, marks=pytest.mark.rule("S003")), 2])
async def test_one(): ...

@pytest.mark.rule("S004")
class TestMore:
    def test_two(self): ...

@pytest.mark.rule("S005")
def only_a_builder(): ...
"""


def test_every_marked_rule_is_stated_and_the_report_is_current():
    """`make rules` changes nothing: a number that is not stated, or a stale report, fails here."""
    assert REPORT.read_text(encoding="utf-8") == report(stated_rules(), marked_tests())


def test_rules_are_numbered_once():
    """Two statements never share a number."""
    numbers = [rule.number for rule in stated_rules()]

    assert len(numbers) == len(set(numbers)) > 0


def test_a_mark_is_found_wherever_pytest_takes_it():
    """On the function, on a parameter, on the class, on the module; not on what is no test."""
    assert sorted(marks_of_module(ast.parse(MARKED))) == [
        ("S001", "test_one"),
        ("S001", "test_two"),
        ("S002", "test_one"),
        ("S003", "test_one"),
        ("S004", "test_two"),
    ]


def test_an_unknown_number_is_refused():
    """A typing error in a mark is named with its file."""
    rules = [Rule("S001", "intake", "check", "Look")]

    with pytest.raises(ValueError, match=r"no such rule: S999 \(tests/test_it.py\)"):
        report(rules, {"S999": [MarkedTest("tests/test_it.py", "test_it")]})


def test_a_number_is_written_out():
    """A number that is put together cannot be read without running the test."""
    marked = ast.parse("@pytest.mark.rule(NUMBER)\ndef test_it(): ...")

    with pytest.raises(ValueError, match="write the rule's number out"):
        list(marks_of_module(marked))
