"""Answers that are kept until the database changes."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

MOST = 64
"""Those that were not asked for the longest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question was answered, and the version of the database that it is about."""

    version: object
    value: Any


class Kept:
    """Answers by the names of their questions. Any thread may use it."""

    def __init__(self) -> None:
        self._found: OrderedDict[object, Answer] = OrderedDict()
        self._lock = Lock()

    def known(self, name: object, version: object) -> Answer | None:
        """What the question of this name was answered, if that was at the same version."""
        with self._lock:
            if name not in self._found:
                return None
            self._found.move_to_end(name)
            answer = self._found[name]
            return answer if answer.version == version else None

    def keep(self, name: object, answer: Answer) -> None:
        """Keep an answer instead of an earlier one to the same question."""
        with self._lock:
            self._found[name] = answer
            if len(self._found) > MOST:
                self._found.popitem(last=False)
