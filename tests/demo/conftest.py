"""A run of the demo in which everything went as it must."""

from datetime import UTC, datetime

import pytest

from deploy.demo.documents import Authorisation, Case, Decision, Money, Quote, QuoteLine, Refund, TenderShare
from deploy.demo.examples import read_examples
from deploy.demo.outside import Account, Invariant, Issued, Posting
from deploy.demo.run import ExampleReturn, Played, WeekReturn
from deploy.demo.week import read_week

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
WEEK = read_week(NOW, "run")
EXAMPLES = read_examples(NOW, "run")


def a_case(outcome: str, currency: str, paid: dict[str, int], **quoted: object) -> Case:
    quote = Quote(
        refund=Money(amount=sum(paid.values()), currency=currency),
        lines=quoted.get("lines", ()),
        shipping=quoted.get("shipping", 0),
        to=tuple(TenderShare(payment_id=p, amount=amount) for p, amount in paid.items()),
        **dict(quoted.get("in_kind", ())),
    )
    refunds = tuple(
        Refund(payment_id=p, amount=Money(amount=amount, currency=currency), status="succeeded")
        for p, amount in paid.items()
    )
    return Case(
        case_id="RT-7K3M-9QX1",
        status="closed",
        phase=outcome,
        outcome=outcome,
        decision=Decision(verdict="allow"),
        quote=quote,
        settled=quote if outcome == "refunded" else None,
        waiting_on=None,
        refunds=refunds,
        **{"return": Authorisation(rma="R7K3M9QX1", label_url=None)},
    )


def postings(paid: int, currency: str, moved: int) -> list[Posting]:
    """Return a payment's ledger: captured, and so much of it given back."""
    capture = [Posting("provider", paid, currency), Posting("captured", -paid, currency)]
    reserve = [Posting("captured", moved, currency), Posting("refund_payable", -moved, currency)]
    succeed = [Posting("refund_payable", moved, currency), Posting("provider", -moved, currency)]
    return capture + reserve + succeed


@pytest.fixture
def played() -> Played:
    """A run in which everything went as it must."""
    run = Played(
        invariants=[Invariant("provider_agrees", 32, 0)],
        trial_balance=[
            Account("provider", "asset", "GBP", 10_000, 0),
            Account("captured", "liability", "GBP", 0, 10_000),
        ],
        documents=[
            Issued("invoice", "INV-2026-000001", "B-1", "GBP", 1200),
            Issued("credit_note", "CN-2026-000001", "B-1", "GBP", 300),
            Issued("debit_note", "DN-2026-000001", "B-1", "GBP", 60),
        ],
    )
    for note in WEEK.notes:
        lines = {}
        for credit in note.credits:
            known = lines.get(credit.line_id, (0, 0))
            lines[credit.line_id] = (known[0] + credit.quantity, known[1] + credit.given)
        quoted = tuple(
            QuoteLine(line_id=line_id, quantity=quantity, goods=goods, tax=0)
            for line_id, (quantity, goods) in lines.items()
        )
        payment_id = note.order.payments[0].payment_id
        case = a_case("refunded", "GBP", {payment_id: note.given}, lines=quoted)
        run.credited.append(WeekReturn(note, case))
        run.moved[payment_id] = run.moved.get(payment_id, 0) + note.given
    for example in EXAMPLES:
        for expected in example.returns:
            paid = example.payment_ids(expected.refund)
            given = {"shipping": expected.shipping, "in_kind": expected.in_kind}
            case = a_case(expected.outcome, example.order.currency, paid, **given)
            run.reckoned.append(ExampleReturn(example, expected, case))
            for payment_id, amount in paid.items():
                run.moved[payment_id] = run.moved.get(payment_id, 0) + amount
    orders = [sale.order for sale in WEEK.sales] + [example.order for example in EXAMPLES]
    for order in orders:
        for payment in order.payments:
            moved = run.moved.setdefault(payment.payment_id, 0)
            run.postings[payment.payment_id] = postings(payment.amount, order.currency, moved)
    return run
