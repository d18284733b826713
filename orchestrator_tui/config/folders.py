"""Whether a folder can be used for a project. Everything here blocks on the disk."""

import os
from pathlib import Path

from orchestrator_tui.domain.errors import DirectoryUnusable


def check_directory(directory: Path) -> None:
    """Whether a project can be made in `directory`, an absolute path.

    Raises:
        DirectoryUnusable: it is a file, is not empty, or cannot be written.
    """
    try:
        if directory.exists() and not directory.is_dir():
            raise DirectoryUnusable(directory, "it is a file", hint="Name another folder with --directory.")
        if directory.is_dir() and any(directory.iterdir()):
            raise DirectoryUnusable(
                directory, "the folder is not empty", hint="Name an empty or a new folder with --directory."
            )
        if not writable(directory):
            raise DirectoryUnusable(
                directory, "the folder cannot be written", hint="Change its permissions, or name another one."
            )
    except OSError as error:
        raise unusable(directory, error) from error


def writable(directory: Path) -> bool:
    """Whether files can be made in `directory`, or in its nearest parent that exists."""
    directory = nearest(directory)
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def nearest(directory: Path) -> Path:
    """`directory`, or its nearest parent that exists."""
    while not directory.exists() and directory.parent != directory:
        directory = directory.parent
    return directory


def unusable(directory: Path, error: OSError) -> DirectoryUnusable:
    """What the system said about a folder, as an error of ours."""
    return DirectoryUnusable(directory, error.strerror or str(error), hint="Name another folder with --directory.")
