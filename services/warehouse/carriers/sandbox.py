"""The sandbox carrier: a company of its own, asked over HTTP like any other."""

import asyncio
from typing import Any, Final

import httpx2

from services.domain.errors import DependencyUnavailable
from services.domain.logistics import ExpectedReturn
from services.domain.order import Address
from services.warehouse.returns import Label

# A carrier's label service answers within seconds or not at all.
_SECONDS: Final = 10.0


class SandboxCarrier:
    """Buys and voids labels; the RMA is the idempotency key, so that a repeat is the same label."""

    def __init__(self, base_url: str) -> None:
        # It is next door: no proxy of the environment comes between.
        self._client = httpx2.AsyncClient(base_url=base_url, timeout=_SECONDS, trust_env=False)

    async def buy_label(self, expected: ExpectedReturn, ship_to: Address) -> Label:
        """Buy a label at most once per RMA.

        Raises:
            DependencyUnavailable: If the carrier does not answer; ask again.
        """
        label = await self._post("/carrier/labels", reference=expected.rma, country=ship_to.country)
        try:
            return Label(label["label_url"], label["carrier"], label["tracking_number"])
        except (KeyError, TypeError) as error:
            raise DependencyUnavailable("the carrier's answer makes no sense") from error

    async def void_label(self, rma: str) -> None:
        """Give the label back; one that was never bought, or is void already, stays so.

        Raises:
            DependencyUnavailable: If the carrier does not answer; ask again.
        """
        await self._post("/carrier/labels/void", reference=rma)

    async def _post(self, path: str, **wanted: str) -> Any:
        try:
            # The client's own timeout bounds each read, not the whole.
            async with asyncio.timeout(_SECONDS):
                answer = await self._client.post(path, json=wanted)
            answer.raise_for_status()
            return answer.json()
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            raise DependencyUnavailable("the carrier does not answer") from error

    async def close(self) -> None:
        await self._client.aclose()
