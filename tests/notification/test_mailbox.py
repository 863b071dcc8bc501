"""The local mail server keeps what it is sent, for its owner's eyes."""

import asyncio
import sys
from pathlib import Path

import aiosmtplib

from deploy.local.children import spawn
from tests.fixtures.services import free_port

MAIL = b"Message-ID: <1@shop.example>\r\nSubject: Hello\r\n\r\n.A line that starts with a dot\r\n"


async def test_the_process_writes_one_private_file_per_message(tmp_path: Path) -> None:
    """A mail lies in a folder of mode 0700, whole, as it was sent; stopping the process is clean."""
    directory, port = tmp_path / "mail", free_port()
    command = ["-m", "deploy.local.mailbox", "--port", str(port), "--directory", str(directory)]
    process = spawn([sys.executable, *command], tmp_path / "log")
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port)
                    await client.connect()
                    break
                except aiosmtplib.SMTPConnectError:
                    await asyncio.sleep(0.05)
        await client.sendmail("after-sales@shop.example", ["17850@example.com"], MAIL)
        await client.quit()
    finally:
        process.terminate()
        process.wait(60)

    (file,) = directory.iterdir()
    assert file.suffix == ".eml"
    assert file.read_bytes().endswith(MAIL)
    assert (directory.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert process.returncode == 0
