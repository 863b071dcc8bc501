"""Money is split without making or losing a minor unit."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.errors import CurrencyMismatch
from services.domain.money import Money, allocate, share_of_first

AMOUNTS = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any)


@given(AMOUNTS, WEIGHTS)
def test_parts_add_up_to_the_whole(units: int, weights: list[int]) -> None:
    """No minor unit is made or lost, also of a negative amount."""
    assert sum(allocate(units, weights)) == units


@given(AMOUNTS, WEIGHTS)
def test_each_part_is_within_one_unit_of_its_exact_share(units: int, weights: list[int]) -> None:
    """|part − units × weight / total| < 1, in whole numbers."""
    total = sum(weights)
    parts = allocate(units, weights)

    assert all(
        abs(part * total - units * weight) < total for part, weight in zip(parts, weights, strict=True)
    )


@given(AMOUNTS, WEIGHTS)
def test_a_part_without_weight_gets_nothing(units: int, weights: list[int]) -> None:
    """What has no share is not given a left-over unit either."""
    parts = allocate(units, [*weights, 0])

    assert parts[-1] == 0
    assert parts[:-1] == allocate(units, weights)


@given(st.integers(0, 100), st.integers(1, 20))
def test_equal_parts_give_the_left_over_to_the_earlier_ones(units: int, count: int) -> None:
    """The split is decided by position alone, so that every replay gives the same."""
    each, more = divmod(units, count)

    assert allocate(units, [7] * count) == [each + 1] * more + [each] * (count - more)


@pytest.mark.parametrize("weights", [[], [0, 0], [3, -1]])
def test_nothing_is_split_by_impossible_weights(weights: list[int]) -> None:
    """Empty, all-zero and negative weights are a bug of the caller."""
    with pytest.raises(ValueError, match="weights"):
        allocate(10, weights)


@given(st.integers(0, 10**12), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_any_sequence_of_partial_returns_adds_up(units: int, returns: list[int]) -> None:
    """Units a+1 … b carry share(b) − share(a): never negative, and together exactly the whole."""
    of = sum(returns)
    taken = [sum(returns[:index]) for index in range(len(returns) + 1)]
    shares = [
        share_of_first(units, end, of) - share_of_first(units, start, of) for start, end in pairwise(taken)
    ]

    assert sum(shares) == units
    assert min(shares) >= 0


@given(st.integers(0, 10**12), st.integers(1, 1000), st.data())
def test_a_share_is_the_nearest_to_the_exact_one(units: int, of: int, data: st.DataObject) -> None:
    """Rounded half up: never further than half a minor unit from units × taken / of."""
    taken = data.draw(st.integers(0, of))

    distance = 2 * (share_of_first(units, taken, of) * of - units * taken)
    assert -of < distance <= of


def test_the_last_unit_takes_the_rounding() -> None:
    """Of 1.00 for three units, the parts are 0.33, 0.34 and 0.33; of 0.01 for two, 0.01 and nothing."""
    thirds = [share_of_first(100, taken, 3) for taken in range(4)]
    halves = [share_of_first(1, taken, 2) for taken in range(3)]

    assert thirds == [0, 33, 67, 100]
    assert halves == [0, 1, 1]


@pytest.mark.parametrize(("taken", "of"), [(3, 2), (-1, 2), (0, 0)])
def test_no_more_units_are_taken_than_there_are(taken: int, of: int) -> None:
    """More units than the line has, fewer than none, and a line of none are a bug of the caller."""
    with pytest.raises(ValueError, match="cannot take"):
        share_of_first(100, taken, of)


def test_currencies_are_never_mixed() -> None:
    """Pounds and yen are neither added, subtracted nor compared."""
    pounds, yen = Money(100, "GBP"), Money(100, "JPY")

    for mixed in (
        lambda: pounds + yen,
        lambda: pounds - yen,
        lambda: pounds < yen,
        lambda: pounds <= yen,
        lambda: Money.total([pounds], "JPY"),
    ):
        with pytest.raises(CurrencyMismatch):
            mixed()


@given(st.lists(AMOUNTS, max_size=10), st.integers(0, 3))
def test_money_counts_like_its_minor_units(amounts: list[int], tail: int) -> None:
    """Sums, differences, order and emptiness are those of the counts."""
    money = [Money(amount, "KWD") for amount in amounts]
    total = Money.total(money, "KWD")
    less = Money(total.minor_units + tail, "KWD")

    assert total.minor_units == sum(amounts)
    assert (less - total, bool(less - total)) == (Money(tail, "KWD"), tail != 0)
    assert (total <= less, total < less) == (True, tail > 0)


@given(AMOUNTS, WEIGHTS)
def test_money_is_split_like_its_minor_units(units: int, weights: list[int]) -> None:
    """The parts keep the currency."""
    parts = Money(units, "JPY").allocate(weights)

    assert parts == [Money(part, "JPY") for part in allocate(units, weights)]
