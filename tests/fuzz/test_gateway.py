"""Generated requests, valid and broken, against every operation of the running gateway."""

import json
import time

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local.stack import Stack
from services.gateway.settings import GatewaySettings
from services.platform.secrets import load_secrets

pytestmark = [pytest.mark.heavy, pytest.mark.fuzz, pytest.mark.timeout(7200)]
_ANSWERS_WITHIN_SECONDS = 60
Schema = schemathesis.schemas.BaseSchema


@pytest.fixture(scope="session")
def api_schema(stack: Stack) -> Schema:
    return schemathesis.openapi.from_url(f"{stack.facts().gateway}/openapi.json")


@pytest.fixture(scope="session")
def tokens(stack: Stack) -> list[str]:
    """A store's key, and a person who may do everything: so that requests get past the door."""
    issuer = GatewaySettings()
    key = ECKey.import_key(json.loads(load_secrets(stack.places.secrets).staff_key.get_secret_value()))
    roles = ["agent", "senior", "supervisor", "manager", "warehouse", "finance", "ops"]
    claims = {
        "iss": issuer.staff_issuer,
        "aud": issuer.staff_audience,
        "sub": "everything-1",
        "roles": roles,
        "stores": ["demo"],
        "exp": int(time.time()) + 86_400,
    }
    return [stack.facts().tokens["store"], jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)]


def check(case: schemathesis.Case, tokens: list[str]) -> None:
    """Send a request; what comes back must be an answer."""
    token = tokens[len(repr(case.body)) % len(tokens)]
    answer = case.call(headers={"authorization": f"Bearer {token}"}, timeout=_ANSWERS_WITHIN_SECONDS)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and answer.content:
        assert answer.headers["content-type"][0].startswith("application/problem+json")
        assert answer.json()["code"]


def wrong_with(operation: schemathesis.schemas.APIOperation, tokens: list[str]) -> str | None:
    """Try an operation with generated requests; return the smallest that was not answered, if any."""

    @settings(
        max_examples=300,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def answered(case: schemathesis.Case) -> None:
        check(case, tokens)

    try:
        answered()
    except AssertionError as error:
        return f"{operation.label}: {error}"
    return None


def test_whatever_is_sent_is_answered(api_schema: Schema, tokens: list[str]) -> None:
    """Never a 5xx, never a hang; what is refused is a problem document with a code."""
    operations = [found.ok() for found in api_schema.get_all_operations()]
    assert len(operations) > 40

    assert [wrong for one in operations if (wrong := wrong_with(one, tokens))] == []
