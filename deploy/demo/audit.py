"""What must be equal, held side by side: every difference is told in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.demo.documents import Case
from deploy.demo.examples import Example, InKind
from deploy.demo.outside import Issued, Posting
from deploy.demo.run import ExampleReturn, Played, WeekReturn
from deploy.demo.week import Credit, CreditNote, Week

# The ledger's accounts: what the provider holds, what customers may claim back, what is promised to them.
_PROVIDER = "provider"
_PAYABLE = "refund_payable"


def differences(played: Played, week: Week, examples: Sequence[Example]) -> list[str]:
    """Return everything that is not as it must be; nothing if all is well."""
    found = [*played.failed]
    for credited in played.credited:
        found += _against_the_shop(credited)
    for reckoned in played.reckoned:
        found += _against_the_reckoning(reckoned)
    found += _against_the_processor(played, week, examples)
    found += _in_the_ledger(played)
    found += _on_the_accounts(played)
    found += _in_the_documents(played.documents)
    found += [
        f"{invariant.name}: {invariant.violations} violations of {invariant.checked}"
        for invariant in played.invariants
        if invariant.violations
    ]
    if not played.invariants:
        found.append("no invariant was checked")
    return found


def refund_of(credit: Credit, note: CreditNote, case: Case) -> int:
    """Return what the case gave for the units of one line of a credit note.

    Where the note has a line of the order twice, each has its part by units.
    """
    if case.quote is None:
        return 0
    units = sum(other.quantity for other in note.credits if other.line_id == credit.line_id)
    goods = sum(line.goods for line in case.quote.lines if line.line_id == credit.line_id)
    return goods * credit.quantity // units


def _against_the_shop(credited: WeekReturn) -> Iterator[str]:
    """Hold a return beside the shop's own credit note, line by line and as a whole."""
    note, case = credited.note, credited.case
    for credit in note.credits:
        gave = refund_of(credit, note, case)
        if gave != credit.given:
            yield f"{credit.number} {credit.sku}: the shop gave {credit.given}, the case {gave}"
    if case.outcome != "refunded":
        yield f"{note.number}: {case.case_id} ended as {case.outcome}"
    paid = sum(case.paid_back().values())
    if paid != note.given:
        yield f"{note.number} of {note.order.order_id}: the shop gave {note.given}, {paid} were paid"


def _against_the_reckoning(reckoned: ExampleReturn) -> Iterator[str]:
    """Hold an example's return beside what was reckoned by hand."""
    example, expected, case = reckoned.example, reckoned.expected, reckoned.case
    name = f"{example.name} ({case.case_id})"
    if case.outcome != expected.outcome:
        yield f"{name}: {expected.outcome} was expected, it is {case.outcome}"
    wanted = example.payment_ids(expected.refund)
    if case.paid_back() != wanted:
        yield f"{name}: {wanted} was reckoned, {case.paid_back()} was paid"
    given = InKind.of(case)
    if given != expected.in_kind:
        yield f"{name}: {expected.in_kind} was reckoned beside the money, {given} was given"
    if expected.outcome != "refunded" or case.quote is None:
        return
    quoted = {share.payment_id: share.amount for share in case.quote.to}
    if quoted != wanted:
        yield f"{name}: {wanted} was reckoned, {quoted} was promised"
    if case.quote.shipping != expected.shipping:
        yield f"{name}: {expected.shipping} of shipping was reckoned, {case.quote.shipping} promised"


def _against_the_processor(played: Played, week: Week, examples: Sequence[Example]) -> Iterator[str]:
    """Hold what really moved beside what the shop gave and what was reckoned, and nothing beyond."""
    wanted = _wanted(week, examples)
    for payment_id, moved in played.moved.items():
        if moved != wanted[payment_id]:
            yield f"{payment_id}: {moved} has moved, not {wanted[payment_id]}"


def _wanted(week: Week, examples: Sequence[Example]) -> Counter[str]:
    """Return what has to go back of each payment, by the shop's credits and by hand."""
    wanted: Counter[str] = Counter()
    for note in week.notes:
        wanted[note.order.payments[0].payment_id] += note.given
    for example in examples:
        for expected in example.returns:
            wanted.update(example.payment_ids(expected.refund))
    return wanted


