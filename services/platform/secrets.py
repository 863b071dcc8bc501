"""Secrets: one JSON file (mode 0600) on a development machine, a mounted file in production."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr


class StoreSecrets(BaseModel):
    """A store's keys: ``api_key`` opens the API, ``customer_key`` signs its customers' tokens."""

    model_config = ConfigDict(frozen=True)

    api_key: SecretStr
    customer_key: SecretStr


class Secrets(BaseModel):
    """What processes share under seal; each reads only what it needs.

    ``payload_keys`` maps key ids to base64 AES-256 keys, ``payload_key_id`` names the current one;
    ``staff_key`` is the development issuer's private JWK; webhook secrets are ``whsec_`` + base64.
    """

    model_config = ConfigDict(frozen=True)

    stores: dict[str, StoreSecrets]
    payload_key_id: str
    payload_keys: dict[str, SecretStr]
    staff_key: SecretStr
    carrier_webhook_secret: SecretStr
    sandbox_webhook_secret: SecretStr
    sandbox_api_key: SecretStr


def load_secrets(path: Path) -> Secrets:
    """Read the secrets file.

    Raises:
        OSError, pydantic.ValidationError: If it is missing or incomplete; the process cannot start.
    """
    return Secrets.model_validate_json(path.read_bytes())
