"""The sandbox of a tax office: blue invoices get numbers, red letters take them back. In memory, local only.

Times are the caller's own, so that a moved clock moves the 72 hours as well.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.domain.errors import (
    ERROR_KINDS,
    CreditExceedsInvoice,
    IdempotencyConflict,
    InvalidArgument,
    InvoiceNotFound,
    RecourseError,
    RedLetterNotConfirmed,
)
from services.domain.red_letter import ISSUABLE, Confirmation, RedForm, RedReason, advance
from services.platform.documents import to_json

_VALID_FOR: Final = timedelta(hours=72)
_DEAD: Final = frozenset({Confirmation.REFUSED, Confirmation.VOID, Confirmation.WITHDRAWN})


@dataclass
class Blue:
    """A blue invoice, and whether its buyer has booked it."""

    number: str
    amount: int
    buyer_tax_id: str
    is_used: bool = False


@dataclass
class Issuer:
    """The routes, and what they know."""

    blue: dict[str, Blue] = field(default_factory=dict)
    forms: dict[str, RedForm] = field(default_factory=dict)
    red: int = 0

    def routes(self) -> list[Route]:
        return [
            Route("/issuer/blue", _answered(self._issue_blue), methods=["POST"]),
            Route("/issuer/red", _answered(self._enter), methods=["POST"]),
            Route("/issuer/red/{serial}", _answered(self._look_up)),
            Route("/issuer/red/{serial}/withdraw", _answered(self._withdraw), methods=["POST"]),
            Route("/issuer/red/{serial}/issue", _answered(self._issue_red), methods=["POST"]),
            Route("/_control/issuer/use", _answered(self._use), methods=["POST"]),
            Route("/_control/issuer/answer", _answered(self._answer), methods=["POST"]),
        ]

    async def _issue_blue(self, request: Request) -> Response:
        told = await request.json()
        number = f"{len(self.blue) + 1:020}"
        known = self.blue.setdefault(
            str(told["serial"]), Blue(number, int(told["amount"]), str(told["buyer_tax_id"]))
        )
        if (known.amount, known.buyer_tax_id) != (told["amount"], told["buyer_tax_id"]):
            raise IdempotencyConflict("the serial stands for another invoice")
        return JSONResponse({"number": known.number})

    async def _enter(self, request: Request) -> Response:
        told = await request.json()
        at = datetime.fromisoformat(told["at"])
        blue = next((one for one in self.blue.values() if one.number == told["blue_number"]), None)
        if blue is None:
            raise InvoiceNotFound("there is no such blue invoice")
        state = Confirmation.ENTERED_BY_SELLER if blue.is_used else Confirmation.NOT_NEEDED
        form = RedForm(
            str(told["serial"]), blue.number, int(told["amount"]), RedReason(told["reason"]), state, at
        )
        known = self.forms.get(form.serial)
        if known is None:
            taken = sum(one.amount for one in self.forms.values() if self._is_live(one, blue.number, at))
            if taken + form.amount > blue.amount:
                raise CreditExceedsInvoice("more than the blue invoice")
            self.forms[form.serial] = form
        elif _asked(known) != _asked(form):
            raise IdempotencyConflict("the serial stands for another form")
        return _told(known or form, at)

    def _is_live(self, form: RedForm, blue_number: str, at: datetime) -> bool:
        return form.blue_number == blue_number and form.at(at, _VALID_FOR) not in _DEAD

    def _form(self, serial: str) -> RedForm:
        if serial not in self.forms:
            raise InvoiceNotFound("there is no such form")
        return self.forms[serial]

    async def _look_up(self, request: Request) -> Response:
        at = datetime.fromisoformat(request.query_params["at"])
        return _told(self._form(request.path_params["serial"]), at)

    async def _withdraw(self, request: Request) -> Response:
        at = datetime.fromisoformat((await request.json())["at"])
        form = self._move(request.path_params["serial"], Confirmation.WITHDRAWN, at)
        return _told(form, at)

    async def _issue_red(self, request: Request) -> Response:
        at = datetime.fromisoformat((await request.json())["at"])
        form = self._form(request.path_params["serial"])
        if form.red_number is None:
            if form.at(at, _VALID_FOR) not in ISSUABLE:
                raise RedLetterNotConfirmed(f"the form is {form.at(at, _VALID_FOR)}")
            self.red += 1
            form = self.forms[form.serial] = replace(form, red_number=f"9{self.red:019}")
        return _told(form, at)

    async def _use(self, request: Request) -> Response:
        """The buyer books a blue invoice."""
        number = (await request.json())["blue_number"]
        for blue in self.blue.values():
            blue.is_used = blue.is_used or blue.number == number
        return JSONResponse({"ok": True})

    async def _answer(self, request: Request) -> Response:
        """The buyer confirms a form, or refuses it."""
        told = await request.json()
        at = datetime.fromisoformat(told["at"])
        target = Confirmation.CONFIRMED if told["agrees"] else Confirmation.REFUSED
        return _told(self._move(str(told["serial"]), target, at), at)

    def _move(self, serial: str, target: Confirmation, at: datetime) -> RedForm:
        form = self._form(serial)
        moved = replace(form, confirmation=advance(form.at(at, _VALID_FOR), target))
        self.forms[serial] = moved
        return moved


def _asked(form: RedForm) -> tuple[object, ...]:
    return form.blue_number, form.amount, form.reason, form.entered_at


def _told(form: RedForm, at: datetime) -> Response:
    body = to_json(replace(form, confirmation=form.at(at, _VALID_FOR)))
    return Response(body, media_type="application/json")


def _answered(
    handle: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        try:
            return await handle(request)
        except RecourseError as error:
            return _refused(error)
        except (KeyError, TypeError, ValueError) as error:
            return _refused(InvalidArgument(f"malformed: {error!r}"))

    return answered


def _refused(error: RecourseError) -> Response:
    told: dict[str, Any] = {"code": error.reason, "detail": error.detail}
    return JSONResponse(told, ERROR_KINDS[error.kind].http_status)
