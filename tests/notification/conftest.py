"""The notification service over a real database, and a real mail server that misbehaves on demand."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as mail_policy
from pathlib import Path
from typing import cast

import grpc
import pytest

from deploy.local.children import spawn
from deploy.local.mailbox import BEHAVIOUR_FILE, Behaviour, Mailbox, serving
from services.clients.notification import NotificationClient
from services.domain.errors import DependencyUnavailable
from services.domain.message import Message, MessageRecord, MessageStatus
from services.notification.__main__ import composition
from services.notification.settings import NotificationSettings
from services.platform.database import Connection
from services.platform.settings import ServiceSettings
from tests.fixtures.services import FreshDatabase, OpenDatabase, Serve, free_port, patient_channel

_PATIENCE_SECONDS = 60.0
_LEASES_RUN_OUT = "UPDATE messages SET leased_until = now() - interval '1 second' WHERE status = 'sending'"


class Post:
    """The way of a message, seen from both ends: the service's client, and the customer's mailbox."""

    def __init__(self, directory: Path) -> None:
        self.mailbox = Mailbox(directory)
        self.port = free_port()
        self._client: NotificationClient | None = None

    @property
    def client(self) -> NotificationClient:
        assert self._client is not None
        return self._client

    def connect(self, channel: grpc.aio.Channel) -> None:
        self._client = NotificationClient(channel)

    def behave(self, behaviour: Behaviour) -> None:
        (self.mailbox.directory / BEHAVIOUR_FILE).write_text(behaviour)

    @asynccontextmanager
    async def office(self) -> AsyncIterator[None]:
        """Have the mail server up for as long as the block lasts."""
        async with serving(self.mailbox, self.port):
            yield

    def mails(self) -> list[EmailMessage]:
        """Return what has arrived, oldest first."""
        files = sorted(self.mailbox.directory.glob("*.eml"))
        read = [message_from_bytes(file.read_bytes(), policy=mail_policy) for file in files]
        return cast("list[EmailMessage]", read)

    async def record(self, message: Message) -> MessageRecord:
        records = await self.client.messages(message.store_id, message.case_id)
        return next(record for record in records if record.message.message_id == message.message_id)

    async def until(self, message: Message, holds: Callable[[MessageRecord], bool]) -> MessageRecord:
        """Return the message's record as soon as ``holds`` is true of it."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not holds(record := await self.record(message)):
                await asyncio.sleep(0.05)
        return record

    async def settled(self, message: Message) -> MessageRecord:
        """Return the message's record as soon as nothing more will happen to it."""
        on_its_way = {MessageStatus.QUEUED, MessageStatus.SENDING}
        return await self.until(message, lambda record: record.status not in on_its_way)


@pytest.fixture
def mail_directory(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def smtp_seconds() -> float:
    """How long the mail server is waited for; a test may say otherwise by a parameter."""
    return 60.0


@pytest.fixture
def post_settings(settings: ServiceSettings, smtp_seconds: float) -> NotificationSettings:
    """Delivery in a hurry: retries after a tenth of a second."""
    return NotificationSettings(**settings.model_dump(), mail_retry_seconds=0.1, smtp_seconds=smtp_seconds)


@pytest.fixture
async def notification_channel(
    serve: Serve, post_settings: NotificationSettings, offline_post: Post
) -> grpc.aio.Channel:
    here = post_settings.model_copy(update={"smtp_port": offline_post.port})
    return await serve("notification", composition(here))


@pytest.fixture
def offline_post(mail_directory: Path) -> Post:
    """Neither the service nor the mail server is up yet."""
    return Post(mail_directory)


@pytest.fixture
def closed_post(offline_post: Post, notification_channel: grpc.aio.Channel) -> Post:
    """The service is up, the mail server is not."""
    offline_post.connect(notification_channel)
    return offline_post


@pytest.fixture
async def post(closed_post: Post) -> AsyncIterator[Post]:
    """The service and the mail server are up."""
    async with closed_post.office():
        yield closed_post


class Processes:
    """Notification services as processes of their own, over one database."""

    def __init__(self, settings: NotificationSettings, post: Post, logs: Path, behind: Connection) -> None:
        self._settings = settings
        self._behind = behind
        self._post = post
        self._logs = logs
        self.running: list[subprocess.Popen[bytes]] = []
        self.channels: list[grpc.aio.Channel] = []

    async def start(self) -> "subprocess.Popen[bytes]":
        """Start one, and point the post's client at it."""
        address = f"127.0.0.1:{free_port()}"
        environment = {
            "RECOURSE_DATABASE_URL": self._settings.database_url,
            "RECOURSE_NOTIFICATION_ADDRESS": address,
            "RECOURSE_SMTP_PORT": str(self._post.port),
            "RECOURSE_MAIL_RETRY_SECONDS": str(self._settings.mail_retry_seconds),
        }
        command = [sys.executable, "-m", "services.notification"]
        process = spawn(command, self.log, env={**os.environ, **environment})
        self.running.append(process)
        self.channels.append(patient_channel(address))
        self._post.connect(self.channels[-1])
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not await self._is_answering():
                await asyncio.sleep(0.05)
        return process

    async def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """Let one die, and the time pass until what it had in hand is given to another."""
        process.kill()
        process.wait(60)
        assert await self._behind.execute(_LEASES_RUN_OUT) != "UPDATE 0"

    @property
    def log(self) -> Path:
        return self._logs / "notification.log"

    async def _is_answering(self) -> bool:
        try:
            await self._post.client.messages("nobody", "nothing")
        except DependencyUnavailable:
            return False
        return True


@pytest.fixture
async def processes(
    post_settings: NotificationSettings,
    fresh_database: FreshDatabase,
    database: OpenDatabase,
    offline_post: Post,
    tmp_path: Path,
) -> AsyncIterator[Processes]:
    await fresh_database("notification")
    async with offline_post.office():
        made = Processes(post_settings, offline_post, tmp_path, await database("notification"))
        yield made
        for process in made.running:
            process.kill()
            process.wait(60)
        for channel in made.channels:
            await channel.close()
