"""Name and folder of a project that is to be made: defaults, and what is wrong with what a person typed."""

import os
from pathlib import Path

from orchestrator_tui.config.folders import check_directory
from orchestrator_tui.domain.errors import DirectoryUnusable
from orchestrator_tui.domain.naming import free_slug, slugify

LONGEST_NAME = 255


def default_folder(workspace: Path, name: str) -> Path:
    """The folder in `workspace` that is free for a project of this name. Blocks on the disk."""
    try:
        taken = {entry.name for entry in workspace.iterdir()}
    except OSError:
        # It does not exist yet, or `folder_problem` says what is wrong with it.
        taken = set()
    return workspace / free_slug(slugify(name), taken)


def as_folder(typed: str) -> Path:
    """The absolute folder that was typed; `~` is the home folder."""
    # Unlike `Path.expanduser`, it leaves the home of an unknown user alone.
    return Path(os.path.expanduser(typed.strip())).absolute()  # noqa: PTH111


def name_problem(name: str) -> str:
    """What is wrong with a project's name, or ""."""
    if not name.strip():
        return "The name is empty; a few words will do."
    if not slugify(name):
        return "The name has no letter or digit of a to z that its folder could be called after."
    if len(name.strip()) > LONGEST_NAME:
        return f"The name has {len(name.strip())} characters; {LONGEST_NAME} is the most."
    return ""


def folder_problem(folder: Path) -> str:
    """What is wrong with a project's folder, or "". Blocks on the disk."""
    try:
        check_directory(folder)
    except DirectoryUnusable as error:
        return error.message
    except ValueError:
        return "No folder can have this name."
    return ""
