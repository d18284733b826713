"""Whether this machine has an OS sandbox, and one around a made-up home."""

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import pytest

from orchestrator_tui.agents.bubblewrap import Bubblewrap, find_bubblewrap
from orchestrator_tui.agents.sandbox_check import check_sandbox
from orchestrator_tui.config.paths import Paths

_NOWHERE = Path(gettempdir(), "orchestrator-nowhere")
_REPORT = check_sandbox(
    find_bubblewrap(os.environ, paths=Paths(config=_NOWHERE, data=_NOWHERE, logs=_NOWHERE / "logs"))
)

needs_sandbox = pytest.mark.skipif(not _REPORT.works, reason=f"no OS sandbox on this machine: {_REPORT.problem}")

SECRET = "planted-secret-3141592653"
"""In every file that nothing inside may read."""


@dataclass(frozen=True, kw_only=True)
class House:
    """A person's home with secrets in it, the program's folders, and a project among others."""

    home: Path
    paths: Paths
    project: Path
    secrets: tuple[Path, ...]

    def sandbox(self, *, proxy: Path | None = None) -> Bubblewrap:
        found = find_bubblewrap({"PATH": os.environ["PATH"], "HOME": str(self.home)}, paths=self.paths, proxy=proxy)
        assert found is not None
        return found


def house_in(folder: Path) -> House:
    home, data = folder / "home", folder / "data"
    paths = Paths(config=home / ".config" / "orchestrator", data=data, logs=data / "logs")
    project = folder / "project"
    secrets = (
        home / ".ssh" / "id_ed25519",
        home / ".aws" / "credentials",
        home / ".netrc",
        home / ".cargo" / "credentials.toml",
        paths.config / "orchestrator.toml",
        paths.database,
        data / "workspace" / "other" / "notes.txt",
        folder / "elsewhere.txt",
    )
    project.mkdir(exist_ok=True)
    for file in secrets:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SECRET)
    return House(home=home, paths=paths, project=project, secrets=secrets)


def failing_bubblewrap(folder: Path) -> Path:
    """A folder with a `bwrap` that does not work, for the front of PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    return folder
