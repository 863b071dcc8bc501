"""An order becomes an invoice to the minor unit, and what is credited of it adds up whatever happens."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.amounts import payments_of
from services.domain.case import RefundStatus
from services.domain.crediting import Invoiced, RefundTold
from services.domain.errors import CreditExceedsInvoice, InvalidArgument, TaxIdInvalid, TaxMismatch
from services.domain.ids import DocumentId, LineId, RefundId
from services.domain.invoice import (
    Buyer,
    BuyerKind,
    Document,
    DocumentCause,
    DocumentKind,
    DocumentLine,
    Draft,
    Seller,
    number_of,
    vat_totals,
)
from services.domain.invoicing import check_buyer, credit_lines, invoice_lines, left_of, spread
from services.domain.order import OrderAsSold, OrderDiscount, OrderLine, ShippingCharge
from services.domain.refund import RefundPart
from tests.builders import NOW, STORE, a_line, an_address, an_order

RATES = st.sampled_from(["0", "5", "5.5", "13", "20", "27"])
CURRENCIES = st.sampled_from(["JPY", "GBP", "KWD"])
PERSON = Buyer(BuyerKind.INDIVIDUAL, "17850", address=an_address())
FIRM = Buyer(BuyerKind.ORGANIZATION, "Example Ltd", tax_id="GB123456789")


def invoice_of(lines: tuple[DocumentLine, ...], currency: str = "GBP") -> Document:
    """Return an issued invoice of these lines."""
    draft = Draft(
        document_id=DocumentId("first"),
        kind=DocumentKind.INVOICE,
        store_id=STORE,
        order_id=an_order().order_id,
        currency=currency,
        seller=Seller("Example", "GB123456789", an_address()),
        buyer=PERSON,
        language="en",
        lines=lines,
        cause=DocumentCause.SALE,
        business_at=NOW,
    )
    return Document(draft, number_of(draft.kind, 2026, 1), NOW)


def tax_of(amount: int, rate: str, *, is_inclusive: bool) -> int:
    exact = amount * Decimal(rate) / (100 + Decimal(rate) if is_inclusive else 100)
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@st.composite
def taxed_orders(draw: st.DrawFn) -> OrderAsSold:
    """Orders whose taxes are what their rates come to, stated before or after the order's discounts."""
    is_inclusive = draw(st.booleans())
    lines: list[OrderLine] = []
    for number in range(draw(st.integers(1, 4))):
        quantity, price = draw(st.integers(1, 9)), draw(st.integers(0, 50_000))
        discount = draw(st.integers(0, quantity * price))
        lines.append(
            a_line(str(number), quantity, price, discount=discount, tax_rate=draw(RATES), title="超轻灯笼")
        )
    worth = sum(line.value for line in lines)
    order = an_order(
        *lines,
        tax_inclusive=is_inclusive,
        currency=draw(CURRENCIES),
        discounts=(OrderDiscount("WELCOME", draw(st.integers(0, worth))),),
    )
    shares = order.discount_shares()
    is_after = not is_inclusive or draw(st.booleans())
    taxed = tuple(
        replace(
            line,
            tax=tax_of(
                line.value - (shares[line.line_id] if is_after else 0),
                line.tax_rate,
                is_inclusive=is_inclusive,
            ),
        )
        for line in lines
    )
    price, rate = draw(st.integers(0, 5_000)), draw(st.sampled_from([line.tax_rate for line in lines]))
    tax = tax_of(price, rate, is_inclusive=is_inclusive)
    return replace(order, lines=taxed, shipping=ShippingCharge(price, tax, "standard", an_address()))


# Often a few minor units, where rounding bites.
AMOUNTS = st.one_of(st.integers(0, 4), st.integers(0, 3_000))
DOCUMENT_LINES = st.lists(st.tuples(RATES, AMOUNTS, AMOUNTS), min_size=1, max_size=4).map(
    lambda told: tuple(
        DocumentLine("A LANTERN", 1, rate, net, tax, LineId(str(number)) if number else None)
        for number, (rate, net, tax) in enumerate(told)
    )
)


