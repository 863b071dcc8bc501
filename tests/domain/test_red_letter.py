"""A red letter's form: who may do what to it, and until when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.domain.errors import RedLetterNotConfirmed
from services.domain.invoice import DocumentCause
from services.domain.red_letter import (
    ISSUABLE,
    TRANSITIONS,
    WAITING,
    Confirmation,
    RedForm,
    RedReason,
    advance,
    reason_for,
)
from tests.builders import NOW

FORM = RedForm("r-1", "blue", 400, RedReason.GOODS_RETURNED, Confirmation.ENTERED_BY_SELLER, NOW)
VALID = timedelta(hours=72)


@pytest.mark.parametrize("target", Confirmation)
@pytest.mark.parametrize("current", Confirmation)
def test_a_form_gets_one_answer(current, target):
    """Only one that waits gets any; staying is always allowed."""
    if target is current or (current in WAITING and target in TRANSITIONS[current]):
        assert advance(current, target) is target
        return
    with pytest.raises(RedLetterNotConfirmed):
        advance(current, target)


@pytest.mark.parametrize("state", Confirmation)
def test_what_waited_for_72_hours_is_void(state):
    """To the instant; what has its answer keeps it."""
    form = replace(FORM, confirmation=state)

    assert form.at(NOW + VALID - timedelta(microseconds=1), VALID) is state
    assert form.at(NOW + VALID, VALID) is (Confirmation.VOID if state in WAITING else state)


def test_nothing_that_waits_or_died_may_be_issued():
    """Confirmed, or nothing to confirm."""
    assert {Confirmation.NOT_NEEDED, Confirmation.CONFIRMED} == ISSUABLE


def test_a_cause_has_its_reason_on_the_form():
    """An invoice that was wrong, goods that came back, money back without them."""
    assert reason_for(DocumentCause.REISSUE, has_goods_back=False) is RedReason.INVOICE_ERROR
    assert reason_for(DocumentCause.REFUND, has_goods_back=True) is RedReason.GOODS_RETURNED
    assert reason_for(DocumentCause.REFUND, has_goods_back=False) is RedReason.ALLOWANCE
