"""Documents for people: PDF/A-3b, with the same document as Factur-X inside where the norm can say it."""

import json
from collections.abc import Mapping
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import noto_cjk_sans_otc
import typst
from pypdf import PdfWriter
from pypdf.generic import StreamObject

from services.domain.errors import DocumentNotRenderable
from services.domain.invoice import Document, DocumentCause, DocumentKind, DocumentLine
from services.domain.invoicing import SHIPPING_TITLE
from services.domain.order import Address
from services.payment.documents.rendering.amounts import decimal, text
from services.payment.documents.rendering.cii import cii

_FOLDER: Final = files(__name__.rpartition(".")[0])
_TEMPLATE: Final = _FOLDER.joinpath("document.typ").read_bytes()
# What Factur-X 1.0 wants said in the metadata: its own schema among those that are explained, and that the
# document is one.
_SAID: Final = (
    (b"</rdf:Bag></pdfaExtension:schemas>", _FOLDER.joinpath("schema.xmp").read_bytes()),
    (b"</rdf:RDF>", _FOLDER.joinpath("claim.xmp").read_bytes()),
)
_FONTS: Final = typst.Fonts(
    include_system_fonts=False, font_paths=[str(Path(noto_cjk_sans_otc.__file__).parent)]
)

Words = Mapping[str, Any]
_ENGLISH: Final[Words] = MappingProxyType(
    {
        DocumentKind.INVOICE: "Invoice",
        DocumentKind.CREDIT_NOTE: "Credit note",
        DocumentKind.DEBIT_NOTE: "Debit note",
        DocumentCause.SALE: "sale",
        DocumentCause.REFUND: "refund",
        DocumentCause.REFUND_RETURNED: "the bank returned the refund",
        DocumentCause.REISSUE: "replaced by another invoice",
        "number": "Number",
        "issued": "Date",
        "business": "As of",
        "order": "Order",
        "about": "About",
        "cause": "Cause",
        "seller": "Seller",
        "buyer": "Buyer",
        "tax_id": "Tax id",
        "shipping": SHIPPING_TITLE,
        "lines": ("Item", "Quantity", "VAT %", "Net", "VAT", "Total"),
        "vat": ("VAT %", "Net", "VAT", "Total"),
        "total": "Total",
    }
)
_CHINESE: Final[Words] = MappingProxyType(
    {
        DocumentKind.INVOICE: "发票",
        DocumentKind.CREDIT_NOTE: "贷记单",
        DocumentKind.DEBIT_NOTE: "借记单",
        DocumentCause.SALE: "销售",
        DocumentCause.REFUND: "退款",
        DocumentCause.REFUND_RETURNED: "退款被银行退回",
        DocumentCause.REISSUE: "重开发票",
        "number": "号码",
        "issued": "开票日期",
        "business": "业务日期",
        "order": "订单",
        "about": "对应单据",
        "cause": "原因",
        "seller": "销售方",
        "buyer": "购买方",
        "tax_id": "税号",
        "shipping": "运费",
        "lines": ("项目", "数量", "税率 %", "金额", "税额", "价税合计"),
        "vat": ("税率 %", "金额", "税额", "价税合计"),
        "total": "价税合计",
    }
)


def pdf(document: Document) -> bytes:
    """Return the document as PDF/A-3b; without XML inside where the norm cannot say its amounts."""
    words = _CHINESE if document.draft.language == "zh" else _ENGLISH
    told = _told(document, words)
    try:
        told["xml"] = cii(document).decode()
    except DocumentNotRenderable:
        return _compiled(told)
    return _with_factur_x(_compiled(told))


def _compiled(told: Mapping[str, Any]) -> bytes:
    inputs = {"document": json.dumps(told, ensure_ascii=False)}
    return typst.compile(_TEMPLATE, format="pdf", pdf_standards="a-3b", font_paths=_FONTS, sys_inputs=inputs)


def _with_factur_x(made: bytes) -> bytes:
    """Say in the metadata that there is an invoice inside."""
    writer = PdfWriter(clone_from=BytesIO(made))
    writer.pdf_header = made[:8].decode()
    metadata = writer.root_object["/Metadata"].get_object()
    assert isinstance(metadata, StreamObject)
    xmp = metadata.get_data()
    for end, words in _SAID:
        xmp = xmp.replace(end, words + end)
    metadata.set_data(xmp)
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def _told(document: Document, words: Words) -> dict[str, Any]:
    draft, issued = document.draft, document.issued_at
    heading = f"{words[draft.kind]} {document.number}"
    facts = [
        (words["issued"], f"{issued:%Y-%m-%d}"),
        (words["business"], f"{draft.business_at:%Y-%m-%d}"),
        (words["order"], draft.order_id),
        (words["cause"], words[draft.cause]),
    ]
    if draft.about is not None:
        facts.append((words["about"], f"{draft.about.number}, {draft.about.issued_at:%Y-%m-%d}"))
    assert draft.buyer.address is not None
    return {
        "title": heading,
        "heading": heading,
        "language": "zh" if words is _CHINESE else "en",
        "year": issued.year,
        "month": issued.month,
        "day": issued.day,
        "hour": issued.hour,
        "minute": issued.minute,
        "second": issued.second,
        "facts": facts,
        "labels": {name: words[name] for name in ("seller", "buyer", "lines", "vat")},
        "seller": _party(draft.seller.name, draft.seller.tax_id, draft.seller.address, words),
        "buyer": _party(draft.buyer.title, draft.buyer.tax_id, draft.buyer.address, words),
        "lines": [_row(line, draft.currency, words) for line in draft.lines],
        "vat": [(total.rate, *_money(total.net, total.tax, currency=draft.currency)) for total in draft.vat],
        "total": f"{words['total']} {decimal(draft.total.minor_units, draft.currency)} {draft.currency}",
    }


def _party(name: str, tax_id: str, address: Address, words: Words) -> list[str]:
    place = f"{address.postal_code} {address.city} {address.region}".strip()
    lines = [name, address.line1, address.line2, place, address.country]
    return [text(line) for line in (*lines, f"{words['tax_id']} {tax_id}" if tax_id else "") if line.strip()]


def _row(line: DocumentLine, currency: str, words: Words) -> tuple[str, ...]:
    title = words["shipping"] if line.line_id is None else text(line.title)
    return (title, str(line.quantity), line.rate, *_money(line.net, line.tax, currency=currency))


def _money(net: int, tax: int, *, currency: str) -> tuple[str, str, str]:
    return decimal(net, currency), decimal(tax, currency), decimal(net + tax, currency)
