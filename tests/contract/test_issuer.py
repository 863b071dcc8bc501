"""What a tax office promises: the fake, and the adapter over the sandbox's wire."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.domain.errors import (
    CreditExceedsInvoice,
    DependencyUnavailable,
    IdempotencyConflict,
    InvoiceNotFound,
    RedLetterNotConfirmed,
)
from services.domain.red_letter import Confirmation, RedReason
from services.payment.documents.tax_office import TaxOffice
from tests.builders import NOW
from tests.fakes.issuer import FakeIssuer
from tests.fixtures.services import free_port

FIRM = "91310000775785552L"
RETURNED = RedReason.GOODS_RETURNED
LATER = NOW + timedelta(hours=72)
Buys = Callable[..., Awaitable[None]]


@pytest.fixture
async def tax_office(sandbox: Any) -> AsyncIterator[TaxOffice]:
    office = TaxOffice(sandbox.url, 60)
    yield office
    await office.close()


@pytest.fixture
def office(kind: str, request: pytest.FixtureRequest) -> Any:
    return FakeIssuer() if kind == "fake" else request.getfixturevalue("tax_office")


@pytest.fixture
def books(office: Any, kind: str, request: pytest.FixtureRequest) -> Buys:
    """Let the buyer book a blue invoice."""
    http = None if kind == "fake" else request.getfixturevalue("sandbox").http

    async def use(number: str) -> None:
        if http is None:
            await office.use(number)
            return
        assert (await http.post("/_control/issuer/use", json={"blue_number": number})).status_code == 200

    return use


@pytest.fixture
def answers(office: Any, kind: str, request: pytest.FixtureRequest) -> Buys:
    """Let the buyer confirm a form, or refuse it."""
    http = None if kind == "fake" else request.getfixturevalue("sandbox").http

    async def answer(serial: str, at: datetime, *, agrees: bool) -> None:
        if http is None:
            await office.answer(serial, at, agrees=agrees)
            return
        body = {"serial": serial, "at": at.isoformat(), "agrees": agrees}
        assert (await http.post("/_control/issuer/answer", json=body)).status_code == 200

    return answer


async def test_a_serial_stands_for_one_blue_invoice(office):
    """A repeat has the same number, another body none."""
    number = await office.issue_blue("b-1", 1000, FIRM)

    assert await office.issue_blue("b-1", 1000, FIRM) == number
    assert await office.issue_blue("b-2", 1000, FIRM) != number
    with pytest.raises(IdempotencyConflict):
        await office.issue_blue("b-1", 1001, FIRM)


async def test_what_the_buyer_has_not_booked_needs_no_confirmation(office):
    """The red number exists at once, and is the same for every repeat."""
    blue = await office.issue_blue("b-1", 1000, FIRM)
    form = await office.enter("r-1", blue, 400, RETURNED, NOW)

    assert (form.confirmation, form.red_number) == (Confirmation.NOT_NEEDED, None)
    issued = await office.issue_red("r-1", NOW)
    assert issued.red_number
    assert await office.issue_red("r-1", LATER) == issued == await office.look_up("r-1", LATER)


@pytest.mark.parametrize("agrees", [True, False])
async def test_what_the_buyer_has_booked_waits_for_their_answer(office, books, answers, agrees):
    """Confirmed is not yet issued; refused never is."""
    blue = await office.issue_blue("b-1", 1000, FIRM)
    await books(blue)
    assert (
        await office.enter("r-1", blue, 400, RETURNED, NOW)
    ).confirmation is Confirmation.ENTERED_BY_SELLER
    with pytest.raises(RedLetterNotConfirmed):
        await office.issue_red("r-1", NOW)

    await answers("r-1", NOW, agrees=agrees)

    form = await office.look_up("r-1", LATER)
    assert form.confirmation is (Confirmation.CONFIRMED if agrees else Confirmation.REFUSED)
    assert form.red_number is None
    if agrees:
        assert (await office.issue_red("r-1", LATER)).red_number
    else:
        with pytest.raises(RedLetterNotConfirmed):
            await office.issue_red("r-1", LATER)


async def test_a_form_nobody_answers_is_void_after_72_hours(office, books):
    """To the second; a new serial starts again, and has the amount to itself."""
    blue = await office.issue_blue("b-1", 1000, FIRM)
    await books(blue)
    await office.enter("r-1", blue, 1000, RETURNED, NOW)
    before = await office.look_up("r-1", LATER - timedelta(seconds=1))
    assert before.confirmation is Confirmation.ENTERED_BY_SELLER

    assert (await office.look_up("r-1", LATER)).confirmation is Confirmation.VOID
    with pytest.raises(RedLetterNotConfirmed):
        await office.issue_red("r-1", LATER)
    with pytest.raises(RedLetterNotConfirmed):
        await office.withdraw("r-1", LATER)
    again = await office.enter("r-2", blue, 1000, RETURNED, LATER)
    assert again.confirmation is Confirmation.ENTERED_BY_SELLER


async def test_a_form_that_waits_may_be_withdrawn(office, books):
    """Then it is over, and its amount is free."""
    blue = await office.issue_blue("b-1", 1000, FIRM)
    await books(blue)
    await office.enter("r-1", blue, 1000, RETURNED, NOW)

    assert (await office.withdraw("r-1", NOW)).confirmation is Confirmation.WITHDRAWN
    assert (await office.enter("r-2", blue, 1000, RETURNED, NOW)).serial == "r-2"


async def test_red_letters_never_exceed_the_blue_invoice(office):
    """Together; and a serial stands for one form."""
    blue = await office.issue_blue("b-1", 1000, FIRM)
    first = await office.enter("r-1", blue, 600, RETURNED, NOW)

    assert await office.enter("r-1", blue, 600, RETURNED, NOW) == first
    with pytest.raises(IdempotencyConflict):
        await office.enter("r-1", blue, 500, RETURNED, NOW)
    with pytest.raises(CreditExceedsInvoice):
        await office.enter("r-2", blue, 401, RETURNED, NOW)
    assert (await office.enter("r-2", blue, 400, RedReason.INVOICE_ERROR, NOW)).amount == 400


async def test_what_is_unknown_is_not_found(office):
    """Neither a blue invoice nor a form."""
    with pytest.raises(InvoiceNotFound):
        await office.enter("r-1", "nobody's", 1, RETURNED, NOW)
    with pytest.raises(InvoiceNotFound):
        await office.look_up("r-1", NOW)


async def test_an_office_that_is_away_is_asked_again():
    """No answer is no answer."""
    office = TaxOffice(f"http://127.0.0.1:{free_port()}", 1)

    with pytest.raises(DependencyUnavailable):
        await office.issue_blue("b-1", 1, FIRM)
    await office.close()
