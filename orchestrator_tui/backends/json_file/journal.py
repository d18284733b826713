"""What the program wrote into the file, revision by revision, so that what a person changed in one can be told.

The file names the revision it was written as. An editor may hold it for an hour and then save: what differs from that
very revision is the person's, whatever the program wrote since.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator_tui.backends.json_file.entries import Entry
from orchestrator_tui.config.files import write_atomic

KEPT = 500
"""Revisions that can still be edited, at least; older ones are folded into one."""


class Journal:
    """One line of JSON for each revision, with the entries that changed in it, by the item's id. Blocks on the disk."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._revisions: list[tuple[int, Mapping[str, Entry]]] = []
        self._newest: dict[str, Entry] = {}

    @property
    def latest(self) -> int:
        """The newest revision, 0 when there is none."""
        return self._revisions[-1][0] if self._revisions else 0

    @property
    def newest(self) -> Mapping[str, Entry]:
        """All entries as of the newest revision."""
        return self._newest

    def load(self) -> None:
        """Read what is there; a last line that a crash cut off does not count.

        Raises:
            OSError: it cannot be read.
        """
        self._revisions, self._newest = [], {}
        whole = _whole_lines(self._file)
        for line in whole.splitlines():
            found = _parsed(line)
            if found is None:
                # Nobody writes here but this program: what was changed by hand tells nothing any more.
                self._revisions, self._newest = [], {}
                self._file.unlink()
                return
            self._add(*found)
        if len(self._revisions) > 2 * KEPT:
            self._fold()
        elif whole and len(whole) != self._file.stat().st_size:
            os.truncate(self._file, len(whole))

    def entries(self, revision: int) -> Mapping[str, Entry] | None:
        """All entries as of a revision; None when it is not known, or no longer."""
        if revision == self.latest:
            return self._newest
        if not self._revisions or not self._revisions[0][0] <= revision <= self.latest:
            return None
        found: dict[str, Entry] = {}
        for number, changed in self._revisions:
            if number <= revision:
                found.update(changed)
        return found

    def append(self, revision: int, changed: Mapping[str, Entry]) -> None:
        """Add a revision, before the file is written as it.

        Raises:
            OSError: it could not be written.
        """
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        with os.fdopen(descriptor, "ab") as stream:
            stream.write(_line(revision, changed))
            stream.flush()
            os.fsync(stream.fileno())
        self._add(revision, changed)

    def _add(self, revision: int, changed: Mapping[str, Entry]) -> None:
        self._revisions.append((revision, changed))
        self._newest.update(changed)

    def _fold(self) -> None:
        oldest = self._revisions[-KEPT][0]
        folded = self.entries(oldest) or {}
        self._revisions = [(oldest, folded), *self._revisions[-KEPT + 1 :]]
        content = b"".join(_line(*revision) for revision in self._revisions)
        write_atomic(self._file, content, check=len, through_links=False)


def _whole_lines(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return b""
    return content[: content.rfind(b"\n") + 1]


def _line(revision: int, changed: Mapping[str, Entry]) -> bytes:
    return (json.dumps({"revision": revision, "items": dict(changed)}, ensure_ascii=False) + "\n").encode()


def _parsed(line: bytes) -> tuple[int, dict[str, Any]] | None:
    try:
        found = json.loads(line)
        return int(found["revision"]), dict(found["items"])
    except (ValueError, KeyError, TypeError):
        return None
