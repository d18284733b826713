"""The token of this machine: made at a server's first start, in a file that only its owner can read."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from orchestrator_tui.api.access import Doorkeeper, mint
from orchestrator_tui.api.base import Ledger
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.errors import ServeFailed

LOCAL = "local"
"""The name of that token: whoever can read the file is the person who owns the server."""

LONGEST = 200


async def ensure_token_file(file: Path, ledger: Ledger) -> None:
    """Make sure that `file` holds a token that works and that nobody else can read. Blocks on the disk for a moment.

    Raises:
        ServeFailed: it cannot be written.
        StoreUnavailable.
    """
    text = read_token_file(file)
    token = await Doorkeeper(ledger).who(text or "")
    if token is not None and _is_private(file):
        return
    if token is not None:
        # Somebody else may have read it.
        await ledger.revoke_token(token.id)
    minted = mint(LOCAL, Scope.ADMIN)
    await ledger.add_token(minted.token)
    try:
        _write_private(file, minted.text + "\n")
    except OSError as error:
        # Nobody has it, so nobody is to use it.
        await ledger.revoke_token(minted.token.id)
        raise ServeFailed(
            f"{file} cannot be written: {error.strerror}.", hint="It holds the token of this machine; make it writable."
        ) from error


def read_token_file(file: Path) -> str | None:
    """The token in `file`; None when there is none, or when it cannot be read."""
    with suppress(OSError, UnicodeDecodeError), file.open(encoding="ascii") as opened:
        return opened.read(LONGEST).strip() or None
    return None


def _is_private(file: Path) -> bool:
    found = file.stat()
    return found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _write_private(file: Path, text: str) -> None:
    """Written whole beside it, then put in its place."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)
        beside.replace(file)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
