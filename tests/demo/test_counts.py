"""The demo's counts: each says what it is made of, and one that does not add up is seen."""

from deploy.demo.counts import counts
from deploy.demo.run import Played
from tests.demo.conftest import EXAMPLES, WEEK


def test_every_count_adds_up(played: Played) -> None:
    """What the week and the examples hold, what was paid back, and what that is in the ledger."""
    found = counts(played, WEEK, EXAMPLES)

    assert all(count.adds_up for count in found)
    assert {count.what: count.total for count in found} == {
        "orders": 72,
        "payments": 73,
        "lines": 1034,
        "cases": 39,
        "refunds": 36,
        "ledger transactions": 145,
    }
    [cases] = [count for count in found if count.what == "cases"]
    assert cases.parts == [
        (19, "of the week"),
        (16, "by hand, refunded"),
        (1, "lapsed"),
        (2, "denied"),
        (1, "rejected"),
    ]


def test_a_case_that_is_missing_is_seen(played: Played) -> None:
    """The total is what had to be played, not what was."""
    played.reckoned.pop()

    wrong = [count.what for count in counts(played, WEEK, EXAMPLES) if not count.adds_up]

    assert wrong == ["cases", "refunds", "ledger transactions"]
