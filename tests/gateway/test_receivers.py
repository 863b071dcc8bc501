"""Receivers of what stores are told: slow, strange, gone, or where nobody may be sent."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import cycle

import pytest

from services.domain.errors import InvalidArgument
from services.domain.ids import StoreId
from services.gateway.subscriptions import DeliveryState, News, check_url
from services.gateway.telling import open_client
from services.platform.database import Pool
from tests.casework.papers import a_snapshot
from tests.fixtures.telling import Receiver, Telling, subscribe

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n"


@asynccontextmanager
async def dripping(at_once: bytes) -> AsyncIterator[str]:
    """Serve answers that begin with ``at_once`` and go on byte by byte, without an end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(at_once)
        for byte in cycle(b"x-header: slow\r\n"):
            writer.write(bytes([byte]))
            try:
                await asyncio.wait_for(reader.read(), 0.02)
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            break
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


async def answers(telling: Telling) -> dict[str, str]:
    """Return what each receiver is said to have answered."""
    endpoints = {one.endpoint_id: one.url for one in await telling.store.endpoints(StoreId("demo"))}
    deliveries = await telling.store.deliveries(StoreId("demo"), None, 100)
    return {endpoints[one.endpoint_id]: one.last_answer for one in deliveries}


async def test_a_receiver_that_answers_byte_by_byte_holds_up_nobody(
    telling: Telling, receiver: Receiver
) -> None:
    """A deadline is of the whole call, not of each read; and a status is an answer, whatever follows it."""
    telling.sender = replace(telling.sender, seconds=4)
    async with dripping(b"") as silent, dripping(HEAD + b"\r\n") as endless, asyncio.timeout(60):
        for url in (silent, endless, receiver.url):
            await subscribe(telling, url, News.CASE_OPENED)
        await telling.tell(a_snapshot())
        assert await answers(telling) == {silent: "TimeoutError", endless: "200", receiver.url: "200"}


async def test_what_one_endpoint_raises_stops_no_other(
    telling: Telling, receiver: Receiver, pool: Pool
) -> None:
    """It stands at its delivery, whatever it is, and the others are told."""
    for name in ("unread", "port", "secret"):
        await subscribe(telling, f"http://127.0.0.1:9/{name}", News.CASE_OPENED)
    await subscribe(telling, receiver.url, News.CASE_OPENED)
    await pool.execute("UPDATE webhook_endpoints SET url = 'http://shop:x/unread' WHERE url LIKE '%unread'")
    await pool.execute("UPDATE webhook_endpoints SET url = 'http://127.0.0.1:99999/' WHERE url LIKE '%port'")
    await pool.execute("UPDATE webhook_endpoints SET secret = 'whsec_x' WHERE url LIKE '%secret'")

    await telling.tell(a_snapshot())
    told = await answers(telling)

    assert (told["http://shop:x/unread"], told[receiver.url]) == ("InvalidURL", "200")
    assert len(told) == 4
    assert "" not in told.values()


async def test_news_goes_straight_to_its_receiver(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the process's surroundings is not asked: it would reach what nobody may be sent to."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    await subscribe(telling, receiver.url, News.CASE_OPENED)
    async with open_client(allows_loopback=True) as client:
        telling.sender = replace(telling.sender, client=client)
        await telling.tell(a_snapshot())

    assert receiver.news == ["case.opened"]


async def test_what_nobody_came_back_from_is_dead_after_the_last_attempt(
    telling: Telling, receiver: Receiver, pool: Pool
) -> None:
    """An attempt counts when it begins: a delivery whose senders die is not sent for ever."""
    await subscribe(telling, receiver.url, News.CASE_OPENED)
    receiver.status = 500
    await telling.tell(a_snapshot())
    await pool.execute("UPDATE webhook_deliveries SET attempts = 16, due_at = now()")

    await telling.sender.send()

    (delivery,) = await telling.store.deliveries(StoreId("demo"), None, 10)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DEAD, 16)
    assert len(receiver.came) == 1


