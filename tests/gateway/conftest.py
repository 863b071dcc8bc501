"""What the gateway's tests share; their secrets stand for everybody's."""

import pytest

from services.platform.secrets import Secrets
from tests.fixtures.gateway import SECRETS, channels, front, gateway_settings, policies_dir, pool
from tests.fixtures.telling import receiver, telling

__all__ = [
    "channels",
    "front",
    "gateway_settings",
    "policies_dir",
    "pool",
    "receiver",
    "secrets",
    "telling",
]


@pytest.fixture
def secrets() -> Secrets:
    return SECRETS
