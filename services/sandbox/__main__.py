"""The sandbox as a process."""

from urllib.parse import urlsplit

import uvicorn

from services.platform.logging import configure
from services.platform.secrets import load_secrets
from services.platform.settings import ServiceSettings
from services.sandbox.app import Sandbox
from services.sandbox.state import State


def main() -> None:
    """Serve until stopped."""
    settings = ServiceSettings()
    secrets = load_secrets(settings.secrets_file)
    configure(settings.log_format, "sandbox")
    sandbox = Sandbox(
        State(settings.data_dir / "sandbox.db"),
        secrets.sandbox_api_key.get_secret_value(),
        secrets.sandbox_webhook_secret.get_secret_value(),
        settings.gateway_url,
    )
    where = urlsplit(settings.sandbox_url)
    uvicorn.run(sandbox.app(), host="127.0.0.1", port=where.port or 7110, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
