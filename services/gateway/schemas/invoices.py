"""Invoices and their notes, as they were issued."""

from datetime import datetime

from pydantic import Field

from services.domain.invoice import (
    BuyerKind,
    Document,
    DocumentCause,
    DocumentKind,
    DocumentLine,
    Reference,
    VatTotal,
)
from services.domain.order import Address
from services.gateway.schemas.fields import MoneyDocument, Outgoing


class PartyAddress(Outgoing):
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str

    @classmethod
    def of(cls, address: Address) -> "PartyAddress":
        return cls(
            line1=address.line1,
            line2=address.line2,
            city=address.city,
            region=address.region,
            postal_code=address.postal_code,
            country=address.country,
        )


class SellerDocument(Outgoing):
    name: str
    tax_id: str = Field(examples=["GB123456789"])
    address: PartyAddress


class BuyerDocument(Outgoing):
    """Whom it is made out to; an individual needs no tax id."""

    kind: BuyerKind
    title: str
    tax_id: str | None
    email: str | None
    address: PartyAddress | None


class IssuedLine(Outgoing):
    """Minor units: ``net`` is without tax, ``rate`` per cent. Shipping has no ``line_id``."""

    line_id: str | None
    title: str
    quantity: int
    rate: str = Field(examples=["20"])
    net: int = Field(examples=[1275])
    tax: int = Field(examples=[255])

    @classmethod
    def of(cls, line: DocumentLine) -> "IssuedLine":
        return cls(
            line_id=line.line_id,
            title=line.title,
            quantity=line.quantity,
            rate=line.rate,
            net=line.net,
            tax=line.tax,
        )


class VatDocument(Outgoing):
    """What the document comes to at one rate, in minor units."""

    rate: str = Field(examples=["20"])
    net: int = Field(examples=[1275])
    tax: int = Field(examples=[255])

    @classmethod
    def of(cls, total: VatTotal) -> "VatDocument":
        return cls(rate=total.rate, net=total.net, tax=total.tax)


class AboutDocument(Outgoing):
    """The invoice that a credit note credits, or the credit note that a debit note takes back."""

    invoice_id: str
    number: str = Field(examples=["INV-2026-000001"])
    issued_at: datetime

    @classmethod
    def of(cls, reference: Reference) -> "AboutDocument":
        return cls(invoice_id=reference.document_id, number=reference.number, issued_at=reference.issued_at)


class IssuedLinks(Outgoing):
    pdf: str
    xml: str


class IssuedDocument(Outgoing):
    """An invoice, or a note about one; it never changes.

    ``amount`` includes tax. ``issued_at`` is by the wall's clock, ``business_at`` the case's time.
    """

    invoice_id: str
    kind: DocumentKind
    number: str = Field(examples=["INV-2026-000001"])
    order_id: str = Field(examples=["536365"])
    cause: DocumentCause
    about: AboutDocument | None
    refund_id: str | None
    case_id: str | None
    amount: MoneyDocument
    net: MoneyDocument
    tax: MoneyDocument
    vat: list[VatDocument]
    lines: list[IssuedLine]
    seller: SellerDocument
    buyer: BuyerDocument
    issued_at: datetime
    business_at: datetime
    url: str
    links: IssuedLinks

    @classmethod
    def of(cls, document: Document, gateway_url: str) -> "IssuedDocument":
        draft = document.draft
        url = f"{gateway_url}/v1/invoices/{draft.document_id}"
        return cls(
            invoice_id=draft.document_id,
            kind=draft.kind,
            number=document.number,
            order_id=draft.order_id,
            cause=draft.cause,
            about=AboutDocument.of(draft.about) if draft.about else None,
            refund_id=draft.refund_id,
            case_id=draft.case_id,
            amount=MoneyDocument.of(draft.total),
            net=MoneyDocument.of(draft.net),
            tax=MoneyDocument.of(draft.tax),
            vat=[VatDocument.of(total) for total in draft.vat],
            lines=[IssuedLine.of(line) for line in draft.lines],
            seller=SellerDocument(
                name=draft.seller.name,
                tax_id=draft.seller.tax_id,
                address=PartyAddress.of(draft.seller.address),
            ),
            buyer=BuyerDocument(
                kind=draft.buyer.kind,
                title=draft.buyer.title,
                tax_id=draft.buyer.tax_id or None,
                email=draft.buyer.email or None,
                address=PartyAddress.of(draft.buyer.address) if draft.buyer.address else None,
            ),
            issued_at=document.issued_at,
            business_at=draft.business_at,
            url=url,
            links=IssuedLinks(pdf=f"{url}.pdf", xml=f"{url}.xml"),
        )
