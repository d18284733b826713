"""The small executables between the SDK, the CLI and its shell: one builds the environment, the other empties it."""

import hashlib
import os
import shlex
import sys
import tempfile
from pathlib import Path

from orchestrator_tui.config.paths import Paths

_LAUNCH = Path(__file__).with_name("launch.py")
_NOT_FOR_TOOLS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
)


def make_launcher(paths: Paths) -> Path:
    """What the SDK starts as the CLI: it leads to `launch.py`.

    Raises:
        OSError: the runtime folder cannot be written.
    """
    return _executable(paths, "claude", f'exec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(_LAUNCH))} "$@"')


def make_shell(paths: Paths, bash: str, within: str = "") -> Path:
    """What the CLI starts as its shell: `bash` without the session's credentials, behind the command line `within`.

    Raises:
        OSError: the runtime folder cannot be written.
    """
    return _executable(paths, "bash", f'unset {" ".join(_NOT_FOR_TOOLS)}\nexec {within} {shlex.quote(bash)} "$@"')


def _executable(paths: Paths, name: str, lines: str) -> Path:
    """A shell file called `name`, private to this user, in a folder named after its content."""
    content = f"#!/bin/sh\n{lines}\n".encode()
    folder = paths.data / "run" / hashlib.sha256(content).hexdigest()[:12]
    file = folder / name
    if _holds(file, content):
        return file
    folder.mkdir(parents=True, exist_ok=True)
    for private in (folder.parent, folder):
        private.chmod(0o700)
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
