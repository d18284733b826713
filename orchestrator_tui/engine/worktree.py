"""The folder of one work item that is worked on beside others: a git worktree on a branch of its own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator_tui.domain.errors import PhaseFailed
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.worktrees import worktree_folder
from orchestrator_tui.engine.repository import with_trailers
from orchestrator_tui.engine.workspace import Workspace

BRANCHES = "orchestrator"
"""How the names of the items' branches begin."""
_MAIN = "main-worktree/HEAD"
"""The commit that the project's own folder stands on, as git calls it in every worktree."""
_MARKER = "^(<<<<<<< |>>>>>>> )[0-9a-f]{40,64}(:.*|\r)?$"
"""The lines around a conflict, as git writes them for commits that are named by their hashes; with the name of the file
where that was renamed, and with the end of a line that the file's lines have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebased:
    """An item's whole work as one commit on top of another.

    Attributes:
        onto: the commit it stands on. has_moved: whether the work was begun on another one.
        is_empty: nothing is left of the work, as all of it is there already.
        conflicts: files that both sides have changed in the same place; the commit holds them with markers. told: what
            git says about that. before: where there are any, the work as it was, as a commit of its own.
    """

    commit: str
    onto: str
    has_moved: bool
    is_empty: bool
    conflicts: tuple[str, ...] = ()
    told: str = ""
    before: str | None = None


class Worktree(Workspace):
    """An item's folder. Its branch names the commit of the project that its work was begun on, and the work itself
    is what differs from that: it is no commit before it is brought in."""

    def __init__(
        self,
        project: Path,
        key: str,
        environment: Mapping[str, str],
        still_ours: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(
            worktree_folder(project, key),
            environment,
            still_ours,
            project=project,
            repository=project / ".git" / "worktrees" / key,
        )
        self.key = key
        self.kept = self._repository

    @property
    def branch(self) -> str:
        return f"{BRANCHES}/{self.key}"

    async def base(self) -> str:
        """The commit of the project that the work was begun on."""
        return (await self._git("merge-base", "HEAD", _MAIN)).strip()

    async def set_aside(self, name: str, moment: datetime) -> Path | None:
        # What the agent has committed by itself is unfinished work like the rest of it.
        await self._require_ours()
        await self._git("reset", "-q", "--soft", await self.base())
        return await super().set_aside(name, moment)

    async def rebased(self, base: str, onto: str, message: str, *, item_id: str) -> Rebased:
        """The work on top of `base` as it is now, as one commit on top of `onto`; no file and no branch is changed.

        Raises:
            PhaseFailed: git cannot merge them.
        """
        await self._remove_drafts()
        await self._git("add", "-A")
        tree = (await self._git("write-tree")).strip()
        conflicts: tuple[str, ...] = ()
        told, before = "", None
        if base != onto:
            before = await self._commit(tree, base, message)
            tree, conflicts, told = await self._merged(onto, before)
        commit = await self._commit(tree, onto, with_trailers(message, item_id=item_id))
        return Rebased(
            commit=commit,
            onto=onto,
            has_moved=base != onto,
            is_empty=tree == (await self._git("rev-parse", f"{onto}^{{tree}}")).strip(),
            conflicts=conflicts,
            told=told,
            before=before if conflicts else None,
        )

    async def stand_on(self, rebased: Rebased) -> None:
        """Have the files as they are in the commit, and the branch at what the commit stands on.

        Raises:
            LeaseLost: another process may be at work in them.
        """
        await self._require_ours()
        # In this order: cut off in between, what is new in the commit still counts as work that was not brought in.
        await self._git("reset", "-q", "--hard", rebased.commit)
        await self._git("reset", "-q", rebased.onto)

    async def brought_in(self, rebased: Rebased) -> None:
        """Nothing is left to be brought in."""
        await self._git("reset", "-q", rebased.commit)

    async def unresolved(self) -> list[str]:
        """Files that still hold a marker of a conflict."""
        found = await self._run("grep", "--untracked", "-I", "-l", "-z", "-E", _MARKER)
        return [name for name in found.output.split("\0") if name] if found.exit_code == 0 else []

    async def changes_of_project(self, base: str, onto: str) -> str:
        """What has changed in the project from one of its commits to another, as a patch."""
        return await self._git("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--stat", "--patch", base, onto)

    async def _commit(self, tree: str, parent: str, message: str) -> str:
        return (await self._git(*await self._identity(), "commit-tree", tree, "-p", parent, "-m", message)).strip()

    async def _merged(self, onto: str, work: str) -> tuple[str, tuple[str, ...], str]:
        finished = await self._run("merge-tree", "--write-tree", "--name-only", "--messages", "-z", onto, work)
        tree, *rest = finished.output.split("\0")
        if finished.exit_code not in (0, 1) or not tree.isalnum():
            raise PhaseFailed(f"git merge-tree failed in {self.directory}: {one_line(finished.output, 500)}")
        if finished.exit_code == 0:
            return tree, (), ""
        end = rest.index("") if "" in rest else len(rest)
        return tree, tuple(dict.fromkeys(rest[:end])), _messages(rest[end + 1 :])


def _messages(fields: list[str]) -> str:
    """The texts among what git says: each comes after a number of paths, these paths, and the kind of the message."""
    told: list[str] = []
    while fields and fields[0].isdecimal():
        at = int(fields[0]) + 2
        told += fields[at : at + 1]
        fields = fields[at + 1 :]
    return "\n".join(text.strip() for text in told)
