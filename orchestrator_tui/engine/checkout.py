"""The project's own folder: where main is checked out, and what the worktrees of its items belong to."""

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import PhaseFailed
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.domain.worktrees import WORKTREES, worktree_folder
from orchestrator_tui.engine.repository import Commit
from orchestrator_tui.engine.statefile import write_inside
from orchestrator_tui.engine.workspace import NOTES_FOLDER, Workspace
from orchestrator_tui.engine.worktree import BRANCHES, Rebased, Worktree

LEAST_GIT = (2, 38)
"""The first git that merges without touching any file."""
_ADVANCING = "refs/orchestrator/advancing"
"""Names the commit that main is being brought to: whoever finds it finishes that."""
EARLIER = ".earlier"
"""Ends the names under which that is kept which nobody goes on with: others have had the project since."""
_LOCKED, _UNFINISHED = "locked", "initializing"
"""Git's own mark of a worktree that it has begun to make, and ours of one that is being removed."""
_VERSION = re.compile(r"(\d+)\.(\d+)")


class Checkout(Workspace):
    """As long as the folder of worktrees is there, items are worked on in these, and not in the project's own files."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str], still_ours: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        super().__init__(directory, environment, still_ours)
        self._git_environment = environment
        # Git locks the repository's settings while it makes or removes a worktree, and gives up when they are locked.
        self._turn = asyncio.Lock()

    @property
    def worktrees(self) -> Path:
        return self.directory / WORKTREES

    async def can_merge(self) -> bool:
        """Whether this machine's git can bring in what was made in a worktree."""
        told = _VERSION.search((await self._run("version")).output)
        return told is not None and (int(told[1]), int(told[2])) >= LEAST_GIT

    def desk(self, key: str) -> Workspace | None:
        """Where the item with this key is worked on; None when that is a worktree that is not there."""
        if not self.worktrees.is_dir():
            return self
        worktree = self._worktree(key)
        return worktree if self._is_whole(worktree) else None

    async def set_aside_item(self, key: str, moment: datetime) -> Path | None:
        """Keep what is unfinished of an item as a patch, wherever it is worked on; its worktree is not needed then."""
        desk = await asyncio.to_thread(self.desk, key)
        if desk is None:
            return None
        # Whoever has the project by now works in a folder of the same name.
        await self._require_ours()
        if isinstance(desk, Worktree):
            await asyncio.to_thread(_link, desk)
        patch = await desk.set_aside(key, moment)
        if desk is not self:
            # The patch fits the commit that its branch names.
            await self.close_worktree(key, keeps_branch=patch is not None)
        return patch

    async def begin_worktrees(self) -> None:
        """From now on items are worked on in worktrees."""
        await asyncio.to_thread(self.worktrees.mkdir, parents=True, exist_ok=True)

    async def end_worktrees(self) -> None:
        """Items are not worked on in worktrees any more; what was unfinished there is kept as patches."""
        await self._clear_worktrees()
        await self._drop_branches()
        with suppress(OSError):
            await asyncio.to_thread(self.worktrees.rmdir)

    async def _drop_branches(self) -> None:
        for key in await self.bases():
            await self._git("branch", "-q", "-D", f"{BRANCHES}/{key}")

    async def bases(self) -> Mapping[str, str]:
        """The commits that unfinished work of items in worktrees was begun on, by the items' keys."""
        form = "--format=%(refname:lstrip=3) %(objectname)"
        listed = await self._run("for-each-ref", form, f"refs/heads/{BRANCHES}/TASK-*")
        lines = listed.output.splitlines() if listed.exit_code == 0 else []
        return {key: commit for key, _, commit in (line.partition(" ") for line in lines)}

    async def set_bases(self, bases: Mapping[str, str]) -> None:
        """Have unfinished work of items begin on these commits; one that is not here is left out."""
        for key, commit in bases.items():
            await self._run("branch", "-q", "-f", "--no-track", f"{BRANCHES}/{key}", commit)

    async def adopt(self, commit: str) -> None:
        """Bring main and all files to `commit`. What main has beside it is kept on a branch, what is not committed is
        put back into the files where it fits, and else kept as a patch."""
        head = await self.head()
        patch = await self.set_aside(f"main{EARLIER}", now())
        if head and (await self._run("merge-base", "--is-ancestor", head, commit)).exit_code != 0:
            await self._git("branch", "-q", "-f", "--no-track", f"{BRANCHES}/main{EARLIER}-{head[:12]}", head)
        await self._git("reset", "-q", "--hard", commit)
        if patch is not None and head is not None and await self.put_back(patch):
            await asyncio.to_thread(patch.unlink)

    async def take_along_worktrees(self, old: Path) -> None:
        """Take what git keeps of worktrees of items for ours, whose project lay in `old` before."""
        await asyncio.to_thread(self._take_along, old)

    def _take_along(self, old: Path) -> None:
        for kept in (self._repository / "worktrees").glob("*"):
            if kept.is_symlink() or _place(kept) != worktree_folder(old, kept.name) / ".git":
                continue
            write_inside(kept / "gitdir", f"{self._worktree(kept.name).directory / '.git'}\n".encode())

    async def open_worktree(self, key: str) -> Worktree:
        """A fresh worktree for an item, on the commit that its unfinished work was begun on, if there is some; else on
        main's.

        Raises:
            PhaseFailed: git cannot make it.
        """
        worktree = self._worktree(key)
        async with self._turn:
            await finish(asyncio.to_thread(self._remove, worktree))
            await self.begin_worktrees()
            known = await self._run("rev-parse", "-q", "--verify", f"refs/heads/{worktree.branch}")
            if known.exit_code != 0:
                await self._git("branch", "-q", "--no-track", worktree.branch, "HEAD")
            # By force: of one that was cut off while it was made, git believes that it is still being made.
            await self._git("worktree", "add", "-q", "-f", "-f", str(worktree.directory), worktree.branch)
            if not await asyncio.to_thread(self._is_ours, key):
                raise PhaseFailed(
                    f"{self.directory} has another worktree named {key}.", hint="Remove it with git worktree remove."
                )
            await asyncio.to_thread(self._hand_out_documents, worktree)
        return worktree

    async def close_worktree(self, key: str, *, keeps_branch: bool = False) -> None:
        """Remove a worktree with everything in it.

        Raises:
            LeaseLost: another process may be at work in it.
        """
        worktree = self._worktree(key)
        await self._require_ours()
        async with self._turn:
            await finish(asyncio.to_thread(self._remove, worktree))
            if not keeps_branch:
                await self._run("branch", "-q", "-D", worktree.branch)

    async def advance(self, rebased: Rebased) -> bool:
        """Bring main and the files of the project from the commit below `rebased` to it, all or nothing; False when
        main has moved meanwhile, or somebody has changed files.

        Raises:
            PhaseFailed: git cannot write the files.
        """
        return await finish(self._advance(rebased))

    async def describe(self, message: str) -> Commit:
        """The newest commit, which has this message."""
        return await self._describe(message)

    async def mend(self, *, earlier: bool = False) -> None:
        """As any folder; with `earlier` others have had the project since, elsewhere: what is unfinished here is kept,
        but under names that nobody looks for."""
        await super().mend()
        if not self._has_repository():
            return
        await self._finish_advance()
        await self._clear_worktrees(EARLIER if earlier else "")
        if earlier:
            await self.set_aside(f"main{EARLIER}", now())
            await self._drop_branches()

    async def _advance(self, rebased: Rebased) -> bool:
        await self._run("update-index", "-q", "--refresh")
        if await self.changes() or await self.head() != rebased.onto:
            return False
        merge = ("read-tree", "-m", "-u", rebased.onto, rebased.commit)
        refused = await self._run(*merge, "--dry-run")
        if refused.exit_code != 0:
            # Somebody has changed a file in this very moment, or else that would be so for ever.
            if await self.changes():
                return False
            raise self._stuck(rebased, refused.output)
        await self._require_ours()
        await self._git("update-ref", _ADVANCING, rebased.commit)
        moved = await self._run(*merge)
        if moved.exit_code == 0:
            await self._git("update-ref", "HEAD", rebased.commit, rebased.onto)
        else:
            # Half of the item's files may be there: nobody takes them for a person's.
            await self.set_aside("merge", now())
        await self._git("update-ref", "-d", _ADVANCING, rebased.commit)
        if moved.exit_code != 0:
            raise self._stuck(rebased, moved.output)
        await self.publish()
        return True

    def _stuck(self, rebased: Rebased, output: str) -> PhaseFailed:
        return PhaseFailed(
            f"git cannot bring the files of {self.directory} to {rebased.commit[:12]}: {one_line(output, 500)}",
            hint="Have a look at the files it names, then resume; the work is kept.",
        )

    async def _finish_advance(self) -> None:
        """Do what a process could not that ended while it brought main to another commit."""
        found = await self._run("rev-parse", "-q", "--verify", f"{_ADVANCING}^{{commit}}")
        if found.exit_code != 0:
            return
        commit = found.output.strip()
        onto = (await self._git("rev-parse", f"{commit}^")).strip()
        if (head := await self.head()) in (commit, onto):
            await self._git("update-ref", "HEAD", commit, head)
            await self._git("add", "-A")
            tree = (await self._git("write-tree")).strip()
            if tree not in [(await self._git("rev-parse", f"{one}^{{tree}}")).strip() for one in (commit, onto)]:
                # Half of each, or a person's work among it.
                await self.set_aside("merge", now())
            await self._git("reset", "-q", "--hard", commit)
        await self._git("update-ref", "-d", _ADVANCING)

    async def _clear_worktrees(self, suffix: str = "") -> None:
        """Keep what is unfinished in each worktree as a patch, whose name ends so, and remove them all."""
        for key in await asyncio.to_thread(lambda: sorted(self._found())):
            worktree = self._worktree(key)
            patch: Path | None = None
            try:
                if await asyncio.to_thread(self._is_whole, worktree):
                    await asyncio.to_thread(_link, worktree)
                    await worktree.mend()
                    patch = await worktree.set_aside(f"{key}{suffix}", now())
            except PhaseFailed:
                # Nothing that anybody made is thrown away because git cannot read it.
                await asyncio.to_thread(self._move_aside, worktree)
            await self.close_worktree(key, keeps_branch=patch is not None)

    def _worktree(self, key: str) -> Worktree:
        return Worktree(self.directory, key, self._git_environment, self._still_ours)

    def _found(self) -> Iterator[str]:
        """The names of all worktrees of items, complete or not."""
        named = {folder.name for folder in self.worktrees.glob("*")} if self.worktrees.is_dir() else set()
        kept = self._repository / "worktrees"
        yield from named | {folder.name for folder in kept.glob("*") if self._is_ours(folder.name)}

    def _is_ours(self, key: str) -> bool:
        """Whether what git keeps under this name is of a worktree of an item; others belong to a person."""
        return _place(self._repository / "worktrees" / key) == self._worktree(key).directory / ".git"

    def _is_whole(self, worktree: Worktree) -> bool:
        """Whether what is in a worktree's folder is an agent's work: not what a process left that was killed while the
        worktree was made or removed. One that git knows nothing of counts, unless nothing tells that it was one."""
        if not self._is_ours(worktree.key):
            return (worktree.directory / ".git").is_file()
        return worktree.directory.is_dir() and _reason(worktree) != _UNFINISHED

    def _remove(self, worktree: Worktree) -> None:
        """Also what git would leave alone: a worktree that it was killed over, or whose files cannot be read."""
        # First: nobody takes what is half removed for an agent's work.
        is_ours = self._is_ours(worktree.key)
        with suppress(OSError):
            if is_ours:
                # On a full disk there may be no room for it; what is removed makes some.
                (worktree.kept / _LOCKED).write_text(f"{_UNFINISHED}\n")
            (worktree.directory / ".git").unlink()
        _remove_tree(worktree.directory)
        if is_ours:
            _remove_tree(worktree.kept)

    def _move_aside(self, worktree: Worktree) -> None:
        kept = self.notes / "patches" / f"{now():%Y%m%d-%H%M%S}-{worktree.key}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        worktree.directory.rename(kept)

    def _hand_out_documents(self, worktree: Worktree) -> None:
        """Agents are told to read the documents, and may not read outside of their folder."""
        there = worktree.directory / NOTES_FOLDER
        for document in (*self.notes.glob("*.md"), *(self.notes / "patches").glob(f"*-{worktree.key}.patch")):
            if document.is_file() and not document.is_symlink():
                copy = there / document.relative_to(self.notes)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(document, copy)


def _reason(worktree: Worktree) -> str:
    """Why git is to leave a worktree alone; empty when it need not."""
    try:
        return (worktree.kept / _LOCKED).read_text(errors="replace").strip()
    except OSError:
        return ""


def _link(worktree: Worktree) -> None:
    """Have the file again that tells whose worktree it is, should somebody at work there have removed it."""
    file = worktree.directory / ".git"
    if file.is_file() and not file.is_symlink():
        return
    _remove_tree(file)
    write_inside(file, f"gitdir: {worktree.kept}\n".encode())


def _place(kept: Path) -> Path | None:
    """Where the worktree lies that git keeps something of in the folder `kept`."""
    try:
        return Path((kept / "gitdir").read_text().strip())
    except (OSError, UnicodeDecodeError):
        return None


def _remove_tree(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder, onerror=_remove_anyway)


def _remove_anyway(remove: Callable[[str], Any], path: str, why: object) -> None:
    """A folder that must not be written keeps what is in it, and an agent may have made one."""
    parent = Path(path).parent
    with suppress(OSError):
        os.chmod(parent, 0o700)  # noqa: PTH101
        if Path(path).is_dir() and not Path(path).is_symlink():
            os.chmod(path, 0o700)  # noqa: PTH101
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)
