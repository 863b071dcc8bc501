"""How many of what a run has played, and how the numbers come of each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.demo.examples import Example
from deploy.demo.run import Played
from deploy.demo.week import Week

_ENDS: Final[Mapping[str, str]] = {
    "refunded": "by hand, refunded",
    "expired": "lapsed",
    "denied": "denied",
    "rejected": "rejected",
}


@dataclass(frozen=True, slots=True)
class Count:
    """``total`` is what there had to be, ``parts`` what there is, and each what it counts."""

    what: str
    total: int
    parts: Sequence[tuple[int, str]]

    @property
    def adds_up(self) -> bool:
        return self.total == sum(number for number, _ in self.parts)


def counts(played: Played, week: Week, examples: Sequence[Example]) -> list[Count]:
    """Return every number that the tables show or the store's invariants are checked over."""
    orders = [sale.order for sale in week.sales] + [example.order for example in examples]
    payments = sum(len(order.payments) for order in orders)
    lines = sum(len(order.lines) for order in orders)
    return [
        Count("orders", len(orders), [(len(week.sales), "of the week"), (len(examples), "by hand")]),
        Count("payments", payments, [(len(orders), "orders"), (payments - len(orders), "second way to pay")]),
        Count("lines", lines + len(orders), [(lines, "order lines"), (len(orders), "times shipping")]),
        _cases(played, week, examples),
        *_refunds(played, week, examples, payments),
    ]


def _cases(played: Played, week: Week, examples: Sequence[Example]) -> Count:
    """Count the cases by how they ended; each note of the shop's is one for each invoice that it is about."""
    wanted = len(week.notes) + sum(len(example.returns) for example in examples)
    ended = Counter(one.case.outcome or one.case.phase for one in played.reckoned)
    by_hand = [(ended[outcome], _ENDS.get(outcome, outcome)) for outcome in sorted(ended, key=_rank)]
    return Count("cases", wanted, [(len(played.credited), "of the week"), *by_hand])


def _rank(outcome: str) -> int:
    return list(_ENDS).index(outcome) if outcome in _ENDS else len(_ENDS)


def _refunds(played: Played, week: Week, examples: Sequence[Example], payments: int) -> list[Count]:
    """Count the refunds, one for each payment that a case gives back to, and what they are in the ledger."""
    returns = [expected for example in examples for expected in example.returns]
    wanted = len(week.notes) + sum(len(expected.refund) for expected in returns)
    paid = [len(one.case.paid_back()) for one in played.credited]
    paid += [len(one.case.paid_back()) for one in played.reckoned]
    cases = sum(1 for number in paid if number)
    booked = [(payments, "captures"), (sum(paid), "refunds promised"), (sum(paid), "paid out")]
    return [
        Count("refunds", wanted, [(cases, "cases"), (sum(paid) - cases, "to a second payment")]),
        Count("ledger transactions", payments + 2 * wanted, booked),
    ]
