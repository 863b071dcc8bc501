"""Who answers for what follows the stated reason, and decides the freight."""

import pytest

from services.domain.case import Reason
from services.domain.decision import FreightPayer
from services.domain.liability import evidence_for, freight_payer, is_merchants
from tests.builders import a_policy

CUSTOMERS = {Reason.CHANGED_MIND, Reason.WRONG_SIZE, Reason.DUPLICATE_ORDER, Reason.OTHER}
BY_POLICY = {Reason.ARRIVED_LATE}
WITH_EVIDENCE = {
    Reason.DEFECTIVE,
    Reason.NOT_AS_DESCRIBED,
    Reason.WRONG_ITEM,
    Reason.DAMAGED_IN_TRANSIT,
    Reason.MISSING_PARTS,
    Reason.COUNTERFEIT,
}


@pytest.mark.rule("S254")
@pytest.mark.rule("S255")
@pytest.mark.parametrize("reason", Reason)
def test_the_freight_follows_the_fault(reason: Reason) -> None:
    """Nothing wrong: the customer pays; anything wrong: the shop does."""
    pays = freight_payer([reason], a_policy(arrived_late_freight=FreightPayer.CUSTOMER))

    is_customers = reason in CUSTOMERS | BY_POLICY
    assert pays is (FreightPayer.CUSTOMER if is_customers else FreightPayer.MERCHANT)
    assert is_merchants(reason) is not is_customers


@pytest.mark.parametrize("payer", FreightPayer)
def test_who_pays_for_a_late_parcel_is_the_policys_to_say(payer: FreightPayer) -> None:
    """It is neither a defect of the goods nor a change of mind."""
    assert freight_payer([Reason.ARRIVED_LATE], a_policy(arrived_late_freight=payer)) is payer


@pytest.mark.rule("S064")
def test_one_fault_among_several_reasons_is_enough() -> None:
    """The goods travel in one parcel: the shop pays as soon as it answers for anything in it."""
    reasons = [Reason.CHANGED_MIND, Reason.DEFECTIVE]

    assert freight_payer(reasons, a_policy()) is FreightPayer.MERCHANT


@pytest.mark.rule("S071")
@pytest.mark.rule("S114")
@pytest.mark.parametrize("reason", [Reason.DAMAGED_IN_TRANSIT, Reason.NOT_RECEIVED])
def test_the_shop_answers_for_its_carrier(reason: Reason) -> None:
    """To the customer a carrier's fault is the shop's; it recovers from the carrier later."""
    assert freight_payer([reason], a_policy()) is FreightPayer.MERCHANT


@pytest.mark.rule("S015")
@pytest.mark.parametrize("reason", Reason)
def test_evidence_is_asked_for_what_can_be_seen(reason: Reason) -> None:
    """Photo or video of a fault; for other reasons only where the policy asks."""
    asked = evidence_for([reason], a_policy())
    asked_by_policy = evidence_for([reason], a_policy(evidence_for=(Reason.OTHER,)))

    assert asked == (("photo_or_video",) if reason in WITH_EVIDENCE else ())
    assert asked_by_policy == (("photo_or_video",) if reason in WITH_EVIDENCE | {Reason.OTHER} else ())
