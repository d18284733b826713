"""Remotes that could not be used lately: who looks at them again, and what was told of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator_tui.domain.errors import RemoteUnavailable

LOOK_SECONDS = 5.0
"""How long a remote that could not be used is left in peace: each look at it takes its project's lease."""


class Remotes:
    """Of the projects that run, or are to run, in this process."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[float, RemoteUnavailable]] = {}
        self._told: dict[str, str] = {}

    def require(self, project_id: str) -> None:
        """
        Raises:
            RemoteUnavailable: that of this project could not be used a moment ago.
        """
        at, error = self._failed.get(project_id, (0.0, None))
        if error is not None and time.monotonic() - at < LOOK_SECONDS:
            raise RemoteUnavailable(error.address, error.said)

    @contextmanager
    def watched(self, project_id: str) -> Iterator[None]:
        """Around whatever uses the remote for the first time in a run."""
        try:
            yield
        except RemoteUnavailable as error:
            self._failed[project_id] = (time.monotonic(), error)
            raise
        self._failed.pop(project_id, None)
        self._told.pop(project_id, None)

    def is_news(self, project_id: str, error: RemoteUnavailable) -> bool:
        """Whether people do not know it yet; from now on they do."""
        is_known = self._told.get(project_id) == error.message
        self._told[project_id] = error.message
        return not is_known
