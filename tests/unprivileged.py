"""A folder, and a user who may not read what its owner keeps to himself: also where tests are run by root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65_534


@contextmanager
def readable_folder() -> Iterator[Path]:
    """A folder that everybody may look into; pytest's own are for its user alone."""
    folder = Path(tempfile.mkdtemp(prefix="readable"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def unprivileged() -> Iterator[None]:
    """As a user to whom the modes of files apply."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)
