"""What both syntaxes of EN 16931 share: how amounts, codes and texts are written."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

import iso4217

from services.domain.errors import DocumentNotRenderable
from services.domain.invoice import Document, DocumentKind

PROFILE: Final = "urn:cen.eu:en16931:2017"
# UNTDID 1001.
TYPE_CODES: Final[Mapping[DocumentKind, str]] = MappingProxyType(
    {DocumentKind.INVOICE: "380", DocumentKind.CREDIT_NOTE: "381", DocumentKind.DEBIT_NOTE: "383"}
)
# UN/ECE Recommendation 20: one piece.
PIECE: Final = "C62"
# What XML 1.0 cannot hold.
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# EN 16931-1, 6.5.2: amounts have two decimals at most.
_MOST_DECIMALS: Final = 2


def exponent(currency: str) -> int:
    """Return how many digits a currency's minor unit stands behind the point (ISO 4217)."""
    return int(iso4217.Currency(currency).exponent or 0)


def decimal(minor_units: int, currency: str) -> str:
    """Return an amount as a plain decimal number."""
    digits = exponent(currency)
    if not digits:
        return str(minor_units)
    sign = "-" if minor_units < 0 else ""
    text = f"{abs(minor_units):0{digits + 1}}"
    return f"{sign}{text[:-digits]}.{text[-digits:]}"


def check_writable(document: Document) -> None:
    """Refuse a document that the norm cannot say.

    Raises:
        DocumentNotRenderable: If its currency has three digits after the point.
    """
    if exponent(document.draft.currency) > _MOST_DECIMALS:
        raise DocumentNotRenderable(f"EN 16931 cannot say amounts of {document.draft.currency} exactly")


def category(rate: str) -> str:
    """Return the VAT category (UNCL 5305): standard rated, or zero rated."""
    return "S" if float(rate) else "Z"


def text(value: str) -> str:
    return _UNWRITABLE.sub(" ", value)


def add(parent: Element, name: str, value: str = "", **attributes: str) -> Element:
    """Append a child; an empty one is a parent in the making."""
    child = SubElement(parent, name, attributes)
    if value:
        child.text = text(value)
    return child


def add_given(parent: Element, name: str, value: str) -> None:
    """Append a child if there is anything to say: the norm forbids empty elements."""
    if value.strip():
        add(parent, name, value)


def note_of(document: Document) -> str:
    """Say in a sentence why there is a document, and as of when in the business's own time."""
    draft = document.draft
    what = draft.kind.value.replace("_", " ")
    about = f" of {draft.about.number}" if draft.about else ""
    return f"{what}{about}; cause: {draft.cause.value}; as of {draft.business_at:%Y-%m-%d}"


def written(root: Element) -> bytes:
    """Return a document's bytes."""
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content
