"""The file in a project's folder that the project can be built again from, written so that a reader never sees half."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator_tui.config.files import write_atomic
from orchestrator_tui.domain import codec
from orchestrator_tui.domain.errors import StateFileDamaged, StateFileMissing
from orchestrator_tui.domain.records import Dossier, PipelineState, Project
from orchestrator_tui.engine.statecheck import VERSION, checked

STATE_FILE = ".orchestrator_state.json"
SECTIONS = ("items", "comments", "artifacts", "sessions", "requests", "instructions")
"""The lists of a `Dossier`; in the file each of their records has a line of its own."""

READ_WHOLE = frozenset({"instructions"})
"""Sections that every `Dossier` holds as a whole: what is missing in them is no more."""

LARGEST = 100_000_000
"""Bytes; some thousand work items with all that was said about them are a third of that."""


def render(dossier: Dossier) -> bytes:
    """The content of a state file."""
    return frame(
        dossier.project,
        dossier.state,
        {section: [line_of(record) for record in getattr(dossier, section)] for section in SECTIONS},
    )


def line_of(record: Any) -> str:
    """A record as one line of JSON."""
    return json.dumps(codec.to_plain(record), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def frame(project: Project, state: PipelineState, lines: Mapping[str, Iterable[str]]) -> bytes:
    """The content of a state file around the lines of its sections."""
    parts = [f'"version": {VERSION}', f'"project": {line_of(project)}', f'"state": {line_of(state)}']
    parts += [f'"{section}": [\n' + ",\n".join(lines[section]) + "\n]" for section in SECTIONS]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def write_state(folder: Path, content: bytes) -> None:
    """Make `content` the state file of a project's folder.

    Raises:
        OSError: it could not be written; the old one is still whole.
    """
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the project folder is gone", str(folder))
    # It holds what the database holds, and that is its owner's alone.
    write_atomic(folder / STATE_FILE, content, check=_parses, private=True, through_links=False)


def write_inside(file: Path, content: bytes) -> None:
    """Replace a file of the engine's own in a project folder; a link in its place is removed, never followed.

    Raises:
        OSError: it could not be written; the old one is still whole.
    """
    if file.parent.is_symlink():
        file.parent.unlink()
    write_atomic(file, content, check=json.loads if file.suffix == ".json" else len, through_links=False)


def read_state(folder: Path) -> Dossier:
    """What the state file of a project's folder holds.

    Raises:
        StateFileMissing: there is none.
        StateFileDamaged: it cannot be read, is no whole state file, or one of another version.
    """
    file = folder / STATE_FILE
    try:
        return checked(_bytes_of(file))
    except FileNotFoundError:
        raise StateFileMissing(file) from None
    except OSError as error:
        raise StateFileDamaged(file, f"it cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise StateFileDamaged(file, str(error)) from None


def set_aside(folder: Path, moment: datetime) -> Path:
    """Give what stands in the state file's place a name that says it is damaged; returns its new path.

    Raises:
        OSError: it cannot be renamed.
    """
    wanted = f"{STATE_FILE}.damaged-{moment:%Y%m%dT%H%M%SZ}"
    aside, number = folder / wanted, 1
    while os.path.lexists(aside):
        number += 1
        aside = folder / f"{wanted}-{number}"
    return (folder / STATE_FILE).rename(aside)


def remove_drafts(folder: Path) -> None:
    """Remove what a crash in the middle of a write left behind."""
    for draft in folder.glob(f".{STATE_FILE}.*.tmp"):
        with suppress(OSError):
            draft.unlink()


def _bytes_of(file: Path) -> bytes:
    """What a file holds, if it is one: a link is not followed, a pipe not waited for, nothing huge read.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: it is no regular file, or too large.
    """
    kind = file.lstat().st_mode
    if not stat.S_ISREG(kind):
        raise ValueError("it is a link" if stat.S_ISLNK(kind) else "it is no regular file")
    # Whatever was put there since it was looked at.
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    return content


def _parses(written: bytes) -> None:
    """Raises ValueError when what was written is not the JSON of `frame`.

    Line by line, because nothing else in the process runs while one text is parsed.
    """
    outline: list[bytes] = []
    for line in written.splitlines():
        if line.startswith(b"{") and len(line) > 1:
            json.loads(line.removesuffix(b","))
        else:
            outline.append(line)
    json.loads(b"\n".join(outline))
