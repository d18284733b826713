"""Where the worktrees of a project lie: one for each work item that is worked on beside others."""

from pathlib import Path

WORKTREES = Path(".orchestrator") / "worktrees"
"""Below the project's folder, where git does not see them; the name of each is its item's key."""


def worktree_folder(project: Path, key: str) -> Path:
    """The folder that the item with this key is worked on in."""
    return project / WORKTREES / key


def project_of(directory: Path) -> Path:
    """The folder of the project that an agent in `directory` works on: of a worktree that which it belongs to, else
    `directory` itself."""
    folder = directory.parent
    return folder.parent.parent if folder.parts[-2:] == WORKTREES.parts else directory
