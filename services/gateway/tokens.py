"""Bearer tokens: a store's API key, a customer's token (HS256), or a staff token (ES256).

The kind of token decides the one algorithm that is taken for it; the token's own header decides nothing.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import httpx2
import structlog
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from pydantic import SecretStr

from services.domain.case import Actor, ActorKind
from services.domain.errors import DependencyUnavailable, Unauthenticated
from services.domain.ids import StoreId
from services.gateway.access import Caller, Role

log = structlog.get_logger()

_LEEWAY_SECONDS: Final = 5
_LONGEST_TOKEN: Final = 8192
_LONGEST_SUBJECT: Final = 100
# How long a key that was revoked may still open, and how often the staff's keys are fetched at most.
_KEY_MEMORY_SECONDS: Final = 10.0
_REFRESH_SECONDS: Final = 5.0
_FETCH_SECONDS: Final = 3.0
_JWT_PARTS: Final = 3


class ApiKeys(Protocol):
    async def store_of_key(self, key_hash: bytes) -> StoreId | None: ...


class StaffKeys:
    """The staff issuer's public keys, from a file or a local address; fetched again for an unknown key id."""

    def __init__(self, source: str) -> None:
        if source.startswith("http://") and not source.startswith(("http://127.0.0.1:", "http://[::1]:")):
            raise ValueError("staff keys come over https, or from this machine")
        self._source = source
        self._keys: dict[str | None, ECKey] = {}
        self._fetched_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None) -> ECKey:
        """Return the key with this id.

        Raises:
            Unauthenticated: If the issuer has no such key.
            DependencyUnavailable: If its keys cannot be had.
        """
        if kid not in self._keys:
            await self._refresh(kid)
        key = self._keys.get(kid)
        if key is None:
            raise Unauthenticated("the token is signed with an unknown key")
        return key

    async def _refresh(self, kid: str | None) -> None:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            is_recent = self._fetched_at is not None and now - self._fetched_at < _REFRESH_SECONDS
            if kid in self._keys or is_recent:
                return
            try:
                self._keys = _read_keys(await self._fetch())
            except (OSError, httpx2.HTTPError, ValueError, KeyError, TypeError, JoseError) as error:
                log.warning("staff_keys.unavailable", error=type(error).__name__)
                raise DependencyUnavailable("the staff issuer's keys cannot be had") from error
            self._fetched_at = now

    async def _fetch(self) -> bytes:
        if self._source.startswith(("http://", "https://")):
            async with httpx2.AsyncClient(timeout=_FETCH_SECONDS) as client:
                answer = await client.get(self._source)
                answer.raise_for_status()
                return answer.content
        return await asyncio.to_thread(Path(self._source).read_bytes)


def _read_keys(document: bytes) -> dict[str | None, ECKey]:
    """Return the document's P-256 keys by id; the only one is also the one of tokens that name none."""
    listed = [key for key in json.loads(document)["keys"] if key.get("crv") == "P-256"]
    keys: dict[str | None, ECKey] = {key.get("kid"): ECKey.import_key(_public(key)) for key in listed}
    if len(listed) == 1:
        keys[None] = next(iter(keys.values()))
    return keys


def _public(key: dict[str, Any]) -> dict[str, Any]:
    return {name: key[name] for name in ("kty", "crv", "x", "y", "kid") if name in key}


@dataclass(frozen=True, slots=True)
class StaffIssuer:
    """Who vouches for staff, to whom."""

    keys: StaffKeys
    issuer: str
    audience: str


