"""EN 16931 as UN/CEFACT Cross Industry Invoice (D16B): the syntax of Factur-X."""

from typing import Final
from xml.etree.ElementTree import Element, register_namespace

from services.domain.invoice import Document, DocumentLine
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

_NAMESPACES: Final = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
for _prefix, _uri in _NAMESPACES.items():
    register_namespace(_prefix, _uri)
RSM, RAM, QDT, UDT = (f"{{{uri}}}" for uri in _NAMESPACES.values())


def cii(document: Document) -> bytes:
    """Return the document in this syntax.

    Raises:
        DocumentNotRenderable: If the norm cannot say its amounts.
    """
    check_writable(document)
    root = Element(f"{RSM}CrossIndustryInvoice")
    context = add(root, f"{RSM}ExchangedDocumentContext")
    add(add(context, f"{RAM}GuidelineSpecifiedDocumentContextParameter"), f"{RAM}ID", PROFILE)
    head = add(root, f"{RSM}ExchangedDocument")
    add(head, f"{RAM}ID", document.number)
    add(head, f"{RAM}TypeCode", TYPE_CODES[document.draft.kind])
    issued = add(head, f"{RAM}IssueDateTime")
    add(issued, f"{UDT}DateTimeString", f"{document.issued_at:%Y%m%d}", format="102")
    add(add(head, f"{RAM}IncludedNote"), f"{RAM}Content", note_of(document))
    trade = add(root, f"{RSM}SupplyChainTradeTransaction")
    for number, line in enumerate(document.draft.lines, 1):
        _line(trade, number, line, document.draft.currency)
    _agreement(trade, document)
    add(trade, f"{RAM}ApplicableHeaderTradeDelivery")
    _settlement(trade, document)
    return written(root)


def _line(trade: Element, number: int, line: DocumentLine, currency: str) -> None:
    item = add(trade, f"{RAM}IncludedSupplyChainTradeLineItem")
    add(add(item, f"{RAM}AssociatedDocumentLineDocument"), f"{RAM}LineID", str(number))
    add(add(item, f"{RAM}SpecifiedTradeProduct"), f"{RAM}Name", line.title)
    # The price of all the units together: no rounding stands between it and the line's net amount.
    price = add(add(item, f"{RAM}SpecifiedLineTradeAgreement"), f"{RAM}NetPriceProductTradePrice")
    add(price, f"{RAM}ChargeAmount", decimal(line.net, currency))
    add(price, f"{RAM}BasisQuantity", str(line.quantity), unitCode=PIECE)
    delivery = add(item, f"{RAM}SpecifiedLineTradeDelivery")
    add(delivery, f"{RAM}BilledQuantity", str(line.quantity), unitCode=PIECE)
    settlement = add(item, f"{RAM}SpecifiedLineTradeSettlement")
    tax = add(settlement, f"{RAM}ApplicableTradeTax")
    add(tax, f"{RAM}TypeCode", "VAT")
    add(tax, f"{RAM}CategoryCode", category(line.rate))
    add(tax, f"{RAM}RateApplicablePercent", line.rate)
    total = add(settlement, f"{RAM}SpecifiedTradeSettlementLineMonetarySummation")
    add(total, f"{RAM}LineTotalAmount", decimal(line.net, currency))


def _agreement(trade: Element, document: Document) -> None:
    draft = document.draft
    agreement = add(trade, f"{RAM}ApplicableHeaderTradeAgreement")
    seller = add(agreement, f"{RAM}SellerTradeParty")
    add(seller, f"{RAM}Name", draft.seller.name)
    _party(seller, draft.seller.tax_id, draft.seller.address, "FC")
    buyer = add(agreement, f"{RAM}BuyerTradeParty")
    add(buyer, f"{RAM}Name", draft.buyer.title)
    assert draft.buyer.address is not None
    _party(buyer, draft.buyer.tax_id, draft.buyer.address, "")
    order = add(agreement, f"{RAM}BuyerOrderReferencedDocument")
    add(order, f"{RAM}IssuerAssignedID", draft.order_id)


def _party(party: Element, tax_id: str, address: Address, elsewhere: str) -> None:
    """A VAT id states its country; any other id is a registration, and a seller's tax registration too."""
    is_vat = is_vat_id(tax_id)
    if tax_id and not is_vat:
        add(add(party, f"{RAM}SpecifiedLegalOrganization"), f"{RAM}ID", tax_id)
    postal = add(party, f"{RAM}PostalTradeAddress")
    add_given(postal, f"{RAM}PostcodeCode", address.postal_code)
    add_given(postal, f"{RAM}LineOne", address.line1)
    add_given(postal, f"{RAM}LineTwo", address.line2)
    add_given(postal, f"{RAM}CityName", address.city)
    add(postal, f"{RAM}CountryID", address.country)
    add_given(postal, f"{RAM}CountrySubDivisionName", address.region)
    scheme = "VA" if is_vat else elsewhere
    if tax_id and scheme:
        add(add(party, f"{RAM}SpecifiedTaxRegistration"), f"{RAM}ID", tax_id, schemeID=scheme)


def _settlement(trade: Element, document: Document) -> None:
    draft, currency = document.draft, document.draft.currency
    settlement = add(trade, f"{RAM}ApplicableHeaderTradeSettlement")
    add(settlement, f"{RAM}InvoiceCurrencyCode", currency)
    for total in draft.vat:
        tax = add(settlement, f"{RAM}ApplicableTradeTax")
        add(tax, f"{RAM}CalculatedAmount", decimal(total.tax, currency))
        add(tax, f"{RAM}TypeCode", "VAT")
        add(tax, f"{RAM}BasisAmount", decimal(total.net, currency))
        add(tax, f"{RAM}CategoryCode", category(total.rate))
        add(tax, f"{RAM}RateApplicablePercent", total.rate)
    net, vat, gross = (decimal(one.minor_units, currency) for one in (draft.net, draft.tax, draft.total))
    sums = add(settlement, f"{RAM}SpecifiedTradeSettlementHeaderMonetarySummation")
    add(sums, f"{RAM}LineTotalAmount", net)
    add(sums, f"{RAM}TaxBasisTotalAmount", net)
    add(sums, f"{RAM}TaxTotalAmount", vat, currencyID=currency)
    add(sums, f"{RAM}GrandTotalAmount", gross)
    # Paid before there was an invoice; a refund went out before its note.
    add(sums, f"{RAM}TotalPrepaidAmount", gross)
    add(sums, f"{RAM}DuePayableAmount", decimal(0, currency))
    if draft.about is not None:
        earlier = add(settlement, f"{RAM}InvoiceReferencedDocument")
        add(earlier, f"{RAM}IssuerAssignedID", draft.about.number)
        issued = add(earlier, f"{RAM}FormattedIssueDateTime")
        add(issued, f"{QDT}DateTimeString", f"{draft.about.issued_at:%Y%m%d}", format="102")
