"""The notification service as a process."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from zoneinfo import ZoneInfo

from services.domain.ids import StoreId
from services.notification.channels.smtp import MailServer, SmtpChannel
from services.notification.delivery import Pace, Sender
from services.notification.messages import Messages
from services.notification.repository import Arrivals, MessageRepository
from services.notification.servicer import mount
from services.notification.settings import NotificationSettings, StoreMail
from services.notification.wording import Voice, Wording
from services.platform.grpc_server import Mounted
from services.platform.process import Backing, Compose, run


def composition(settings: NotificationSettings) -> Compose:
    """Return how the service, and the sender beside it, are wired over its database."""
    wording = Wording()

    @asynccontextmanager
    async def compose(back: Backing) -> AsyncIterator[Sequence[Mounted]]:
        store = MessageRepository(back.pool)
        arrivals = Arrivals(back.dsn)
        channel = SmtpChannel(_server(settings))
        sender = Sender(store, arrivals, channel, wording, _voices(settings), _pace(settings))
        try:
            async with sender.running():
                yield [mount(Messages(store))]
        finally:
            await channel.close()
            await arrivals.close()

    return compose


def _server(settings: NotificationSettings) -> MailServer:
    password = settings.smtp_password
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        seconds=settings.smtp_seconds,
    )


def _voices(settings: NotificationSettings) -> Callable[[StoreId], Voice]:
    def voice_of(store_id: StoreId) -> Voice:
        store = settings.mail_stores.get(store_id, StoreMail())
        zone = ZoneInfo(store.time_zone or settings.mail_time_zone)
        return Voice(store.sender or settings.mail_sender, zone)

    return voice_of


def _pace(settings: NotificationSettings) -> Pace:
    return Pace(
        at_once=settings.mail_at_once,
        lease=timedelta(seconds=settings.mail_lease_seconds),
        first_retry=timedelta(seconds=settings.mail_retry_seconds),
        give_up_after=timedelta(days=settings.mail_give_up_days),
    )


if __name__ == "__main__":
    _settings = NotificationSettings()
    run(_settings, "notification", _settings.notification_address, composition(_settings))
