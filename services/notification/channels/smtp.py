"""E-mail by SMTP; a connection that has done well is kept for the next message, for a moment."""

import asyncio
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Any, Final, Literal

import aiosmtplib

from services.domain.message import mail_address
from services.notification.delivery import HandOver, Mail, NoAnswer, Refused


class _Headers(HeaderRegistry):
    """Makes the class of each kind of header once, where the library makes it for every header."""

    @cache  # noqa: B019 — there is one for the life of the process
    def __getitem__(self, name: str) -> type[Any]:
        return super().__getitem__(name)


# Text goes out as ASCII (encoded), which every server takes.
_POLICY: Final = SMTP.clone(cte_type="7bit", header_factory=_Headers())
_PERMANENT: Final = range(500, 600)
_QUIT_SECONDS: Final = 2.0
# Mails come in bursts; a server gives a quiet connection up after minutes (RFC 5321, 4.5.3.2.7).
_KEPT_SECONDS: Final = 5.0
_ENHANCED: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in; ``seconds`` bounds each of its answers."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"] = "none"
    username: str | None = None
    password: str | None = None
    seconds: float = 30.0


class SmtpChannel:
    """Satisfies `services.notification.delivery.Channel`.

    A refusal is final only if it is of this recipient or this text: what the server has against the
    connection, the login or the sender is ours to repair, and no reason to lose every message meanwhile.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._kept: dict[aiosmtplib.SMTP, asyncio.TimerHandle] = {}

    async def deliver(self, mail: Mail, hand_over: HandOver) -> None:
        content = to_mime(mail).as_bytes()
        client = await self._begun(parseaddr(mail.sender)[1])
        try:
            with _answers(may_be_final=True):
                await client.rcpt(mail_address(mail.recipient))
            await hand_over()
            with _answers(may_be_final=True):
                await client.data(content)
        except BaseException:
            # In the middle of something: no other mail may follow on it.
            client.close()
            raise
        self._keep(client)

    async def close(self) -> None:
        """Take leave of the server."""
        while (client := self._take()) is not None:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=_QUIT_SECONDS)
            client.close()

    async def _begun(self, sender: str) -> aiosmtplib.SMTP:
        """Return a connection on which a mail has begun: a kept one that still answers, or a new one."""
        while (kept := self._take()) is not None:
            with suppress(NoAnswer, Refused):
                return await self._begin(kept, sender)
        return await self._begin(self._new_client(), sender)

    async def _begin(self, client: aiosmtplib.SMTP, sender: str) -> aiosmtplib.SMTP:
        try:
            with _answers(may_be_final=False):
                if not client.is_connected:
                    await client.connect()
                await client.mail(sender)
        except BaseException:
            client.close()
            raise
        return client

    def _keep(self, client: aiosmtplib.SMTP) -> None:
        self._kept[client] = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._give_up, client)

    def _give_up(self, client: aiosmtplib.SMTP) -> None:
        del self._kept[client]
        client.close()

    def _take(self) -> aiosmtplib.SMTP | None:
        if not self._kept:
            return None
        client, timer = self._kept.popitem()
        timer.cancel()
        return client

    def _new_client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            local_hostname=socket.gethostname(),
            timeout=server.seconds,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
        )


@contextmanager
def _answers(*, may_be_final: bool) -> Iterator[None]:
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        is_final = may_be_final and error.code in _PERMANENT
        raise Refused(_codes(error), is_final=is_final) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise NoAnswer(type(error).__name__) from None


def _codes(error: aiosmtplib.SMTPResponseException) -> str:
    enhanced = _ENHANCED.match(error.message)
    return f"smtp {error.code} {enhanced.group()}" if enhanced else f"smtp {error.code}"


def to_mime(mail: Mail) -> EmailMessage:
    """Return ``mail`` as it travels; a second copy of it has the same ``Message-ID``."""
    name, address = parseaddr(mail.sender)
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(addr_spec=mail_address(mail.recipient))
    message["Subject"] = mail.letter.subject
    message["Date"] = format_datetime(mail.dated)
    message["Message-ID"] = f"<{mail.message_id}@{address.rpartition('@')[2]}>"
    # RFC 3834: nobody's absence notice answers this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.letter.text)
    message.add_alternative(mail.letter.html, subtype="html")
    # Last: what is set before is taken for the first part's.
    message["Content-Language"] = mail.letter.language
    return message
