"""How fast a caller may ask; counted in this process, per caller."""

import math
import time

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.exceptions import HTTPException


class Rates:
    def __init__(self, rate: str) -> None:
        self._rate = parse(rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def spend(self, who: str) -> None:
        """Count a request of ``who``.

        Raises:
            HTTPException: 429, with the seconds after which to ask again.
        """
        if await self._limiter.hit(self._rate, who):
            return
        window = await self._limiter.get_window_stats(self._rate, who)
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        raise HTTPException(429, "too many requests; ask again later", {"Retry-After": str(seconds)})