async def test_no_more_is_leased_than_was_asked_for(telling: Telling, receiver: Receiver, pool: Pool) -> None:
    """Whatever plan PostgreSQL takes: a limit that is looked up again for each row is none."""
    await subscribe(telling, receiver.url, News.CASE_OPENED)
    await telling.tell(*(a_snapshot(number=number) for number in range(20)))
    await pool.execute("UPDATE webhook_deliveries SET state = 'pending', due_at = now()")
    for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "indexscan", "bitmapscan"):
        await pool.execute(f"ALTER DATABASE recourse_gateway SET enable_{way} = off")
    await pool.expire_connections()

    assert len(await telling.store.lease(5, timedelta(seconds=30), 16)) == 5


@pytest.mark.parametrize(
    ("stands_for", "came"),
    [(["127.0.0.1"], 0), (["8.8.8.8", "10.0.0.8"], 0), ([], 0), (["::1", "127.0.0.1"], 1)],
)
async def test_a_name_is_asked_what_it_stands_for_when_news_is_sent(
    telling: Telling, receiver: Receiver, pool: Pool, stands_for: list[str], came: int
) -> None:
    """A name with any address inside is not called; another is, at its next address if need be."""

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return stands_for

    await subscribe(telling, receiver.url, News.CASE_OPENED)
    await pool.execute("UPDATE webhook_endpoints SET url = replace(url, '127.0.0.1', 'shop.example')")
    async with open_client(allows_loopback=bool(came), resolve=resolve) as client:
        telling.sender = replace(telling.sender, client=client)
        await telling.tell(a_snapshot())

    assert list((await answers(telling)).values()) == ["200" if came else "NotPublic"]
    assert [headers["host"].partition(":")[0] for headers, _ in receiver.came] == ["shop.example"] * came


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook",
        "https://127.0.0.1/hook",
        "https://10.0.0.8/hook",
        "https://10.0.0.8./hook",
        "https://169.254.169.254/latest",
        "https://100.64.0.1/hook",
        "https://224.0.0.1/hook",
        "https://0.0.0.0/hook",
        "https://127.1/hook",
        "https://0177.0.0.1/hook",
        "https://0x7f.0.0.1/hook",
        "https://0x7f000001/hook",
        "https://2130706433/hook",
        "https://127.0.0.0x1/hook",
        "https://[::1]/hook",
        "https://[::]/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[::127.0.0.1]/hook",
        "https://[64:ff9b::7f00:1]/hook",
        "https://[2002:7f00:1::]/hook",
        "https://[fe80::1%25eth0]/hook",
        "https://[fd00::1]/hook",
        "https://localhost/hook",
        "https://localhost./hook",
        "https://shop.localhost/hook",
        "https://db.internal/hook",
        "https://db.internal./hook",
        "https://DB.Internal/hook",
        "https://db/hook",
        "https://user@shop.example/hook",
        "https://:secret@shop.example/hook",
        "https://shop.example\\@10.0.0.8/hook",
        "https://%31%30.0.0.8/hook",
        "https:///hook",
        "https://[0/hook",
        "https://shop..example/hook",
        "https://shop.example:0/hook",
        "https://shop.example:99999/hook",
    ],
)
def test_news_is_not_sent_into_anybodys_network(url: str) -> None:
    """Only public, encrypted addresses are taken, however a host is written."""
    with pytest.raises(InvalidArgument):
        check_url(url, allows_loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hook",
        "https://hooks.shop.example.:8443/a?b=c",
        "https://8.8.8.8/hook",
        "https://[2606:4700::1111]/hook",
        "https://xn--r8jz45g.example/hook",
    ],
)
def test_news_is_sent_to_public_addresses(url: str) -> None:
    """A name, an address, a port of its own: what is public is taken."""
    check_url(url, allows_loopback=False)


def test_loopback_is_for_development() -> None:
    """What is let in is this machine, and nothing beside it."""
    for url in ("http://127.0.0.1:9/hook", "https://[::1]/hook", "http://localhost:9/hook"):
        check_url(url, allows_loopback=True)
    for url in ("http://10.0.0.8/hook", "http://shop.example/hook"):
        with pytest.raises(InvalidArgument):
            check_url(url, allows_loopback=True)
