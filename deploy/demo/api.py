"""Asking the service: every request has a deadline, and may be repeated without harm.

A request that was cut off, refused for its pace (429) or met something that is away (503) is sent again, the
same to the byte. That is safe because each names what it is about: a PUT its resource, a POST its
``Idempotency-Key`` or an id of its own.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx2

# What one try may take, and all of them together.
_TRY_SECONDS: Final = 30.0
_TOTAL_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_ASK_AGAIN: Final = frozenset({429, 502, 503, 504})
_FIRST_ERROR: Final = 400

Json = dict[str, Any]


class Refused(Exception):
    """The service said no: ``code`` is its stable reason (RFC 9457), ``problem`` all that it said."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')} {problem.get('errors') or ''}")


class Unavailable(Exception):
    """No answer that counts within the deadline; the same request may be sent again later."""


class Api:
    """One caller's way to the service, kept open between requests."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx2.AsyncClient(base_url=base_url, headers=headers, timeout=_TRY_SECONDS)

    async def get(self, path: str, **query: str) -> Json:
        return await self.send("GET", path, query=query)

    async def put(self, path: str, body: Json) -> Json:
        return await self.send("PUT", path, body=body)

    async def post(self, path: str, body: Json, *, key: str) -> Json:
        """Ask for something that happens at most once per ``key``."""
        return await self.send("POST", path, body=body, headers={"Idempotency-Key": key})

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Return the answer, asking again for as long as the deadline allows.

        Raises:
            Refused: If the service refuses, whatever the time.
            Unavailable: If nobody answers in time.
        """
        request = self._client.build_request(
            method, path, params=dict(query or {}), json=body, content=content, headers=dict(headers or {})
        )
        try:
            async with asyncio.timeout(_TOTAL_SECONDS):
                return await self._until_answered(request)
        except TimeoutError as error:
            raise Unavailable(f"{method} {path}: no answer within {_TOTAL_SECONDS:.0f} s") from error

    async def _until_answered(self, request: httpx2.Request) -> Json:
        pause = _FIRST_PAUSE
        while True:
            wished = 0.0
            try:
                answer = await self._client.send(request)
            except httpx2.TransportError:
                pass
            else:
                if answer.status_code not in _ASK_AGAIN:
                    return _read(answer)
                wished = _seconds(answer.headers.get("retry-after", ""))
            await asyncio.sleep(max(pause, wished))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def close(self) -> None:
        await self._client.aclose()


def _seconds(retry_after: str) -> float:
    """Return the pause that was asked for, if it is stated in seconds."""
    return float(retry_after) if retry_after.isdecimal() else 0.0


def _read(answer: httpx2.Response) -> Json:
    document: Json = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    if answer.status_code >= _FIRST_ERROR:
        raise Refused(answer.status_code, document)
    return document
