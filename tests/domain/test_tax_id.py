"""Tax ids are well formed or refused; a check character tells what was mistyped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc
from stdnum.eu import vat

from services.domain.tax_id import is_tax_id, is_uscc, is_vat_id, uscc_check

SYMBOLS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CODES = st.text(st.sampled_from(SYMBOLS), min_size=17, max_size=17)
VAT_IDS = ["ATU13585627", "BE0428759497", "DE136695976", "FR40303265045", "NL004495445B01", "PL8567346215"]


@given(CODES)
def test_the_check_character_is_the_standards(code):
    """As another implementation of GB 32100 works it out."""
    assert uscc_check(code) == uscc.calc_check_digit(code)


@given(CODES, st.integers(0, 17), st.sampled_from(SYMBOLS))
def test_one_wrong_symbol_is_always_noticed(code, place, symbol):
    """Whatever symbol it is, and wherever."""
    right = code + uscc_check(code)
    typed = right[:place] + symbol + right[place + 1 :]

    assert is_uscc(right)
    assert is_uscc(typed) == (typed == right)


@pytest.mark.parametrize("text", ["", "91310000775785552", "91310000775785552l", "9131000077578555OL"])
def test_what_has_not_the_shape_is_no_code(text):
    """Eighteen symbols, none of them I, O, S, V or Z."""
    assert not is_uscc(text)


@pytest.mark.parametrize("text", VAT_IDS)
def test_a_vat_id_states_its_country(text):
    """What the tax office would take is taken, and nothing shorter."""
    assert vat.is_valid(text)
    assert is_vat_id(text)
    assert is_tax_id(text, text[:2])
    assert not is_vat_id(text[:-1])
    assert not is_vat_id(text[2:])


def test_greece_has_letters_of_its_own():
    """EL, not GR."""
    assert is_tax_id("EL094259216", "GR")
    assert not is_tax_id("GR094259216", "GR")
