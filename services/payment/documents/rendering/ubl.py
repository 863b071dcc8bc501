"""EN 16931 as UBL 2.1: an Invoice, or a CreditNote."""

from typing import Final
from xml.etree.ElementTree import Element, register_namespace

from services.domain.invoice import Document, DocumentKind, DocumentLine
from services.domain.order import Address
from services.domain.tax_id import is_vat_id
from services.payment.documents.rendering.amounts import (
    PIECE,
    PROFILE,
    TYPE_CODES,
    add,
    add_given,
    category,
    check_writable,
    decimal,
    note_of,
    written,
)

_SCHEMA: Final = "urn:oasis:names:specification:ubl:schema:xsd:"
register_namespace("cac", f"{_SCHEMA}CommonAggregateComponents-2")
register_namespace("cbc", f"{_SCHEMA}CommonBasicComponents-2")
register_namespace("inv", f"{_SCHEMA}Invoice-2")
register_namespace("crn", f"{_SCHEMA}CreditNote-2")
CAC, CBC = f"{{{_SCHEMA}CommonAggregateComponents-2}}", f"{{{_SCHEMA}CommonBasicComponents-2}}"


def ubl(document: Document) -> bytes:
    """Return the document in this syntax.

    Raises:
        DocumentNotRenderable: If the norm cannot say its amounts.
    """
    check_writable(document)
    draft = document.draft
    name = "CreditNote" if draft.kind is DocumentKind.CREDIT_NOTE else "Invoice"
    root = Element(f"{{{_SCHEMA}{name}-2}}{name}")
    add(root, f"{CBC}CustomizationID", PROFILE)
    add(root, f"{CBC}ID", document.number)
    add(root, f"{CBC}IssueDate", f"{document.issued_at:%Y-%m-%d}")
    add(root, f"{CBC}{name}TypeCode", TYPE_CODES[draft.kind])
    add(root, f"{CBC}Note", note_of(document))
    add(root, f"{CBC}DocumentCurrencyCode", draft.currency)
    add(add(root, f"{CAC}OrderReference"), f"{CBC}ID", draft.order_id)
    if draft.about is not None:
        earlier = add(add(root, f"{CAC}BillingReference"), f"{CAC}InvoiceDocumentReference")
        add(earlier, f"{CBC}ID", draft.about.number)
        add(earlier, f"{CBC}IssueDate", f"{draft.about.issued_at:%Y-%m-%d}")
    seller = add(root, f"{CAC}AccountingSupplierParty")
    _party(seller, draft.seller.name, draft.seller.tax_id, draft.seller.address, is_seller=True)
    assert draft.buyer.address is not None
    buyer = add(root, f"{CAC}AccountingCustomerParty")
    _party(buyer, draft.buyer.title, draft.buyer.tax_id, draft.buyer.address, is_seller=False)
    _totals(root, document)
    quantity = "CreditedQuantity" if name == "CreditNote" else "InvoicedQuantity"
    for number, line in enumerate(draft.lines, 1):
        _line(add(root, f"{CAC}{name}Line"), number, line, draft.currency, quantity)
    return written(root)


def _party(role: Element, name: str, tax_id: str, address: Address, *, is_seller: bool) -> None:
    party = add(role, f"{CAC}Party")
    postal = add(party, f"{CAC}PostalAddress")
    add_given(postal, f"{CBC}StreetName", address.line1)
    add_given(postal, f"{CBC}AdditionalStreetName", address.line2)
    add_given(postal, f"{CBC}CityName", address.city)
    add_given(postal, f"{CBC}PostalZone", address.postal_code)
    add_given(postal, f"{CBC}CountrySubentity", address.region)
    add(add(postal, f"{CAC}Country"), f"{CBC}IdentificationCode", address.country)
    is_vat = is_vat_id(tax_id)
    if tax_id and (is_vat or is_seller):
        scheme = add(party, f"{CAC}PartyTaxScheme")
        add(scheme, f"{CBC}CompanyID", tax_id)
        add(add(scheme, f"{CAC}TaxScheme"), f"{CBC}ID", "VAT" if is_vat else "FC")
    entity = add(party, f"{CAC}PartyLegalEntity")
    add(entity, f"{CBC}RegistrationName", name)
    if tax_id and not is_vat:
        add(entity, f"{CBC}CompanyID", tax_id)


def _totals(root: Element, document: Document) -> None:
    draft, currency = document.draft, document.draft.currency
    tax = add(root, f"{CAC}TaxTotal")
    add(tax, f"{CBC}TaxAmount", decimal(draft.tax.minor_units, currency), currencyID=currency)
    for total in draft.vat:
        part = add(tax, f"{CAC}TaxSubtotal")
        add(part, f"{CBC}TaxableAmount", decimal(total.net, currency), currencyID=currency)
        add(part, f"{CBC}TaxAmount", decimal(total.tax, currency), currencyID=currency)
        _category(add(part, f"{CAC}TaxCategory"), total.rate)
    net, gross = decimal(draft.net.minor_units, currency), decimal(draft.total.minor_units, currency)
    sums = add(root, f"{CAC}LegalMonetaryTotal")
    add(sums, f"{CBC}LineExtensionAmount", net, currencyID=currency)
    add(sums, f"{CBC}TaxExclusiveAmount", net, currencyID=currency)
    add(sums, f"{CBC}TaxInclusiveAmount", gross, currencyID=currency)
    # Paid before there was an invoice; a refund went out before its note.
    add(sums, f"{CBC}PrepaidAmount", gross, currencyID=currency)
    add(sums, f"{CBC}PayableAmount", decimal(0, currency), currencyID=currency)


def _category(parent: Element, rate: str) -> None:
    add(parent, f"{CBC}ID", category(rate))
    add(parent, f"{CBC}Percent", rate)
    add(add(parent, f"{CAC}TaxScheme"), f"{CBC}ID", "VAT")


def _line(item: Element, number: int, line: DocumentLine, currency: str, quantity: str) -> None:
    add(item, f"{CBC}ID", str(number))
    add(item, f"{CBC}{quantity}", str(line.quantity), unitCode=PIECE)
    add(item, f"{CBC}LineExtensionAmount", decimal(line.net, currency), currencyID=currency)
    product = add(item, f"{CAC}Item")
    add(product, f"{CBC}Name", line.title)
    _category(add(product, f"{CAC}ClassifiedTaxCategory"), line.rate)
    # The price of all the units together: no rounding stands between it and the line's net amount.
    price = add(item, f"{CAC}Price")
    add(price, f"{CBC}PriceAmount", decimal(line.net, currency), currencyID=currency)
    add(price, f"{CBC}BaseQuantity", str(line.quantity), unitCode=PIECE)