@given(taxed_orders())
def test_an_invoice_is_the_order_to_the_minor_unit(order):
    """Lines after discounts and shipping add up to the order, line by line to what each of them cost."""
    lines = invoice_lines(order)
    caps = {cap.line_id: cap.amount for cap in payments_of(order).caps if cap.amount or cap.line_id}

    assert sum(line.gross for line in lines) == order.total.minor_units
    assert {line.line_id: line.gross for line in lines} == caps
    assert all(line.net >= 0 and line.tax >= 0 for line in lines)


@given(taxed_orders())
def test_vat_adds_up_per_rate(order):
    """The breakdown has each rate once, and together it is the document."""
    draft = invoice_of(invoice_lines(order), order.currency).draft

    assert sum(total.net for total in draft.vat) == draft.net.minor_units
    assert sum(total.tax for total in draft.vat) == draft.tax.minor_units
    assert len({total.rate for total in draft.vat}) == len(draft.vat)
    assert draft.net + draft.tax == draft.total


@given(DOCUMENT_LINES, st.data())
def test_credits_in_any_parts_and_order_end_at_the_invoice(lines, data):
    """Any partial credits, some of them taken back, then the rest: exactly the invoice, per rate."""
    invoice, notes, standing = invoice_of(lines).draft, [], []
    for step in range(data.draw(st.integers(0, 6))):
        left = left_of(invoice, notes)
        parts = tuple(RefundPart(data.draw(st.integers(0, one.gross)), one.line.line_id) for one in left)
        credit = replace(
            invoice,
            kind=DocumentKind.CREDIT_NOTE,
            document_id=DocumentId(str(step)),
            lines=credit_lines(left, parts),
        )
        notes.append(credit)
        standing.append(credit)
        assert credit.total.minor_units == sum(part.amount for part in parts)
        if data.draw(st.booleans()):
            back = standing.pop(data.draw(st.integers(0, len(standing) - 1)))
            notes.append(replace(back, kind=DocumentKind.DEBIT_NOTE))
        assert all(one.net >= 0 and one.tax >= 0 for one in left_of(invoice, notes))

    left = left_of(invoice, notes)
    rest = credit_lines(left, tuple(RefundPart(one.gross, one.line.line_id) for one in left))
    credited = vat_totals(line for lines in (*(note.lines for note in standing), rest) for line in lines)
    expected = [total for total in invoice.vat if total.net or total.tax]
    assert [total for total in credited if total.net or total.tax] == expected


def test_what_was_taken_back_leaves_no_part_overdrawn():
    """Of four credits of one minor unit the two that took the tax come back: no part goes below nothing."""
    invoice = invoice_of((DocumentLine("A LANTERN", 1, "100", 2, 2, LineId("1")),)).draft
    one, notes = (RefundPart(1, LineId("1")),), []
    for step in range(4):
        lines = credit_lines(left_of(invoice, notes), one)
        notes.append(
            replace(invoice, kind=DocumentKind.CREDIT_NOTE, document_id=DocumentId(str(step)), lines=lines)
        )
    notes += [replace(note, kind=DocumentKind.DEBIT_NOTE) for note in notes if note.lines[0].tax]

    (credit,) = credit_lines(left_of(invoice, notes), one)

    assert (credit.net, credit.tax) == (0, 1)


@given(DOCUMENT_LINES, st.data())
def test_no_credit_is_of_more_than_is_left(lines, data):
    """One minor unit too much of a line, or a line that was not sold, is refused."""
    left = left_of(invoice_of(lines).draft, ())
    one = data.draw(st.sampled_from(left))

    with pytest.raises(CreditExceedsInvoice):
        credit_lines(left, (RefundPart(one.gross + 1, one.line.line_id),))
    with pytest.raises(CreditExceedsInvoice):
        credit_lines(left, (RefundPart(1, one.line.line_id), RefundPart(one.gross, one.line.line_id)))
    with pytest.raises(CreditExceedsInvoice):
        credit_lines(left, (RefundPart(0, LineId("nobody's")),))
    with pytest.raises(CreditExceedsInvoice):
        spread(left, sum(each.gross for each in left) + 1)


