"""The demo's audit: every kind of difference is told, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from deploy.demo.audit import differences, money_back
from deploy.demo.documents import Money
from deploy.demo.outside import Account, Invariant, Issued, Posting
from deploy.demo.run import Played
from tests.demo.conftest import EXAMPLES, WEEK, postings


def test_a_run_in_which_all_is_well_has_no_differences(played: Played) -> None:
    """Equal is equal, also of what never moved."""
    assert differences(played, WEEK, EXAMPLES) == []


def test_by_everybodys_word_the_same_went_back(played: Played) -> None:
    """Shop and hand, cases, ledger and processor come to one sum per currency."""
    sums = money_back(played, WEEK, EXAMPLES)

    assert {currency: back.wanted for currency, back in sums.items()} == {
        "GBP": 63_757 + 5_880 + 899 + 3_750 + 900 + 8_250,
        "JPY": 3_707,
        "KWD": 2_880,
        "USD": 7_294,
    }
    assert all(back.wanted == back.told == back.posted == back.moved for back in sums.values())


def a_penny_short(played: Played) -> None:
    first = played.credited[0]
    refund = first.case.refunds[0]
    less = Money(amount=refund.amount.amount - 1, currency="GBP")
    case = first.case.model_copy(update={"refunds": (refund.model_copy(update={"amount": less}),)})
    played.credited[0] = replace(first, case=case)


def a_line_unlike_the_shops(played: Played) -> None:
    first = played.credited[0]
    quote = first.case.quote
    line = quote.lines[0].model_copy(update={"goods": quote.lines[0].goods + 1})
    case = first.case.model_copy(update={"quote": quote.model_copy(update={"lines": (line,)})})
    played.credited[0] = replace(first, case=case)


def the_wrong_tender(played: Played) -> None:
    first = played.reckoned[0]
    refund = first.case.refunds[0].model_copy(update={"payment_id": "another"})
    played.reckoned[0] = replace(first, case=first.case.model_copy(update={"refunds": (refund,)}))


def points_forgotten(played: Played) -> None:
    index, one = next(
        (index, one) for index, one in enumerate(played.reckoned) if one.expected.in_kind.points_back
    )
    settled = one.case.settled.model_copy(update={"points_back": 0})
    played.reckoned[index] = replace(one, case=one.case.model_copy(update={"settled": settled}))


def another_outcome(played: Played) -> None:
    index, denied = next(
        (index, one) for index, one in enumerate(played.reckoned) if one.case.outcome == "denied"
    )
    played.reckoned[index] = replace(denied, case=denied.case.model_copy(update={"outcome": "rejected"}))


def money_moved_twice(played: Played) -> None:
    payment_id = played.credited[0].note.order.payments[0].payment_id
    played.moved[payment_id] *= 2
    played.postings[payment_id] = postings(10**6, "GBP", played.moved[payment_id])


def money_out_of_nowhere(played: Played) -> None:
    returned = {note.order.order_id for note in WEEK.notes}
    kept = next(sale.order for sale in WEEK.sales if sale.order.order_id not in returned)
    payment_id = kept.payments[0].payment_id
    played.moved[payment_id] = 1
    played.postings[payment_id] = postings(10**6, "GBP", 1)


def half_a_posting(played: Played) -> None:
    next(iter(played.postings.values())).append(Posting("captured", 1, "GBP"))


def a_promise_left_open(played: Played) -> None:
    open_promise = [Posting("captured", 5, "GBP"), Posting("refund_payable", -5, "GBP")]
    next(iter(played.postings.values())).extend(open_promise)


def a_ledger_that_knows_less(played: Played) -> None:
    payment_id = played.credited[0].note.order.payments[0].payment_id
    played.postings[payment_id] = postings(10**6, "GBP", 0)


def an_invariant_broken(played: Played) -> None:
    played.invariants.append(Invariant("refunds_within_captured", 71, 2))


def nothing_checked(played: Played) -> None:
    played.invariants.clear()


def a_trial_balance_that_is_out(played: Played) -> None:
    played.trial_balance.append(Account("store_credit", "liability", "GBP", 0, 7))


def no_trial_balance(played: Played) -> None:
    played.trial_balance.clear()


def more_credited_than_invoiced(played: Played) -> None:
    played.documents.append(Issued("credit_note", "CN-2026-000009", "B-1", "GBP", 961))


def more_taken_back_than_credited(played: Played) -> None:
    played.documents.append(Issued("debit_note", "DN-2026-000009", "B-1", "GBP", 241))


def a_step_that_failed(played: Played) -> None:
    played.failed.append("credit C536506: no answer within 60 s")


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (a_penny_short, "were paid"),
        (a_line_unlike_the_shops, "the shop gave"),
        (the_wrong_tender, "was reckoned"),
        (points_forgotten, "was reckoned beside the money"),
        (another_outcome, "was expected"),
        (money_moved_twice, "has moved, not"),
        (money_out_of_nowhere, "1 has moved, not 0"),
        (half_a_posting, "out of balance by 1"),
        (a_promise_left_open, "still promises 5"),
        (a_ledger_that_knows_less, "going out"),
        (an_invariant_broken, "2 violations of 71"),
        (nothing_checked, "no invariant"),
        (a_trial_balance_that_is_out, "10007 of credits"),
        (no_trial_balance, "nothing stands"),
        (more_credited_than_invoiced, "1201 is credited of 1200 invoiced"),
        (more_taken_back_than_credited, "-1 is credited"),
        (a_step_that_failed, "no answer within"),
    ],
)
def test_what_differs_is_told_once_and_in_words(
    played: Played, plant: Callable[[Played], None], words: str
) -> None:
    """One thing gone wrong is one difference, and its words say what."""
    plant(played)

    [told] = differences(played, WEEK, EXAMPLES)
    assert words in told
