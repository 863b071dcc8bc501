"""E-mail by SMTP, one connection per message."""

import contextlib
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final, Literal

import aiosmtplib

from services.domain.message import mail_address
from services.notification.delivery import HandOver, Mail, NoAnswer, Refused

# Text goes out as ASCII (encoded), which every server takes.
_POLICY: Final = SMTP.clone(cte_type="7bit")
_PERMANENT: Final = range(500, 600)
_QUIT_SECONDS: Final = 2.0
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

    async def deliver(self, mail: Mail, hand_over: HandOver) -> None:
        content = to_mime(mail).as_bytes()
        async with self._connected() as client:
            with _answers(may_be_final=False):
                await client.mail(parseaddr(mail.sender)[1])
            with _answers(may_be_final=True):
                await client.rcpt(mail_address(mail.recipient))
            await hand_over()
            with _answers(may_be_final=True):
                await client.data(content)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            local_hostname=socket.gethostname(),
            timeout=server.seconds,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
        )
        try:
            with _answers(may_be_final=False):
                await client.connect()
            yield client
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=_QUIT_SECONDS)
        finally:
            client.close()


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
