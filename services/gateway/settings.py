"""The gateway's own settings."""

from services.platform.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """``staff_jwks`` is a file or an ``http://127.0.0.1`` address; ``rate_limit`` is per caller.

    ``webhooks_to_loopback`` lets stores be told at 127.0.0.1, for development. ``test_clock`` opens the test
    clock, which only a local Temporal server has. An empty ``temporal_ui_url`` means nobody may follow links
    there, nor decode what it shows.
    """

    staff_jwks: str = ".local/staff_jwks.json"
    staff_issuer: str = "https://staff.recourse.local"
    staff_audience: str = "recourse"
    test_clock: bool = False
    webhooks_to_loopback: bool = False
    temporal_ui_url: str = ""
    temporal_namespace: str = "default"
    rate_limit: str = "20000/minute"
    json_max_bytes: int = 1_000_000
    evidence_max_bytes: int = 20 * 1024 * 1024
    command_seconds: float = 20.0
    heartbeat_seconds: float = 15.0
    payment_providers: frozenset[str] = frozenset({"sandbox", "store_credit"})
