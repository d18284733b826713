"""The executable that the SDK starts instead of the CLI: a small file that leads to `launch.py`."""

import hashlib
import os
import shlex
import sys
import tempfile
from pathlib import Path

from orchestrator_tui.config.paths import Paths

_LAUNCH = Path(__file__).with_name("launch.py")


def make_launcher(paths: Paths) -> Path:
    """The launcher of this installation in the runtime folder, written when it is not there yet.

    Raises:
        OSError: the runtime folder cannot be written.
    """
    content = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(_LAUNCH))} "$@"\n'.encode()
    folder = paths.data / "run"
    file = folder / f"claude-{hashlib.sha256(content).hexdigest()[:12]}"
    if _holds(file, content):
        return file
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    handle, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as target:
        target.write(content)
    Path(temporary).chmod(0o700)
    return Path(temporary).replace(file)


def _holds(file: Path, content: bytes) -> bool:
    try:
        return file.read_bytes() == content and os.access(file, os.X_OK)
    except OSError:
        return False
