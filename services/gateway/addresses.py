"""Where news may be sent: to public addresses, and never into anybody's network.

A URL is checked when it is taken, and what its host stands for when news is sent there: names can be given
another address at any time, and a host can be written in many ways.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from socket import SOCK_STREAM
from typing import Final

import httpx2

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_HIGHEST_PORT: Final = 65_535
_INSIDE_NAMES: Final = ("localhost", "local", "internal", "home.arpa")
# What is routed on the internet today (https://www.iana.org/assignments/ipv6-address-space), less what
# carries an IPv4 address in it: Teredo (in 2001::/23) and 6to4.
_UNICAST: Final = ipaddress.ip_network("2000::/3")
_CARRYING_IPV4: Final = (ipaddress.ip_network("2001::/23"), ipaddress.ip_network("2002::/16"))


class NotPublic(httpx2.TransportError):
    """The receiver's host stands for an address that news must not be sent to."""


def may_be_told(url: str, *, allows_loopback: bool) -> bool:
    """Tell whether news may be sent to ``url``, as far as its text says.

    It is read by whoever will send it: two readers may see two hosts in one text.
    """
    try:
        read = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    host = _plain(read.raw_host.decode("ascii", "replace"))
    is_public = read.scheme == "https" and _is_public_host(host)
    is_at_home = allows_loopback and read.scheme in {"http", "https"} and _is_this_machine(host)
    is_port = read.port is None or 0 < read.port <= _HIGHEST_PORT
    return is_port and not read.userinfo and (is_public or is_at_home)


def _plain(host: str) -> str:
    """Return a host as it is looked up: a trailing dot only says that a name is complete."""
    return host.lower().removesuffix(".")


def _is_public_host(host: str) -> bool:
    try:
        return is_public_address(host)
    except ValueError:
        return _is_public_name(host)


def _is_public_name(host: str) -> bool:
    labels = host.split(".")
    if len(labels) == 1 or not all(label.replace("-", "").isalnum() for label in labels):
        return False
    # What ends in a number is an address in one of its other forms (127.1, 0x7f.1): https://url.spec.whatwg.org
    is_number = labels[-1].isdigit() or labels[-1].startswith("0x")
    return not is_number and not any(f".{host}".endswith(f".{name}") for name in _INSIDE_NAMES)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_public_address(address: str) -> bool:
    """Tell whether an address is one machine's on the internet.

    Raises:
        ValueError: If it is no address.
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        is_routed = found in _UNICAST and not any(found in network for network in _CARRYING_IPV4)
        return is_routed and found.is_global
    return found.is_global and not found.is_multicast


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses that a host stands for now, the best first."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Connects to the very addresses that were checked, so that a name cannot change its mind in between."""

    def __init__(self, *, allows_loopback: bool, resolve: Resolve = resolve) -> None:
        self._allows_loopback = allows_loopback
        self._resolve = resolve
        # A connection is checked for one name; it must not serve another one at the same address.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._transport = httpx2.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url, host = request.url, _plain(request.url.raw_host.decode("ascii"))
        addresses = await self._checked(host, url.port or (443 if url.scheme == "https" else 80))
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in addresses[:-1]:
            request.url = url.copy_with(host=address)
            try:
                return await self._transport.handle_async_request(request)
            except httpx2.ConnectError:
                continue
        request.url = url.copy_with(host=addresses[-1])
        return await self._transport.handle_async_request(request)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpx2.ConnectError(f"the name {host} is not known") from error
        if not addresses or not all(self._is_allowed(address) for address in addresses):
            raise NotPublic(f"{host} stands for an address inside a network")
        return addresses

    def _is_allowed(self, address: str) -> bool:
        return is_public_address(address) or (self._allows_loopback and _is_this_machine(address))

    async def aclose(self) -> None:
        await self._transport.aclose()
