"""Mail over TLS, with a login."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from services.domain.message import MessageStatus
from services.notification.__main__ import composition
from services.notification.settings import NotificationSettings
from tests.fixtures.services import Serve
from tests.notification.conftest import Post
from tests.notification.letters import a_message

LOGIN = LoginPassword(b"shop", b"correct horse")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of ``localhost`` with its key in one file, trusted by this process."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "server.pem"
    file.write_bytes(private + made.public_bytes(pem))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


@pytest.fixture
async def sealed_post(offline_post: Post, certificate: Path) -> AsyncIterator[Post]:
    """A mail server that takes mail only over STARTTLS and from whom it knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def connected() -> SMTP:
        return SMTP(
            offline_post.mailbox,
            hostname="localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=lambda *asked: AuthResult(success=asked[-1] == LOGIN, handled=False),
        )

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", offline_post.port)
    yield offline_post
    server.close()


@pytest.mark.parametrize(
    ("password", "status"),
    [("correct horse", MessageStatus.SENT), ("wrong", MessageStatus.QUEUED)],
)
async def test_mail_goes_over_tls_with_a_login(
    serve: Serve,
    post_settings: NotificationSettings,
    sealed_post: Post,
    password: str,
    status: MessageStatus,
) -> None:
    """The right login delivers; a wrong one is ours to repair, and fails no message."""
    login = {
        "smtp_host": "localhost",
        "smtp_port": sealed_post.port,
        "smtp_tls": "starttls",
        "smtp_username": "shop",
        "smtp_password": password,
    }
    here = NotificationSettings.model_validate({**post_settings.model_dump(), **login})
    sealed_post.connect(await serve("notification", composition(here)))
    message = a_message()
    await sealed_post.client.send(message)
    record = await sealed_post.until(
        message, lambda record: record.attempts > 0 and record.status is not MessageStatus.SENDING
    )

    assert record.status is status
    assert len(sealed_post.mails()) == (1 if status is MessageStatus.SENT else 0)
    assert record.failure is None or record.failure.startswith("smtp 535")


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_username": "shop", "smtp_password": "x"},
        {"smtp_username": "shop", "smtp_tls": "tls"},
        {"mail_sender": "Shop <shop@example.com>\r\nBcc: x@example.com"},
        {"mail_sender": "nobody"},
        {"mail_time_zone": "Mars/Olympus"},
        {"mail_stores": {"demo": {"time_zone": "Mars/Olympus"}}},
    ],
    ids="-".join,
)
def test_settings_that_would_lose_mail_stop_the_start(wrong: dict[str, object]) -> None:
    """A login in the clear, half a login, a sender that is no address, an unknown zone: no start."""
    with pytest.raises(ValidationError):
        NotificationSettings.model_validate(wrong)
