"""The mirror of a pipeline's state in its project folder, written so that a reader never sees half of it."""

import errno
import json
from pathlib import Path

from orchestrator_tui.config.files import write_atomic
from orchestrator_tui.domain import codec
from orchestrator_tui.domain.records import PipelineState, Project

STATE_FILE = ".orchestrator_state.json"
VERSION = 1


def write_state(project: Project, state: PipelineState) -> None:
    """Mirror the state in the project's folder.

    Raises:
        OSError: the file could not be written; the old one is still whole.
    """
    folder = Path(project.directory)
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the project folder is gone", str(folder))
    document = {"version": VERSION, "project": codec.to_plain(project), "state": codec.to_plain(state)}
    content = (json.dumps(document, indent=2) + "\n").encode()
    write_inside(folder / STATE_FILE, content)


def write_inside(file: Path, content: bytes) -> None:
    """Replace a file of the engine's own in a project folder; a link in its place is removed, never followed.

    Raises:
        OSError: it could not be written; the old one is still whole.
    """
    if file.parent.is_symlink():
        file.parent.unlink()
    if file.is_symlink():
        file.unlink()
    write_atomic(file, content, check=json.loads if file.suffix == ".json" else len)
