"""Settings every process has, read once from the environment in its ``__main__`` and handed down."""

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Names are shared by all processes (``RECOURSE_ORDER_ADDRESS``); an ``_address`` is ``host:port``."""

    model_config = SettingsConfigDict(env_prefix="RECOURSE_", extra="ignore", frozen=True)

    database_url: str = "postgresql://postgres@127.0.0.1:5432/postgres"
    order_address: str = "127.0.0.1:7101"
    warehouse_address: str = "127.0.0.1:7102"
    payment_address: str = "127.0.0.1:7103"
    notification_address: str = "127.0.0.1:7104"
    casework_address: str = "127.0.0.1:7105"
    temporal_address: str = "127.0.0.1:7233"
    sandbox_url: str = "http://127.0.0.1:7110"
    gateway_url: str = "http://127.0.0.1:8080"
    data_dir: Path = Path(".local")
    secrets_file: Path = Path(".local/secrets.json")
    log_format: Literal["json", "console"] = "json"
