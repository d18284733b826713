"""Words that a person wrote and has not sent: kept on the disk, so that no end of the program loses them."""

import asyncio
import json
import logging
from collections import UserDict
from pathlib import Path

from orchestrator_tui.config.files import write_atomic

FILE = "unsent.json"
logger = logging.getLogger(__name__)


class Unsent(UserDict[str, str]):
    """By the question they are for; in `folder` once `store` has returned, without one in memory only.

    A file that cannot be read counts as empty; when it cannot be written the words stay in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._file = folder / FILE if folder is not None else None
        self._lock = asyncio.Lock()
        self._changed: set[str] = set()
        self.data = self._read()

    def __setitem__(self, key: str, words: str) -> None:
        if self.data.get(key) != words:
            self.data[key] = words
            self._changed.add(key)

    def __delitem__(self, key: str) -> None:
        del self.data[key]
        self._changed.add(key)

    async def store(self) -> None:
        """Keep what has changed, beside what other dashboards wrote meanwhile."""
        async with self._lock:
            changed, self._changed = {key: self.data.get(key) for key in self._changed}, set()
            if changed and self._file is not None:
                await asyncio.to_thread(self._write, self._file, changed)

    def _read(self) -> dict[str, str]:
        if self._file is None:
            return {}
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: words for key, words in found.items() if isinstance(key, str) and isinstance(words, str)}

    def _write(self, file: Path, changed: dict[str, str | None]) -> None:
        merged = {**self._read(), **changed}
        content = json.dumps({key: words for key, words in merged.items() if words is not None}, indent=1)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, content.encode(), check=json.loads, private=True)
        except (OSError, ValueError) as error:
            logger.warning("unsent words could not be kept: %s", error)
