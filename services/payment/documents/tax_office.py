"""The tax office over HTTP: the sandbox's wire."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx2

from services.domain.errors import (
    CreditExceedsInvoice,
    DependencyUnavailable,
    IdempotencyConflict,
    InvoiceNotFound,
    RedLetterNotConfirmed,
)
from services.domain.red_letter import RedForm, RedReason
from services.platform.documents import parse

_REFUSALS = {
    error.reason: error
    for error in (CreditExceedsInvoice, IdempotencyConflict, InvoiceNotFound, RedLetterNotConfirmed)
}


class TaxOffice:
    """Satisfies `services.payment.documents.issuer.TaxIssuer`."""

    def __init__(self, base_url: str, seconds: float) -> None:
        self._http = httpx2.AsyncClient(base_url=base_url, timeout=seconds, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def issue_blue(self, serial: str, amount: int, buyer_tax_id: str) -> str:
        body = {"serial": serial, "amount": amount, "buyer_tax_id": buyer_tax_id}
        answer = await self._ask("POST", "/issuer/blue", json=body)
        return str(answer.json()["number"])

    async def enter(
        self, serial: str, blue_number: str, amount: int, reason: RedReason, at: datetime
    ) -> RedForm:
        body = {
            "serial": serial,
            "blue_number": blue_number,
            "amount": amount,
            "reason": reason.value,
            "at": at.isoformat(),
        }
        return _form(await self._ask("POST", "/issuer/red", json=body))

    async def look_up(self, serial: str, at: datetime) -> RedForm:
        return _form(await self._ask("GET", f"/issuer/red/{serial}", params={"at": at.isoformat()}))

    async def withdraw(self, serial: str, at: datetime) -> RedForm:
        return _form(await self._ask("POST", f"/issuer/red/{serial}/withdraw", json={"at": at.isoformat()}))

    async def issue_red(self, serial: str, at: datetime) -> RedForm:
        return _form(await self._ask("POST", f"/issuer/red/{serial}/issue", json={"at": at.isoformat()}))

    async def _ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx2.HTTPError as error:
            raise DependencyUnavailable("the tax office does not answer") from error
        if answer.status_code == HTTPStatus.OK:
            return answer
        told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        refusal = _REFUSALS.get(str(told.get("code")))
        if refusal is None:
            raise DependencyUnavailable(f"the tax office answered {answer.status_code}")
        raise refusal(str(told.get("detail")))


def _form(answer: httpx2.Response) -> RedForm:
    return parse(answer.text, RedForm)
