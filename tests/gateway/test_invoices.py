"""Invoices over REST: who reads them, as data, as a page, and as EN 16931."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from services.clients.documents import DocumentClient
from services.clients.order import OrderClient
from services.domain.ids import derived_id
from services.domain.invoice import Buyer, BuyerKind, Document
from tests.fixtures.gateway import Front, customer_token, staff_token, store_token

PATH = f"/v1/invoices/{derived_id('IN-7K3M-9QX1')}"
NOBODY = f"/v1/invoices/{derived_id('nobody')}"


@pytest.fixture
def issue(front: Front, channels):
    """Issue the invoice of an order that was put."""

    async def issue(**changes: object) -> Document:
        assert (await front.put_order(**changes)).status_code == 201
        order = (await OrderClient(channels["order"]).get("demo", "536365")).sold
        buyer = Buyer(BuyerKind.INDIVIDUAL, "张三", "17850@example.com")
        documents = DocumentClient(channels["payment"])
        return await documents.issue(derived_id("IN-7K3M-9QX1"), order, buyer, datetime.now(UTC))

    return issue


async def test_an_invoice_is_read_by_whom_it_concerns(front: Front, issue) -> None:
    """The store, its staff, and the customer whose order it is; for everybody else it does not exist."""
    await issue()
    readers = (store_token(), staff_token("finance"), staff_token("agent"), customer_token())
    strangers = (store_token("other"), customer_token("12345"), staff_token("finance", stores=("other",)))

    for path in (PATH, f"{PATH}.pdf", f"{PATH}.xml"):
        assert [(await front.call("GET", path, token)).status_code for token in readers] == [200] * 4
        refused = [await front.call("GET", path, token) for token in strangers]
        assert [(one.status_code, one.json()["code"]) for one in refused] == [(404, "invoice_not_found")] * 3
        assert (await front.call("GET", path, staff_token("warehouse"))).status_code == 403
    unknown = await front.call("GET", NOBODY, store_token())
    assert (unknown.status_code, unknown.json()["code"]) == (404, "invoice_not_found")


async def test_an_invoice_says_what_it_is(front: Front, issue) -> None:
    """Amounts, breakdown, buyer, and where its files are; the list of its order holds it."""
    issued = await issue()

    told = (await front.call("GET", PATH, store_token())).json()
    listed = (await front.call("GET", "/v1/invoices?order_id=536365", store_token())).json()

    assert listed == {"data": [told], "next_cursor": None}
    assert (told["number"], told["kind"], told["cause"]) == (issued.number, "invoice", "sale")
    assert told["amount"] == {"amount": 1530, "currency": "GBP"}
    assert told["vat"] == [{"rate": "0", "net": 1530, "tax": 0}]
    assert told["buyer"]["title"] == "张三"
    assert told["links"] == {"pdf": f"{told['url']}.pdf", "xml": f"{told['url']}.xml"}
    assert told["url"].endswith(PATH)


async def test_a_list_shows_no_other_store_or_customer(front: Front, issue) -> None:
    """An order of another store has no documents; one of another customer does not exist."""
    await issue()
    path = "/v1/invoices?order_id=536365"

    assert (await front.call("GET", path, store_token("other"))).json()["data"] == []
    assert (await front.call("GET", path, customer_token("12345"))).status_code == 404
    assert len((await front.call("GET", path, customer_token())).json()["data"]) == 1
    assert (await front.call("GET", "/v1/invoices", store_token())).status_code == 400


async def test_files_are_what_they_say(front: Front, issue) -> None:
    """A PDF; UBL unless CII is asked for; the same bytes each time, under the document's number."""
    issued = await issue()
    page = await front.call("GET", f"{PATH}.pdf", store_token())
    ubl = await front.call("GET", f"{PATH}.xml", store_token())
    cii = await front.call("GET", f"{PATH}.xml?syntax=cii", store_token())

    assert page.content.startswith(b"%PDF-1.7")
    assert [one.headers["content-type"] for one in (page, ubl, cii)] == [
        "application/pdf",
        "application/xml",
        "application/xml",
    ]
    assert page.headers["content-disposition"] == f'inline; filename="{issued.number}.pdf"'
    roots = [ET.fromstring(one.content).tag.partition("}")[2] for one in (ubl, cii)]
    assert roots == ["Invoice", "CrossIndustryInvoice"]
    assert (await front.call("GET", f"{PATH}.pdf", store_token())).content == page.content
    assert (await front.call("GET", f"{PATH}.xml?syntax=edi", store_token())).status_code == 400


async def test_what_the_norm_cannot_say_is_no_xml(front: Front, issue) -> None:
    """Dinars have three digits after the point, EN 16931 two: there is a page, and a clear no."""
    await issue(currency="KWD")

    page = await front.call("GET", f"{PATH}.pdf", store_token())
    refused = await front.call("GET", f"{PATH}.xml", store_token())

    assert page.content.startswith(b"%PDF-1.7")
    assert (refused.status_code, refused.json()["code"]) == (422, "document_not_renderable")


@pytest.mark.parametrize("odd", ["1", "..%2F..", "x" * 300, "%00"])
async def test_an_odd_id_is_refused(front: Front, odd: str) -> None:
    """Nothing that is no id gets further than the door."""
    answer = await front.call("GET", f"/v1/invoices/{odd}", store_token())

    assert answer.status_code in {400, 404}
