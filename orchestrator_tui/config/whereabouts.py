"""Where this machine's background server is: a file that it writes and every start of the program reads."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from orchestrator_tui import __version__
from orchestrator_tui.config.lock_file import HeldByOther, hold
from orchestrator_tui.config.paths import Paths
from orchestrator_tui.domain import owner
from orchestrator_tui.domain.errors import ServeFailed

LARGEST = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Whereabouts:
    """A background server.

    Attributes:
        url: its origin. process: it, as `owner.this_process` says it.
        database: a hash that tells databases apart. version: that of the program.
    """

    url: str
    process: str
    database: str
    version: str = __version__

    def serves(self, database: str) -> bool:
        """Whether a program of this version may attach to it for what is in that database."""
        return (self.database, self.version) == (database, __version__)


def database_mark(paths: Paths, url: str | None) -> str:
    """A hash of the database that a start uses; `url` is the one that it was given, and may hold a password."""
    return hashlib.sha256((url or str(paths.database)).encode()).hexdigest()[:32]


def read_whereabouts(paths: Paths) -> Whereabouts | None:
    """The background server of this machine; None when there is none, or its process is gone."""
    try:
        with paths.background.open("rb") as file:
            plain = json.loads(file.read(LARGEST))
        found = Whereabouts(**{name: str(plain[name]) for name in ("url", "process", "database", "version")})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if owner.is_here(found.process) else None


def find_server(paths: Paths, database_url: str | None) -> Whereabouts | None:
    """The background server that a start with this database attaches to, if there is one. Reads two small files."""
    found = read_whereabouts(paths)
    return found if found is not None and found.serves(database_mark(paths, database_url)) else None


def write_whereabouts(paths: Paths, whereabouts: Whereabouts) -> None:
    """Say where this process is, at once and whole, to its owner alone.

    Raises:
        ServeFailed: it cannot be written.
    """
    file = paths.background
    beside = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        with suppress(FileNotFoundError):
            beside.unlink()
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump(asdict(whereabouts), opened)
            opened.flush()
            os.fsync(descriptor)
        beside.replace(file)
    except OSError as error:
        raise ServeFailed(
            f"{file} cannot be written: {error.strerror}.", hint="Dashboards find the server by it; make it writable."
        ) from error


def remove_whereabouts(paths: Paths) -> None:
    """Nobody is to find this process any more. A file of another one stays."""
    found = read_whereabouts(paths)
    if found is not None and found.process == owner.this_process():
        with suppress(OSError):
            paths.background.unlink()


@contextmanager
def only_one(paths: Paths) -> Iterator[None]:
    """Be the background server of this data folder while open; however the process ends, another one can follow.

    Raises:
        ServeFailed: there is one, or the lock cannot be made.
    """
    file = paths.background_lock
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = hold(file)
    except HeldByOther as held:
        hint = "orchestrator-tui --stop --all ends it."
        raise ServeFailed("There is a background server already.", hint=hint) from held
    except OSError as error:
        raise ServeFailed(f"{file} cannot be made: {error.strerror}.", hint="It must be writable.") from error
    try:
        yield
    finally:
        os.close(descriptor)


def holder(paths: Paths) -> str | None:
    """The background server's process, also when it cannot be found yet, or any more; None when there is none."""
    try:
        with paths.background_lock.open(encoding="utf-8") as file:
            name = file.read(LARGEST)
    except (OSError, ValueError):
        return None
    return name if owner.is_here(name) else None
