"""Evidence on disk: written aside, made safe, renamed to its digest; no file is ever half there."""

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Final

from services.casework.content import HEAD_BYTES
from services.domain.errors import DependencyUnavailable

_CHUNK_BYTES: Final = 256 * 1024
# No upload takes this long; what is older was left by a process that died.
_ABANDONED_SECONDS: Final = 3600


class DiskFile:
    """A file that is being received, under a name nobody looks for."""

    def __init__(self, folder: Path, path: Path, file: IO[bytes]) -> None:
        self._folder = folder
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0
        self.head = b""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._write, chunk)

    def _write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size_bytes += len(chunk)
        self.head += chunk[: HEAD_BYTES - len(self.head)]

    async def keep(self) -> None:
        await asyncio.to_thread(self._keep)

    def _keep(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        place = place_of(self._folder, self.sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        self._path.rename(place)
        for folder in (place.parent, self._folder):
            _sync_folder(folder)


class DiskFiles:
    """Satisfies `services.casework.evidence.EvidenceFiles`; several processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()

    def _sweep(self) -> None:
        for path in self._incoming.iterdir():
            if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                path.unlink(missing_ok=True)

    @asynccontextmanager
    async def receive(self) -> AsyncIterator[DiskFile]:
        with self._aside() as file:
            yield file

    @contextmanager
    def _aside(self) -> Iterator[DiskFile]:
        """Give a file that is gone at the end, unless it was renamed.

        Made and removed in no other thread: a caller that goes away meanwhile would leave it behind.
        """
        handle, name = tempfile.mkstemp(dir=self._incoming)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield DiskFile(self._folder, path, file)
        finally:
            path.unlink(missing_ok=True)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        place = place_of(self._folder, sha256)
        try:
            file = await asyncio.to_thread(place.open, "rb")
        except OSError as error:
            raise DependencyUnavailable("the file cannot be reached") from error
        with file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                yield chunk


def place_of(folder: Path, sha256: str) -> Path:
    """Return where a file of this digest lies; the first two symbols keep folders small."""
    return folder / sha256[:2] / sha256


def _sync_folder(folder: Path) -> None:
    """Make a folder's entries safe."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
