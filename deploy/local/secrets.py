"""A development machine's secrets, made once, and the staff tokens of its development issuer."""

import base64
import json
import secrets
import time
from pathlib import Path
from typing import Final

from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import ValidationError

from deploy.local.places import write_private
from services.gateway.access import Role
from services.gateway.settings import GatewaySettings
from services.platform.secrets import Secrets, load_secrets

STORES: Final = ("demo", "other")
_TOKEN_SECONDS: Final = 30 * 24 * 3600


class SecretsBroken(Exception):
    """The secrets file is not whole. It is never made anew: what it sealed could not be opened any more."""


def ensure_secrets(secrets_file: Path, jwks_file: Path) -> Secrets:
    """Make the secrets unless they are there, and the public half of the issuer's key beside them.

    Raises:
        SecretsBroken: If the file cannot be read as what it should be.
    """
    if not secrets_file.exists():
        write_private(secrets_file, json.dumps(_make(), indent=1))
    try:
        made = load_secrets(secrets_file)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, problem["loc"])) or problem["type"] for problem in error.errors())
        # Its own text would show the secrets.
        raise SecretsBroken(f"{secrets_file} is not whole: {wrong}") from None
    write_private(jwks_file, json.dumps({"keys": [_issuer(made).as_dict(private=False)]}))
    return made


def _issuer(made: Secrets) -> ECKey:
    return ECKey.import_key(json.loads(made.staff_key.get_secret_value()))


def _make() -> dict[str, object]:
    issuer = ECKey.generate_key("P-256", {"kid": f"dev-{secrets.token_hex(4)}", "use": "sig", "alg": "ES256"})
    key_id = f"dev-{secrets.token_hex(4)}"
    stores = {
        name: {"api_key": f"rk_{secrets.token_urlsafe(32)}", "customer_key": secrets.token_urlsafe(48)}
        for name in STORES
    }
    return {
        "stores": stores,
        "payload_key_id": key_id,
        "payload_keys": {key_id: _key()},
        "staff_key": json.dumps(issuer.as_dict(private=True)),
        "carrier_webhook_secret": f"whsec_{_key()}",
        "sandbox_webhook_secret": f"whsec_{_key()}",
        "sandbox_api_key": f"sk_test_{secrets.token_urlsafe(24)}",
    }


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def staff_token(made: Secrets, role: Role, store: str) -> str:
    """Return a token of the development issuer for ``<role>-1`` of a store, good for 30 days."""
    settings = GatewaySettings()
    key = _issuer(made)
    now = int(time.time())
    claims = {
        "iss": settings.staff_issuer,
        "aud": settings.staff_audience,
        "sub": f"{role}-1",
        "roles": [role],
        "stores": [store],
        "iat": now,
        "exp": now + _TOKEN_SECONDS,
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
