"""Webhooks out: signed as the processor does, repeated until somebody takes them."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Final

import httpx2

from services.sandbox.processor import Processor
from services.sandbox.state import State

_LOOK_SECONDS: Final = 0.1
_FIRST_DELAY_SECONDS: Final = 0.2
_LONGEST_DELAY_SECONDS: Final = 30.0
_MOST_DOUBLINGS: Final = 10
_ANSWER_SECONDS: Final = 20.0


def signature(body: str, secret: str, at: int) -> str:
    """Sign a webhook as Stripe does: HMAC-SHA256 over ``timestamp.body``."""
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Sender:
    """Sends what is due, one after the other, until it is cancelled."""

    def __init__(self, state: State, processor: Processor, secret: str, url: str) -> None:
        self._state = state
        self._processor = processor
        self._secret = secret
        self._url = url

    async def run(self) -> None:
        async with httpx2.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False) as client:
            while True:
                for event_id, body, attempts in self._state.due_webhooks(time.time()):
                    await self._send(client, event_id, body, attempts)
                await asyncio.sleep(_LOOK_SECONDS)

    async def _send(self, client: httpx2.AsyncClient, event_id: str, body: str, attempts: int) -> None:
        self._processor.come_due(json.loads(body))
        headers = {
            "content-type": "application/json",
            "stripe-signature": signature(body, self._secret, int(time.time())),
        }
        try:
            answer = await client.post(self._url, content=body, headers=headers)
            is_taken = answer.is_success
        except httpx2.HTTPError:
            is_taken = False
        if is_taken:
            self._state.webhook_sent(event_id)
        else:
            delay = _FIRST_DELAY_SECONDS * 2 ** min(attempts, _MOST_DOUBLINGS)
            self._state.webhook_failed(event_id, time.time() + min(delay, _LONGEST_DELAY_SECONDS))
