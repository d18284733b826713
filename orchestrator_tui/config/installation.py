"""What holds for all projects of an installation, whatever each of them was started with."""

import logging
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.settings import LimitsSettings
from orchestrator_tui.domain.errors import SettingsError

NOBODY = "somebody"
"""Whose projects are where the system has no name for the user, as in some containers."""

Written = tuple[int, int, int] | None
"""What tells one content of a file from the next; None while there is no file."""

logger = logging.getLogger(__name__)


def limits_now(launch: Launch) -> Callable[[], LimitsSettings]:
    """Tells the limits that the settings of this start hold by now: a raise in a file counts without a new start.
    The files are read again when they have changed; while they cannot be understood, what they said last counts."""
    files = (launch.project_file, launch.paths.user_settings)
    written, known = _written(files), launch.settings().limits

    def read() -> LimitsSettings:
        nonlocal written, known
        if (now := _written(files)) != written:
            written = now
            try:
                known = launch.settings().limits
            except SettingsError as error:
                logger.warning("the limits stay as they were: %s", error.line())
        return known

    return read


def _written(files: tuple[Path, ...]) -> tuple[Written, ...]:
    return tuple(_of(file) for file in files)


def _of(file: Path) -> Written:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def user_name() -> str:
    """The name of who runs the program."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return NOBODY
