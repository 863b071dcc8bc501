"""Invoices, credit notes and debit notes: what they say, line by line and per rate of VAT.

A document is drafted from an order or a refund, and gets its number and date last. All amounts are minor
units of its currency; a line is told net, with its tax beside it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.domain.ids import CaseId, DocumentId, LineId, OrderId, RefundId, StoreId
from services.domain.money import Money
from services.domain.order import Address


class BuyerKind(StrEnum):
    INDIVIDUAL = "individual"
    ORGANIZATION = "organization"


class DocumentKind(StrEnum):
    """A debit note takes a credit note back; it is the answer to a refund that the bank returned."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    DEBIT_NOTE = "debit_note"


class DocumentCause(StrEnum):
    """Why a document exists."""

    SALE = "sale"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"
    REISSUE = "reissue"


class DocumentFormat(StrEnum):
    """A document as a file: for people, or EN 16931 in one of its syntaxes."""

    PDF = "pdf"
    UBL = "ubl"
    CII = "cii"


_SERIES: Final[Mapping[DocumentKind, str]] = MappingProxyType(
    {DocumentKind.INVOICE: "INV", DocumentKind.CREDIT_NOTE: "CRN", DocumentKind.DEBIT_NOTE: "DBN"}
)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whom the invoice is made out to; without an ``address`` the order's own is shown."""

    kind: BuyerKind
    title: str
    email: str = ""
    tax_id: str = ""
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Seller:
    """The shop as the law knows it; ``address.name`` is not shown."""

    name: str
    tax_id: str
    address: Address


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """``rate`` is per cent (``"20"``, ``"5.5"``); shipping has no ``line_id``."""

    title: str
    quantity: int
    rate: str
    net: int
    tax: int
    line_id: LineId | None = None

    @property
    def gross(self) -> int:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class VatTotal:
    """What a document comes to at one rate."""

    rate: str
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier document that a later one is about."""

    document_id: DocumentId
    number: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """A document before it has its number; ``about`` is what it credits, or takes back.

    ``business_at`` is the case's time, ``refund_id`` what caused it, ``language`` what it is written in.
    """

    document_id: DocumentId
    kind: DocumentKind
    store_id: StoreId
    order_id: OrderId
    currency: str
    seller: Seller
    buyer: Buyer
    language: str
    lines: tuple[DocumentLine, ...]
    cause: DocumentCause
    business_at: datetime
    about: Reference | None = None
    refund_id: RefundId | None = None
    case_id: CaseId | None = None

    @property
    def vat(self) -> tuple[VatTotal, ...]:
        return vat_totals(self.lines)

    @property
    def net(self) -> Money:
        return Money(sum(line.net for line in self.lines), self.currency)

    @property
    def tax(self) -> Money:
        return Money(sum(line.tax for line in self.lines), self.currency)

    @property
    def total(self) -> Money:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was issued: it never changes. ``issued_at`` is by the wall's clock."""

    draft: Draft
    number: str
    issued_at: datetime

    @property
    def reference(self) -> Reference:
        return Reference(self.draft.document_id, self.number, self.issued_at)


def vat_totals(lines: Iterable[DocumentLine]) -> tuple[VatTotal, ...]:
    """Return the breakdown of VAT, one total per rate, the highest first."""
    totals: dict[str, VatTotal] = {}
    for line in lines:
        known = totals.get(line.rate, VatTotal(line.rate, 0, 0))
        totals[line.rate] = VatTotal(line.rate, known.net + line.net, known.tax + line.tax)
    return tuple(sorted(totals.values(), key=lambda total: -float(total.rate)))


def number_of(kind: DocumentKind, year: int, position: int) -> str:
    """Return a document's number: every kind has a series of its own per store and year, from 1."""
    return f"{_SERIES[kind]}-{year}-{position:06}"
