"""What came of the demo, as tables."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from iso4217 import Currency
from rich.console import Console, Group, RenderableType
from rich.table import Table

from deploy.demo.audit import money_back, refund_of, totals, trial_sums
from deploy.demo.counts import Count, counts
from deploy.demo.examples import Example
from deploy.demo.run import Played
from deploy.demo.week import Week
from deploy.local.facts import StackFacts

# What each invariant is checked over, in the words of the counts.
_CHECKED: Final[Mapping[str, str]] = {
    "refunds_within_captured": "payments",
    "refunds_within_lines": "lines",
    "refund_parts_add_up": "refunds",
    "refund_parts_as_asked": "parts of refunds",
    "ledger_transactions_balance": "ledger transactions",
    "ledger_matches_captures": "payments",
    "ledger_matches_refunds": "refunds",
    "one_movement_per_intent": "refunds",
    "provider_agrees": "refunds",
    "ledger_matches_disputes": "disputes",
    "disputes_after_refunds": "disputes",
    "provider_agrees_on_disputes": "disputes",
    "credits_within_invoices": "invoices",
    "document_series_without_gaps": "series of documents",
    "refunds_have_their_notes": "refunds of invoiced orders",
    "store_credit_is_its_lots": "currencies of store credit",
    "store_credit_lots_hold": "lots of store credit",
    "store_credit_paid_its_orders": "payments by store credit",
    "trial_balance_is_zero": "currencies",
}


def report(played: Played, week: Week, examples: Sequence[Example]) -> RenderableType:
    """Return every table, one below the other."""
    counted = counts(played, week, examples)
    return Group(
        _credits(played, week),
        _examples(played),
        _moved(played, week, examples),
        _ledger(played),
        _trial_balance(played),
        _documents(played),
        _invariants(played, {count.what: count.total for count in counted}),
        _counts(counted),
    )


def where_to_look(facts: StackFacts, console: Console) -> None:
    """Say where the stack can be looked at."""
    console.print(f"API docs     {facts.gateway}/docs")
    console.print(f"Temporal UI  {facts.temporal_ui}")
    console.print(f"mail         {facts.mailbox}", soft_wrap=True)
    console.print(f"logs         {facts.logs}", soft_wrap=True)


def amount(minor_units: int, currency: str) -> str:
    """Write an amount as people read it, with the currency's own number of decimals."""
    exponent = Currency(currency).exponent or 0
    return f"{Decimal(minor_units).scaleb(-exponent):,.{exponent}f}"


def _table(title: str, columns: Sequence[str], *, caption: str = "") -> Table:
    """Make a table; a column whose name begins with a space holds numbers."""
    table = Table(title=title, title_justify="left", caption=caption or None, caption_justify="left")
    for column in columns:
        table.add_column(column.strip(), justify="right" if column.startswith(" ") else "left")
    return table


def _mark(*, equal: bool) -> str:
    return "[green]equal[/]" if equal else "[bold red]DIFFERS[/]"


def _credits(played: Played, week: Week) -> Table:
    """Each line the shop credited beside what the case refunded for it (GBP)."""
    table = _table(
        "\nA week of a gift shop's returns: each credit of the shop's own beside our refund (GBP)",
        ["credit note", "invoice", "article", " units", " shop gave", " refunded", " ", "case"],
        caption=(
            '"Online Retail", D. Chen, 2015, UCI Machine Learning Repository, CC BY 4.0; '
            f"{week.left_out} invoices of the sample are stock written off, no sales. "
            "A case is what one note credits of one invoice: "
            f"{len({note.number for note in week.notes})} notes, {len(week.notes)} cases"
        ),
    )
    rows = [
        (credit, refund_of(credit, one.note, one.case), one.case.case_id)
        for one in sorted(played.credited, key=lambda one: (one.note.number, one.note.order.order_id))
        for credit in one.note.credits
    ]
    for credit, refunded, case_id in rows:
        table.add_row(
            credit.number,
            credit.invoice,
            credit.sku,
            str(credit.quantity),
            amount(credit.given, "GBP"),
            amount(refunded, "GBP"),
            _mark(equal=credit.given == refunded),
            case_id,
        )
    given, gave = sum(credit.given for credit, _, _ in rows), sum(refunded for _, refunded, _ in rows)
    table.add_section()
    table.add_row(
        f"{len(rows)} credits",
        "",
        "",
        "",
        amount(given, "GBP"),
        amount(gave, "GBP"),
        _mark(equal=given == gave),
        f"{len(played.credited)} cases",
    )
    return table


