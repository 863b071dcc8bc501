"""What the notification service is told by its environment."""

from email.utils import parseaddr
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator

from services.domain.message import mail_address
from services.platform.settings import ServiceSettings


def _sender(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a sender is one line")
    mail_address(parseaddr(text)[1])
    return text


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("unknown time zone")
    return text


SenderAddress = Annotated[str, AfterValidator(_sender)]
ZoneName = Annotated[str, AfterValidator(_zone)]


class StoreMail(BaseModel):
    """How one store writes, where it differs from the others."""

    model_config = ConfigDict(frozen=True)

    sender: SenderAddress | None = None
    time_zone: ZoneName | None = None


class NotificationSettings(ServiceSettings):
    """``mail_sender`` is an address or ``Name <address>``; ``mail_stores`` is JSON in the environment.

    Dates in messages are told in the message's own time zone, or else its store's, or else UTC.
    ``smtp_seconds`` bounds each answer of the mail server, ``mail_retry_seconds`` is the first retry's delay.
    """

    smtp_host: str = "127.0.0.1"
    smtp_port: int = 7125
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_seconds: float = 30.0
    mail_sender: SenderAddress = "After-sales <after-sales@shop.example>"
    mail_time_zone: ZoneName = "UTC"
    mail_stores: dict[str, StoreMail] = {}  # noqa: RUF012 — pydantic copies it
    mail_at_once: int = 4
    mail_lease_seconds: float = 120.0
    mail_retry_seconds: float = 15.0
    mail_give_up_days: float = 4.0

    @model_validator(mode="after")
    def _login_is_sealed(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("a login is a username and a password")
        if self.smtp_username is not None and self.smtp_tls == "none":
            raise ValueError("a login must not travel in the clear: set smtp_tls")
        return self