@given(DOCUMENT_LINES, st.data())
def test_what_names_no_lines_is_spread_over_all_that_are_left(lines, data):
    """It adds up, and overdraws none of them."""
    left = left_of(invoice_of(lines).draft, ())
    amount = data.draw(st.integers(0, sum(one.gross for one in left)))

    parts = spread(left, amount)

    assert sum(part.amount for part in parts) == amount
    assert sum(line.gross for line in credit_lines(left, parts)) == amount


REFUND = RefundTold(RefundId("r-1"), RefundStatus.SUCCEEDED, 120, (RefundPart(120, LineId("1")),), NOW)
SOLD = invoice_of((DocumentLine("A LANTERN", 6, "20", 1275, 255, LineId("1")),))


def issued(draft: Draft, number: int = 1) -> Document:
    return Document(draft, number_of(draft.kind, 2026, number), NOW)


def test_a_refund_has_one_note_however_often_it_is_looked_at():
    """Missing, it is drafted; there, it is not; and a refund that never succeeded has none."""
    credit = Invoiced(SOLD, ()).note_for(REFUND)

    assert credit is not None
    assert Invoiced(SOLD, (issued(credit),)).note_for(REFUND) is None
    for status in set(RefundStatus) - {RefundStatus.SUCCEEDED}:
        assert Invoiced(SOLD, ()).note_for(replace(REFUND, status=status)) is None


def test_a_refund_that_failed_after_its_note_has_it_taken_back_once():
    """The debit note is the credit note again, the other way round."""
    credit = Invoiced(SOLD, ()).note_for(REFUND)
    assert credit is not None
    failed = replace(REFUND, status=RefundStatus.FAILED)

    debit = Invoiced(SOLD, (issued(credit),)).note_for(failed)

    assert debit is not None
    assert (debit.kind, debit.lines) == (DocumentKind.DEBIT_NOTE, credit.lines)
    assert debit.about == issued(credit).reference
    assert Invoiced(SOLD, (issued(credit), issued(debit))).note_for(failed) is None


def test_an_invoice_that_was_replaced_has_ended():
    """No note is about it any more: what happens now is about the one that replaced it."""
    whole = Invoiced(SOLD, ()).replacing(DocumentId("credit"), NOW, None)
    ended = Invoiced(SOLD, (issued(whole),))

    assert whole.total == SOLD.draft.total
    assert ended.note_for(REFUND) is None
    with pytest.raises(CreditExceedsInvoice):
        ended.replacing(DocumentId("again"), NOW, None)


@pytest.mark.parametrize(
    "line",
    [
        a_line(tax=300),
        a_line(tax=0),
        a_line(tax=255, tax_rate="0"),
        a_line(tax=255, tax_rate="200"),
    ],
)
def test_a_tax_that_is_not_its_rates_is_on_no_invoice(line):
    """Rounding each unit on its own is forgiven, nothing else."""
    with pytest.raises(TaxMismatch):
        invoice_lines(an_order(line))
    with pytest.raises(TaxMismatch):
        invoice_lines(an_order(a_line(tax=255), shipping=ShippingCharge(500, 200, "s", an_address())))


@pytest.mark.rule("S032")
@pytest.mark.parametrize(
    ("buyer", "country", "refusal"),
    [
        (PERSON, "GB", None),
        (FIRM, "GB", None),
        (replace(FIRM, tax_id="91310000775785552L"), "CN", None),
        (replace(FIRM, tax_id="12-3456789"), "US", None),
        (replace(FIRM, tax_id=""), "GB", TaxIdInvalid),
        (replace(FIRM, tax_id="913100007757855521"), "CN", TaxIdInvalid),
        (replace(FIRM, tax_id="GB123456789"), "CN", TaxIdInvalid),
        (replace(FIRM, tax_id="?"), "US", TaxIdInvalid),
        (replace(PERSON, tax_id="DE12"), "DE", TaxIdInvalid),
        (replace(PERSON, title=""), "GB", InvalidArgument),
    ],
)
def test_a_buyer_needs_a_title_and_an_organization_a_tax_id(buyer, country, refusal):
    """A person needs no tax id; one that is given is checked all the same."""
    if refusal is None:
        check_buyer(buyer, country)
        return
    with pytest.raises(refusal):
        check_buyer(buyer, country)
