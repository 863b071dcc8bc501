"""Payloads sealed with AES-256-GCM before they leave the process, so that histories hold no readable data.

The key's id travels in the metadata: a new key becomes current while old histories stay readable as long as
their key is known.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from services.platform.secrets import Secrets

ENCODING: Final = b"binary/encrypted"
_NONCE_BYTES: Final = 12


class UnknownKey(Exception):
    """A payload was sealed with a key that this process does not have, or was tampered with."""


class SealedPayloads(PayloadCodec):
    """Seals with the current key, opens with any known one; the key id is authenticated too."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys:
            raise UnknownKey(f"there is no key {current}")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = current

    @classmethod
    def of(cls, secrets: Secrets) -> "SealedPayloads":
        """Return the codec of the keys that all processes share."""
        keys = {
            key_id: base64.b64decode(key.get_secret_value()) for key_id, key in secrets.payload_keys.items()
        }
        return cls(keys, secrets.payload_key_id)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open what is sealed and leave the rest.

        Raises:
            UnknownKey: If a payload cannot be opened.
        """
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        key_id = self._current.encode()
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), key_id)
        return Payload(metadata={"encoding": ENCODING, "key-id": key_id}, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get("key-id", b"")
        cipher = self._ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            raise UnknownKey(f"there is no key {key_id.decode(errors='replace')}")
        try:
            plain = cipher.decrypt(payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:], key_id)
        except InvalidTag as error:
            raise UnknownKey("a payload was changed after it was sealed") from error
        return Payload.FromString(plain)
