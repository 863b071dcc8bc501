"""Where a dispute stands is what was told of it, whatever came first, and how often it came."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.dispute import FREEZING, TRANSITIONS, DisputeStatus, Stake, Telling, stake, standing
from services.payment.ledger import dispute_entries
from tests.builders import NOW

STATUSES = st.sampled_from(DisputeStatus)
TELLINGS = st.lists(
    st.builds(
        Telling,
        telling_id=st.integers(0, 10**6).map(lambda number: f"evt_{number}"),
        status=STATUSES,
        told_at=st.integers(0, 5).map(lambda seconds: NOW + timedelta(seconds=seconds)),
        amount=st.integers(0, 1000),
        withdrawn=st.integers(0, 1000),
        fee=st.integers(0, 50),
        movements=st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda telling: telling.telling_id,
)


@given(TELLINGS, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_where_a_dispute_stands(tellings, random):
    """All permutations of all tellings, some of them twice, come to the same."""
    shuffled = [*tellings, *random.sample(tellings, random.randint(0, len(tellings)))]
    random.shuffle(shuffled)

    assert standing(shuffled) == standing(tellings)


@given(st.data())
def test_a_lawful_history_ends_where_it_ended(data):
    """Each step as the table has it, each a second later: the last one holds."""
    history = [data.draw(STATUSES)]
    for _ in range(data.draw(st.integers(0, 6))):
        history.append(data.draw(st.sampled_from(sorted(TRANSITIONS[history[-1]]))))
    tellings = [
        Telling(f"evt_{number}", status, NOW + timedelta(seconds=number), 100)
        for number, status in enumerate(history)
    ]

    assert standing(reversed(tellings)).status is history[-1]


@given(TELLINGS)
def test_what_is_posted_adds_up_to_where_it_stands(tellings):
    """Posting after each telling comes to the same as posting once; every transaction is balanced."""
    accounts: dict[str, int] = {}
    before = Stake()
    for count in range(1, len(tellings) + 1):
        after = stake(standing(tellings[:count]))
        entries = dispute_entries(before, after)
        assert sum(entries.values()) == 0
        for account, units in entries.items():
            accounts[account] = accounts.get(account, 0) + units
        before = after

    end = stake(standing(tellings))
    assert accounts.get("dispute_frozen", 0) == end.frozen
    assert accounts.get("dispute_losses", 0) == end.lost
    assert accounts.get("provider_fees", 0) == end.fee
    assert accounts.get("provider", 0) == -(end.frozen + end.lost + end.fee)


@pytest.mark.parametrize("status", DisputeStatus)
def test_money_is_held_lost_or_free(status):
    """Chargebacks and appeals freeze, a ruling against us loses, prevention loses what it took, no more."""
    held = stake(Telling("evt", status, NOW, amount=100, withdrawn=60, fee=15))

    assert held.frozen == (100 if status in FREEZING else 0)
    assert held.lost == {DisputeStatus.LOST: 100, DisputeStatus.PREVENTED: 60}.get(status, 0)
    assert held.fee == 15


@pytest.mark.parametrize(
    ("before", "after", "is_lawful"),
    [
        ("won", "lost", True),
        ("lost", "won", True),
        ("prevented", "lost", True),
        ("warning_closed", "needs_response", True),
        ("won", "appeal_needs_response", True),
        ("won", "needs_response", False),
        ("needs_response", "warning_needs_response", False),
        ("lost", "warning_closed", False),
    ],
)
def test_rulings_turn_over_and_nothing_else_goes_back(before, after, is_lawful):
    """The bank may change its mind; an old word that comes late is passed over."""
    assert (DisputeStatus(after) in TRANSITIONS[DisputeStatus(before)]) is is_lawful