class Verifier:
    """Turns a bearer token into a caller."""

    def __init__(
        self, api_keys: ApiKeys, customer_keys: Mapping[StoreId, SecretStr], staff: StaffIssuer
    ) -> None:
        self._api_keys = api_keys
        self._customer_keys = {
            store_id: OctKey.import_key(key.get_secret_value()) for store_id, key in customer_keys.items()
        }
        self._staff = staff
        self._known: dict[bytes, tuple[StoreId, float]] = {}

    async def caller(self, token: str) -> Caller:
        """Return who holds ``token``.

        Raises:
            Unauthenticated: If nobody we know, or not any more.
            DependencyUnavailable: If that cannot be told at present.
        """
        if not token or len(token) > _LONGEST_TOKEN or not token.isascii():
            raise Unauthenticated("the token is malformed")
        algorithm = _algorithm(token)
        if algorithm is None:
            return await self._store(token)
        if algorithm == "HS256":
            return self._customer(token)
        if algorithm == "ES256":
            return await self._staff_member(token)
        raise Unauthenticated("the token's algorithm is not one of ours")

    async def _store(self, token: str) -> Caller:
        key_hash = hashlib.sha256(token.encode()).digest()
        now = asyncio.get_running_loop().time()
        store_id, until = self._known.get(key_hash, (None, 0.0))
        if store_id is None or until < now:
            self._known.pop(key_hash, None)
            store_id = await self._api_keys.store_of_key(key_hash)
            if store_id is None:
                raise Unauthenticated("the key is not one of ours")
            self._known[key_hash] = (store_id, now + _KEY_MEMORY_SECONDS)
        return Caller(Actor(ActorKind.STORE, store_id), frozenset({store_id}))

    def _customer(self, token: str) -> Caller:
        """The store that is claimed decides which key has to fit; the claim counts once it does."""
        claimed = _unverified_claims(token).get("store")
        key = self._customer_keys.get(StoreId(claimed)) if isinstance(claimed, str) else None
        if key is None:
            raise Unauthenticated("the token names no store of ours")
        essential: dict[str, Any] = {"sub": {"essential": True}, "exp": {"essential": True}}
        claims = _verified(token, key, "HS256", essential)
        store_id = StoreId(str(claims["store"]))
        return Caller(Actor(ActorKind.CUSTOMER, _subject(claims)), frozenset({store_id}))

    async def _staff_member(self, token: str) -> Caller:
        kid = _header(token).get("kid")
        key = await self._staff.keys.key(kid if isinstance(kid, str) else None)
        essential: dict[str, Any] = {
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iss": {"essential": True, "value": self._staff.issuer},
            "aud": {"essential": True, "value": self._staff.audience},
        }
        claims = _verified(token, key, "ES256", essential)
        roles = tuple(sorted(set(_words(claims, "roles")) & set(Role)))
        stores = frozenset(StoreId(store) for store in _words(claims, "stores"))
        return Caller(Actor(ActorKind.STAFF, _subject(claims), roles), stores)


def _algorithm(token: str) -> str | None:
    """Return what a JWT says it is signed with; None for what is no JWT."""
    if token.count(".") != _JWT_PARTS - 1:
        return None
    algorithm = _header(token).get("alg")
    return algorithm if isinstance(algorithm, str) else "none"


def _header(token: str) -> Mapping[str, Any]:
    try:
        return dict(jws.extract_compact(token.encode()).headers())
    except (JoseError, ValueError, TypeError) as error:
        raise Unauthenticated("the token is malformed") from error


def _unverified_claims(token: str) -> Mapping[str, Any]:
    try:
        claims = json.loads(jws.extract_compact(token.encode()).payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise Unauthenticated("the token is malformed") from error
    if not isinstance(claims, dict):
        raise Unauthenticated("the token is malformed")
    return claims


def _verified(token: str, key: OctKey | ECKey, algorithm: str, essential: dict[str, Any]) -> dict[str, Any]:
    try:
        decoded = jwt.decode(token, key, algorithms=[algorithm])
        jwt.JWTClaimsRegistry(leeway=_LEEWAY_SECONDS, **essential).validate(decoded.claims)
    except (JoseError, ValueError, TypeError) as error:
        raise Unauthenticated("the token is forged, expired or not meant for us") from error
    return dict(decoded.claims)


def _subject(claims: Mapping[str, Any]) -> str:
    subject = str(claims["sub"])
    if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise Unauthenticated("the token's subject is malformed")
    return subject


def _words(claims: Mapping[str, Any], name: str) -> list[str]:
    words = claims.get(name, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Unauthenticated(f"the token's {name} are malformed")
    return words