@dataclass(slots=True)
class MoneyBack:
    """One currency's refunds, by everybody's own word, in minor units."""

    wanted: int = 0
    told: int = 0
    posted: int = 0
    moved: int = 0


def money_back(played: Played, week: Week, examples: Sequence[Example]) -> Mapping[str, MoneyBack]:
    """Return by currency what has to go back, and what cases, ledger and processor say has gone."""
    orders = [sale.order for sale in week.sales] + [example.order for example in examples]
    currencies = {payment.payment_id: order.currency for order in orders for payment in order.payments}
    cases = [one.case for one in played.credited] + [one.case for one in played.reckoned]
    told: Counter[str] = Counter()
    for case in cases:
        told.update(case.paid_back())
    wanted = _wanted(week, examples)
    sums = {currency: MoneyBack() for currency in sorted(set(currencies.values()))}
    for payment_id, currency in currencies.items():
        one = sums[currency]
        one.wanted += wanted[payment_id]
        one.told += told[payment_id]
        one.posted += _going_out(played.postings.get(payment_id, ()))
        one.moved += played.moved.get(payment_id, 0)
    return sums


def _going_out(postings: Iterable[Posting]) -> int:
    """Return what has left the provider's account."""
    return -sum(posting.amount for posting in postings if posting.account == _PROVIDER and posting.amount < 0)


def totals(played: Played) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Return the ledger's debits and credits by account and currency."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for posting in (posting for postings in played.postings.values() for posting in postings):
        debit, credit = sums.get((posting.account, posting.currency), (0, 0))
        debit, credit = debit + max(posting.amount, 0), credit + max(-posting.amount, 0)
        sums[posting.account, posting.currency] = (debit, credit)
    return sums


def _in_the_ledger(played: Played) -> Iterator[str]:
    """Every payment's postings add up to nothing, leave no promise open, and know what moved."""
    for payment_id, postings in played.postings.items():
        balance = dict.fromkeys((_PROVIDER, _PAYABLE), 0)
        for posting in postings:
            balance[posting.account] = balance.get(posting.account, 0) + posting.amount
        out = _going_out(postings)
        if sum(balance.values()):
            yield f"the ledger of {payment_id} is out of balance by {sum(balance.values())}"
        if balance[_PAYABLE]:
            yield f"the ledger of {payment_id} still promises {-balance[_PAYABLE]}"
        if out != played.moved.get(payment_id, 0):
            yield f"the ledger of {payment_id} has {out} going out, the processor {played.moved[payment_id]}"


def trial_sums(played: Played) -> Mapping[str, tuple[int, int]]:
    """Return what all accounts of the store come to by currency: debits and credits."""
    sums: dict[str, tuple[int, int]] = {}
    for row in played.trial_balance:
        debit, credit = sums.get(row.currency, (0, 0))
        sums[row.currency] = (debit + row.debit, credit + row.credit)
    return sums


def _on_the_accounts(played: Played) -> Iterator[str]:
    """Over all that the store has, each currency's debits are its credits."""
    if not played.trial_balance:
        yield "nothing stands in the trial balance"
    for currency, (debit, credit) in trial_sums(played).items():
        if debit != credit:
            yield f"the trial balance in {currency} has {debit} of debits, {credit} of credits"


def _in_the_documents(documents: Sequence[Issued]) -> Iterator[str]:
    """What is credited of an order, less what was taken back of that, is at most what was invoiced."""
    invoiced: Counter[str] = Counter()
    credited: Counter[str] = Counter()
    for one in documents:
        if one.kind == "invoice":
            invoiced[one.order_id] += one.amount
        else:
            credited[one.order_id] += one.amount if one.kind == "credit_note" else -one.amount
    for order_id, amount in credited.items():
        if not 0 <= amount <= invoiced[order_id]:
            yield f"order {order_id}: {amount} is credited of {invoiced[order_id]} invoiced"
