"""Where projects lie on this machine."""

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator_tui.domain.records import Artifact, Project


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """A project whose `directory` is relative lies below the workspace of each machine; any other lies under the same
    path everywhere.

    Attributes:
        workspace: that of this machine, an absolute path.
        are_shared: whether all processes that run projects see the same folders; else a repository is what they share.
    """

    workspace: Path = Path("/")
    are_shared: bool = True

    def of(self, project: Project) -> Path:
        """The project's folder on this machine; it need not be there."""
        return self.workspace / project.directory

    def here(self, project: Project) -> Project:
        """The project, with its folder as an absolute path of this machine."""
        return replace(project, directory=str(self.of(project)))


EVERYWHERE = Folders()
"""Every project lies under the same path on every machine."""


def is_outdated(file: Path, document: Artifact) -> bool:
    """Whether a document's file is missing, or older than what is stored of it. Blocks on the disk."""
    try:
        return file.stat().st_mtime < document.created_at.timestamp()
    except OSError:
        return True