def _examples(played: Played) -> Table:
    """Each return beside what was reckoned by hand."""
    table = _table(
        "\nReckoned by hand (deploy/demo/data/examples.yaml)",
        ["order", "currency", "ended", " by hand", " refunded", " ", "case"],
    )
    for one in sorted(played.reckoned, key=lambda one: one.example.order.order_id):
        currency = one.example.order.currency
        paid = one.case.paid_back()
        methods = {payment.payment_id: payment.method for payment in one.example.order.payments}
        table.add_row(
            one.example.name,
            currency,
            one.case.outcome or one.case.phase,
            _tenders(one.expected.refund, currency),
            _tenders({methods[payment_id]: paid_back for payment_id, paid_back in paid.items()}, currency),
            _mark(equal=paid == one.example.payment_ids(one.expected.refund)),
            one.case.case_id,
        )
    return table


def _tenders(by_method: Mapping[str, int], currency: str) -> str:
    parts = [f"{method} {amount(part, currency)}" for method, part in sorted(by_method.items())]
    return " + ".join(parts) or amount(0, currency)


def _moved(played: Played, week: Week, examples: Sequence[Example]) -> Table:
    """The money that went back, by everybody's own word."""
    table = _table(
        "\nWhat went back, by everybody's own word",
        ["currency", " shop and hand", " the cases", " the ledger", " the processor", " "],
    )
    for currency, back in money_back(played, week, examples).items():
        words = (back.wanted, back.told, back.posted, back.moved)
        table.add_row(
            currency, *(amount(word, currency) for word in words), _mark(equal=len(set(words)) == 1)
        )
    return table


def _ledger(played: Played) -> Table:
    """What was posted to each account, for the payments of this run."""
    table = _table(
        "\nThe ledger of these payments, by account",
        ["account", "currency", " debit", " credit", " balance"],
    )
    for (account, currency), (debit, credit) in sorted(totals(played).items(), key=lambda row: row[0][::-1]):
        table.add_row(
            account, currency, *(amount(units, currency) for units in (debit, credit, debit - credit))
        )
    return table


def _trial_balance(played: Played) -> Table:
    """What stands on every account, over everything the store has, also from other runs."""
    table = _table(
        "\nThe trial balance, as it stands now over all that the store has",
        ["account", "kind", "currency", " debit", " credit", " "],
    )
    sums = trial_sums(played)
    for currency, (debit, credit) in sorted(sums.items()):
        for row in played.trial_balance:
            if row.currency == currency:
                sides = (amount(row.debit, currency), amount(row.credit, currency))
                table.add_row(row.account, row.kind, currency, *sides, "")
        both = (amount(debit, currency), amount(credit, currency))
        table.add_row("all accounts", "", currency, *both, _mark(equal=debit == credit), end_section=True)
    return table


def _documents(played: Played) -> Table:
    """What was issued for the orders of this run."""
    table = _table(
        "\nInvoices and notes of these orders",
        ["document", "currency", " count", " total"],
        caption="" if played.documents else "None: nobody has asked for an invoice, and notes are about one",
    )
    kinds = sorted({(one.currency, one.kind) for one in played.documents})
    for currency, kind in kinds:
        amounts = [one.amount for one in played.documents if (one.currency, one.kind) == (currency, kind)]
        table.add_row(kind.replace("_", " "), currency, str(len(amounts)), amount(sum(amounts), currency))
    return table


def _invariants(played: Played, of_this_run: Mapping[str, int]) -> Table:
    """The invariants of money, over everything the store has, also from other runs."""
    table = _table(
        "\nThe invariants of money, as checked now over all that the store has",
        ["invariant", " checked", "of what", " of this run", " violations"],
    )
    for invariant in played.invariants:
        what, colour = _CHECKED.get(invariant.name, ""), "red" if invariant.violations else "green"
        violations = f"[{colour}]{invariant.violations}[/]"
        ours = str(of_this_run.get(what, ""))
        table.add_row(invariant.name, str(invariant.checked), what, ours, violations)
    return table


def _counts(found: Sequence[Count]) -> Table:
    """How the numbers of this run come of each other."""
    table = _table("\nHow the counts of this run add up", ["", " count", " ", "made of"])
    for count in found:
        parts = " + ".join(f"{number} {what}" for number, what in count.parts)
        table.add_row(count.what, str(count.total), _mark(equal=count.adds_up), parts)
    return table
