"""Identifiers tell typing errors, and derived ones tell repeats from different work."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.domain.ids import (
    CROCKFORD,
    CaseId,
    PaymentId,
    case_id,
    check_symbol,
    derived_id,
    is_case_id,
    refund_id_for,
    rma_for,
    task_id_for,
)

NUMBERS = st.integers(0, 32**7 - 1)
PARTS = st.lists(st.text("ab/~01", max_size=4), min_size=1, max_size=4)


@given(NUMBERS, NUMBERS)
def test_every_number_has_a_case_id_of_its_own(one: int, other: int) -> None:
    """Well formed, four and four symbols, and never that of another number."""
    assert is_case_id(case_id("RT", one))
    assert (case_id("RT", one) == case_id("RT", other)) is (one == other)


@pytest.mark.parametrize("number", [-1, 32**7])
def test_a_number_beyond_seven_symbols_is_refused(number: int) -> None:
    """The eighth symbol is the check."""
    with pytest.raises(ValueError, match="seven base-32 symbols"):
        case_id("RT", number)


@given(NUMBERS, st.integers(0, 7), st.sampled_from(CROCKFORD))
def test_a_single_wrong_symbol_is_always_noticed(number: int, at: int, wrong: str) -> None:
    """Doubling maps the 32 symbols onto themselves, so no other symbol gives the same sum."""
    symbols = case_id("RT", number)[3:].replace("-", "")
    assume(symbols[at] != wrong)
    typed = symbols[:at] + wrong + symbols[at + 1 :]

    assert not is_case_id(f"RT-{typed[:4]}-{typed[4:]}")


@given(NUMBERS, st.integers(0, 6))
def test_two_swapped_neighbours_are_noticed_unless_they_are_0_and_z(number: int, at: int) -> None:
    """0 and Z are the first and the last value: doubled, each stays what it is modulo 31."""
    symbols = case_id("RT", number)[3:].replace("-", "")
    pair = symbols[at : at + 2]
    assume(pair[0] != pair[1])
    typed = symbols[:at] + pair[::-1] + symbols[at + 2 :]

    assert is_case_id(f"RT-{typed[:4]}-{typed[4:]}") is (set(pair) == {"0", "Z"})


def test_which_neighbours_can_be_swapped_unnoticed() -> None:
    """Of all pairs, only 0 and Z; the check is exact about what it cannot see."""
    unseen = {
        frozenset((one, other))
        for one in CROCKFORD
        for other in CROCKFORD
        if one != other and check_symbol(one + other) == check_symbol(other + one)
    }

    assert unseen == {frozenset("0Z")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RT",
        "RT-0000-000",
        "RT-00000000",
        "RT-0000-00000",
        "RT-000-00000",
        "rt-0000-0000",
        "R1-0000-0000",
        "ÄÖ-0000-0000",
        "RTX-0000-0000",
        "RT-0000-000I",
        "RT-0000-000o",
        "RT-0000-0000-",
    ],
)
def test_what_only_looks_like_a_case_id_is_none(text: str) -> None:
    """Two capital letters, four and four symbols of the alphabet, and the right check."""
    assert is_case_id("RT-0000-0000")
    assert not is_case_id(text)


def test_a_symbol_outside_the_alphabet_has_no_check() -> None:
    """I, L, O and U are not in Crockford's alphabet."""
    with pytest.raises(ValueError, match="substring not found"):
        check_symbol("0I")


def test_the_rma_is_the_case_without_its_kind() -> None:
    """What stands on the parcel leads back to the case."""
    assert rma_for(CaseId("RT-7K3M-9QX1")) == "R7K3M9QX1"


@given(PARTS, PARTS)
@example(["/"], ["~1"])
@example(["a", "b"], ["a/b"])
def test_other_parts_make_another_id(one: list[str], other: list[str]) -> None:
    """The same work has the same id, other work another, also where a foreign id holds a slash."""
    assert (derived_id(*one) == derived_id(*other)) is (one == other)


def test_a_slash_in_a_part_does_not_shift_the_parts() -> None:
    """Receipt ``b/c`` of store ``a`` is not receipt ``c`` of store ``a/b``."""
    assert derived_id("receipt", "a", "b/c") != derived_id("receipt", "a/b", "c")


def test_each_leg_of_each_settlement_has_its_own_refund_id() -> None:
    """Case, settlement and payment make it; a task of the case never shares it."""
    case = CaseId("RT-7K3M-9QX1")
    ids = [
        refund_id_for(case, step, PaymentId(payment))
        for step in ("settle-1", "settle-2")
        for payment in ("a", "b")
    ]

    assert len({*ids, task_id_for(case, "settle-1")}) == 5
    assert ids[0] == refund_id_for(case, "settle-1", PaymentId("a"))
