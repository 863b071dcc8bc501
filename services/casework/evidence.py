"""Evidence: files that people give, believed for what their content is, kept by their digest."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from services.casework.content import content_type_of
from services.domain.errors import EvidenceRejected, IdempotencyConflict
from services.domain.inbox import Evidence


class IncomingFile(Protocol):
    """A file that is being received; nobody sees it before it is kept."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def head(self) -> bytes:
        """Its first bytes, as many as tell its type."""

    async def write(self, chunk: bytes) -> None: ...
    async def keep(self) -> None:
        """Make the file safe and let it be found by its digest."""


class EvidenceFiles(Protocol):
    """Where the bytes lie."""

    def receive(self) -> AbstractAsyncContextManager[IncomingFile]:
        """Give a new file; what is not kept at the end is gone."""

    def read(self, sha256: str) -> AsyncIterator[bytes]:
        """Give a file in chunks.

        Raises:
            DependencyUnavailable: If the file cannot be reached.
        """


class EvidenceStore(Protocol):
    """Where files are registered; every method is one statement."""

    async def admit(self, told: Evidence) -> None:
        """Let evidence in that is known, or may still be given.

        Raises:
            CaseClosed: If its case is closed.
        """

    async def keep(self, evidence: Evidence) -> Evidence:
        """Register a file, or return what its id stands for already."""

    async def find(self, store_id: str, evidence_id: str) -> Evidence: ...


@dataclass(frozen=True, slots=True)
class EvidenceRoom:
    store: EvidenceStore
    files: EvidenceFiles
    max_bytes: int

    async def add(self, told: Evidence, chunks: AsyncIterator[bytes]) -> Evidence:
        """Receive a file, look what it is, keep it, and only then register it.

        Raises:
            CaseClosed: Before anything of it is received.
            EvidenceRejected: If it is empty, too large, of no accepted type, or not what it was said to be.
            IdempotencyConflict: If the evidence id stands for another file.
        """
        await self.store.admit(told)
        async with self.files.receive() as file:
            async for chunk in chunks:
                await file.write(chunk)
                if file.size_bytes > self.max_bytes:
                    raise EvidenceRejected(f"the file is larger than {self.max_bytes} bytes")
            found = _looked_at(told, file)
            await file.keep()
        known = await self.store.keep(found)
        # The same file is the same evidence, whatever it is called when it is given again.
        if replace(known, added_at=found.added_at, kind=found.kind) != found:
            raise IdempotencyConflict("the evidence id stands for another file")
        return known

    async def read(self, store_id: str, evidence_id: str) -> tuple[Evidence, AsyncIterator[bytes]]:
        """Return a piece of evidence, and its bytes."""
        evidence = await self.store.find(store_id, evidence_id)
        return evidence, self.files.read(evidence.sha256)


def _looked_at(told: Evidence, file: IncomingFile) -> Evidence:
    """Return the evidence as its content says, if that is acceptable and what was claimed."""
    if file.size_bytes == 0:
        raise EvidenceRejected("the file is empty")
    content_type = content_type_of(file.head)
    if content_type is None:
        raise EvidenceRejected("the content is no image, video or PDF of an accepted type")
    found = replace(told, content_type=content_type, sha256=file.sha256, size_bytes=file.size_bytes)
    claims = (
        (told.content_type, found.content_type, "type"),
        (told.sha256.lower(), found.sha256, "digest"),
        (told.size_bytes, found.size_bytes, "size"),
    )
    for claimed, true, name in claims:
        if claimed and claimed != true:
            raise EvidenceRejected(f"the content has not the {name} that was claimed")
    return found
