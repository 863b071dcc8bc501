"""A mail server for one machine: what is sent to it lies in a folder, one ``.eml`` per message.

``python -m deploy.local.mailbox --port 7125 --directory .local/mail`` takes mail on 127.0.0.1 alone. To see
how a sender copes, it misbehaves on demand: for one recipient (``17850+defer@example.com``) or, by a word in
the folder's file ``behaviour``, for all.
"""

import argparse
import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from enum import StrEnum
from pathlib import Path
from weakref import WeakSet

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.platform.grpc_server import stop_event

BEHAVIOUR_FILE = "behaviour"


class Behaviour(StrEnum):
    ACCEPT = "accept"
    ONE_EACH = "one_each"  # 421 to a second mail on one connection; of the folder alone
    DEFER = "defer"  # 451 to the recipient: later, perhaps
    DEFER_TEXT = "defer_text"  # 451 after the text
    REFUSE = "refuse"  # 550 to the recipient: never
    REFUSE_TEXT = "refuse_text"  # 554 after the text
    HANG_UP = "hang_up"  # the connection is closed before the text
    STALL = "stall"  # no answer to the recipient, ever
    LOSE_ANSWER = "lose_answer"  # the mail is taken, the connection closed without an answer
    STALL_TEXT = "stall_text"  # the mail is taken, and no answer given, ever


class Mailbox:
    """Keeps what it is sent in ``directory``; satisfies aiosmtpd's handler."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        self._has_mailed: WeakSet[Session] = WeakSet()

    def behaviour_for(self, recipient: str) -> Behaviour:
        """Return the recipient's own behaviour, or the folder's."""
        tag = recipient.rpartition("@")[0].partition("+")[2]
        file = self.directory / BEHAVIOUR_FILE
        words = [tag, file.read_text().strip() if file.exists() else ""]
        return next((Behaviour(word) for word in words if word in set(Behaviour)), Behaviour.ACCEPT)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if session in self._has_mailed and self.behaviour_for("") is Behaviour.ONE_EACH:
            return "421 4.7.0 one mail on each connection"
        self._has_mailed.add(session)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        behaviour = self.behaviour_for(address)
        if behaviour is Behaviour.DEFER:
            return f"451 4.7.1 <{address}> try again later"
        if behaviour is Behaviour.REFUSE:
            return f"550 5.1.1 <{address}> no such mailbox"
        if behaviour is Behaviour.STALL:
            await asyncio.Event().wait()
        if behaviour is Behaviour.HANG_UP:
            _close(server)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        behaviour = self.behaviour_for(envelope.rcpt_tos[0])
        if behaviour is Behaviour.DEFER_TEXT:
            return "451 4.3.0 try again later"
        if behaviour is Behaviour.REFUSE_TEXT:
            return "554 5.6.0 not this text"
        self.keep(envelope.content if isinstance(envelope.content, bytes) else b"")
        if behaviour is Behaviour.STALL_TEXT:
            await asyncio.Event().wait()
        if behaviour is Behaviour.LOSE_ANSWER:
            _close(server)
        return "250 2.0.0 OK"

    def keep(self, content: bytes) -> Path:
        """Write a message whole or not at all, under its time and a digest of its ``Message-ID``."""
        message_id = str(BytesHeaderParser().parsebytes(content)["Message-ID"]).strip()
        digest = hashlib.sha256(message_id.encode()).hexdigest()[:12]
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{digest}"
        partial = self.directory / f".{name}"
        partial.touch(0o600)
        partial.write_bytes(content)
        return partial.rename(self.directory / f"{name}.eml")


def _close(server: SMTP) -> None:
    if server.transport is not None:
        server.transport.close()


@asynccontextmanager
async def serving(mailbox: Mailbox, port: int) -> AsyncIterator[None]:
    """Take mail on 127.0.0.1 for as long as the block lasts."""
    # Its log names who writes to whom.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    loop = asyncio.get_running_loop()
    connections: WeakSet[SMTP] = WeakSet()

    def connected() -> SMTP:
        connection = SMTP(mailbox, hostname="localhost", enable_SMTPUTF8=True, loop=loop)
        connections.add(connection)
        return connection

    server = await loop.create_server(connected, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for connection in list(connections):
            _close(connection)
        await server.wait_closed()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=7125)
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args()
    uvloop.run(_serve(Mailbox(arguments.directory), arguments.port))


async def _serve(mailbox: Mailbox, port: int) -> None:
    async with serving(mailbox, port):
        print(f"mail for {mailbox.directory} on 127.0.0.1:{port}", flush=True)
        await stop_event().wait()


if __name__ == "__main__":
    main()
