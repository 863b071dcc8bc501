"""A tax office in memory, which keeps the rules of red letters."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.domain.errors import (
    CreditExceedsInvoice,
    IdempotencyConflict,
    InvoiceNotFound,
    RedLetterNotConfirmed,
)
from services.domain.red_letter import ISSUABLE, WAITING, Confirmation, RedForm, RedReason, advance

VALID_FOR = timedelta(hours=72)


@dataclass
class FakeIssuer:
    """Satisfies `services.payment.documents.issuer.TaxIssuer`."""

    blue: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    forms: dict[str, RedForm] = field(default_factory=dict)

    async def issue_blue(self, serial: str, amount: int, buyer_tax_id: str) -> str:
        number, *told = self.blue.setdefault(serial, (f"blue-{len(self.blue)}", amount, buyer_tax_id))
        if told != [amount, buyer_tax_id]:
            raise IdempotencyConflict("another invoice")
        return number

    async def enter(
        self, serial: str, blue_number: str, amount: int, reason: RedReason, at: datetime
    ) -> RedForm:
        worth = {number: amount for number, amount, _ in self.blue.values()}
        if blue_number not in worth:
            raise InvoiceNotFound("no such invoice")
        state = Confirmation.ENTERED_BY_SELLER if blue_number in self.used else Confirmation.NOT_NEEDED
        form = RedForm(serial, blue_number, amount, reason, state, at)
        known = self.forms.get(serial)
        if known is not None:
            same = replace(known, confirmation=state, red_number=None)
            if same != replace(form, confirmation=state):
                raise IdempotencyConflict("another form")
            return self._seen(known, at)
        live = WAITING | ISSUABLE
        taken = [one for one in self.forms.values() if self._seen(one, at).confirmation in live]
        if sum(one.amount for one in taken if one.blue_number == blue_number) + amount > worth[blue_number]:
            raise CreditExceedsInvoice("more than the invoice")
        self.forms[serial] = form
        return form

    async def look_up(self, serial: str, at: datetime) -> RedForm:
        if serial not in self.forms:
            raise InvoiceNotFound("no such form")
        return self._seen(self.forms[serial], at)

    async def withdraw(self, serial: str, at: datetime) -> RedForm:
        return await self._move(serial, Confirmation.WITHDRAWN, at)

    async def issue_red(self, serial: str, at: datetime) -> RedForm:
        form = await self.look_up(serial, at)
        if form.confirmation not in ISSUABLE:
            raise RedLetterNotConfirmed(f"the form is {form.confirmation}")
        self.forms[serial] = replace(form, red_number=form.red_number or f"red-{serial}")
        return self.forms[serial]

    async def use(self, blue_number: str) -> None:
        self.used.add(blue_number)

    async def answer(self, serial: str, at: datetime, *, agrees: bool) -> None:
        await self._move(serial, Confirmation.CONFIRMED if agrees else Confirmation.REFUSED, at)

    async def _move(self, serial: str, target: Confirmation, at: datetime) -> RedForm:
        form = await self.look_up(serial, at)
        self.forms[serial] = replace(form, confirmation=advance(form.confirmation, target))
        return self.forms[serial]

    def _seen(self, form: RedForm, at: datetime) -> RedForm:
        return replace(form, confirmation=form.at(at, VALID_FOR))
