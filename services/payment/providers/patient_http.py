"""The HTTP client under the processor's library: the house's own, with one deadline for the whole answer."""

import asyncio
from collections.abc import Mapping

import httpx2
import stripe


class PatientHttp(stripe.HTTPClient):
    """``seconds`` bounds each request from its first byte to the last of its answer."""

    name = "httpx2"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        # Its address is what it was told: no proxy of the environment comes between.
        self._client = httpx2.AsyncClient(timeout=seconds, trust_env=False)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        # The client's own timeout bounds each read, not the whole.
        async with asyncio.timeout(self._seconds):
            answer = await self._client.request(method, url, headers=headers, content=post_data)
        return answer.content, answer.status_code, answer.headers

    async def close_async(self) -> None:
        await self._client.aclose()
