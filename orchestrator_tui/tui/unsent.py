"""Words that a person wrote and has not sent: kept on the disk, so that no end of the program loses them."""

import json
import logging
from collections import UserDict
from pathlib import Path

from orchestrator_tui.config.files import write_atomic

FILE = "unsent.json"
logger = logging.getLogger(__name__)


class Unsent(UserDict[str, str]):
    """By the question they are for. Every change is written at once, beside what other dashboards wrote meanwhile.

    A file that cannot be read counts as empty; one that cannot be written leaves the words in memory.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file = folder / FILE
        self.data = self._read()

    def __setitem__(self, key: str, words: str) -> None:
        if self.data.get(key) != words:
            self.data[key] = words
            self._write({**self._read(), key: words})

    def __delitem__(self, key: str) -> None:
        del self.data[key]
        found = self._read()
        if found.pop(key, None) is not None:
            self._write(found)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {key: words for key, words in found.items() if isinstance(key, str) and isinstance(words, str)}

    def _write(self, found: dict[str, str]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._file, json.dumps(found, indent=1).encode(), check=json.loads, private=True)
        except (OSError, ValueError) as error:
            logger.warning("unsent words could not be kept: %s", error)
