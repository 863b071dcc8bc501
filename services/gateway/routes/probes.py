"""Whether this process lives, and whether it can work."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from fastapi import APIRouter, Response
from pydantic import Field

from services.gateway.routes.secured import TheGateway
from services.gateway.schemas.fields import Outgoing
from services.gateway.wiring import Gateway
from services.platform.grpc_channel import check_health

router = APIRouter(tags=["probes"])
_SECONDS: Final = 2.0


class Readiness(Outgoing):
    """``down`` names what is away; requests that need it are answered 503 until it is back.

    It may be the ``database``, a service by its name, ``temporal``, or the ``worker``: then nobody has asked
    for work on cases for over a minute, and no command is answered.
    """

    ready: bool
    down: list[str] = Field(examples=[["worker"]])


@router.get("/livez")
async def live() -> dict[str, str]:
    """Say that this process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Something is away.", "model": Readiness}})
async def ready(gateway: TheGateway, response: Response) -> Readiness:
    """Ask everything this process needs."""
    checks = _checks(gateway)
    states = await asyncio.gather(*(_is_up(check) for check in checks.values()))
    down = [name for name, is_up in zip(checks, states, strict=True) if not is_up]
    response.status_code = 503 if down else 200
    return Readiness(ready=not down, down=down)


def _checks(gateway: Gateway) -> dict[str, Callable[[], Awaitable[None]]]:
    checks: dict[str, Callable[[], Awaitable[None]]] = {
        name: partial(check_health, channel, seconds=_SECONDS)
        for name, channel in gateway.outside.channels.items()
    }
    outside = gateway.outside
    return {
        "database": gateway.records.ping,
        **checks,
        "temporal": outside.check_temporal,
        "worker": outside.check_worker,
    }


async def _is_up(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            await check()
    except Exception:  # noqa: BLE001 — whatever it is, it is not up
        return False
    return True
