"""Whether files of a project change: a sign of life of an agent that says nothing and gets no result."""

import os
from datetime import datetime
from pathlib import Path

_OF_THE_ENGINE = (".git", ".orchestrator")
"""How names begin that the engine itself writes to while an agent works."""


def changed_since(directory: Path, moment: datetime) -> bool:
    """Whether anything below a project's folder was made, written or removed after `moment`. Blocks on the disk."""
    since, waiting = moment.timestamp(), [str(directory)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith(_OF_THE_ENGINE):
                        continue
                    if entry.stat(follow_symlinks=False).st_mtime > since:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            # It went away in this moment, which its folder's own time tells.
            continue
    return False
