"""The project's folder while somebody works in it: commits, changes that are set aside, the engine's own files."""

import asyncio
import os
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from orchestrator_tui.domain.errors import DirectoryUnusable, DiskFull, FolderGone, PhaseFailed
from orchestrator_tui.engine import process, room
from orchestrator_tui.engine.repository import Commit, Repository, with_trailers
from orchestrator_tui.engine.statefile import STATE_FILE, write_inside

NOTES_FOLDER = ".orchestrator"
LONGEST_NOTE = 1024 * 1024
"""Bytes of a document that is read back."""
_TIME = "# changed at "
# The CLI writes a file beside its name first: `NAME.tmp.PROCESS.RANDOM`. Killed in the middle, it leaves that there.
_DRAFT = re.compile(r".+\.tmp\.[0-9]+\.[0-9a-f]{12}", re.DOTALL)


class Workspace(Repository):
    """A folder that agents work in.

    Whatever writes raises `DiskFull` when there is no room left. Before something is committed, or files of the folder
    are changed, `still_ours` is asked, which raises `LeaseLost` when another process has the project by now: git checks
    no lease. What was committed is handed to `publish` before anybody is told of it.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        still_ours: Callable[[], Awaitable[None]] | None = None,
        *,
        project: Path | None = None,
        repository: Path | None = None,
    ) -> None:
        """`project` is the project's own folder, `repository` what git keeps of `directory`, where that is another."""
        super().__init__(directory, environment, project=project, repository=repository)
        self._still_ours = still_ours
        self.publish: Callable[[], Awaitable[None]] = nothing_to_publish

    async def initialize(self) -> None:
        """Make the folder a repository on branch `main` that does not see the engine's own files."""
        if not (self.directory / ".git").exists():
            await self._git("init", "-q", "-b", "main")
        exclude = self.directory / ".git" / "info" / "exclude"
        lines = exclude.read_text().splitlines() if exclude.exists() else []
        missing = [
            line for line in (f"/{NOTES_FOLDER}/", f"/{STATE_FILE}*", f"/.{STATE_FILE}.*.tmp") if line not in lines
        ]
        if missing:
            exclude.parent.mkdir(parents=True, exist_ok=True)
            exclude.write_text("\n".join([*lines, *missing]) + "\n")

    async def check(self, verified: str | None) -> None:
        """Refuse a folder that is not the project's any more; `verified` is a commit it must hold.

        Raises:
            DirectoryUnusable: the folder, its repository or that commit is gone.
        """
        require_folder(self.directory)
        if verified is not None and (await self._run("cat-file", "-e", f"{verified}^{{commit}}")).exit_code != 0:
            raise DirectoryUnusable(
                self.directory,
                f"the project's repository is gone or is another one: it has no commit {verified[:12]}",
                hint="Put the project's .git folder back. If it is lost, its files can go on in a new repository: "
                f"orchestrator-tui import {self.directory} --new-repository",
            )

    async def mend(self) -> None:
        """Take away what a git or an agent that was killed, or a power cut, left behind: locks that nobody holds, an
        index that cannot be read, drafts of files. Only for whoever owns the project, once its leftovers are ended."""
        if not self._has_repository():
            return
        await asyncio.to_thread(self._remove_stale_locks, self._repository)
        looked = await self._run("ls-files")
        if looked.exit_code != 0 and "index" in looked.output:
            await asyncio.to_thread((self._repository / "index").unlink, missing_ok=True)
            await self._run("reset", "-q")
        await self._remove_drafts()

    async def _remove_drafts(self) -> None:
        """Remove what an agent that was killed in the middle of writing a file left beside it. Only while no agent is
        at work in the folder."""
        listed = await self._run("ls-files", "-z", "--others", "--exclude-standard")
        drafts = [path for path in listed.output.split("\0") if _DRAFT.fullmatch(path)] if listed.exit_code == 0 else []
        for draft in drafts:
            with suppress(OSError):
                await asyncio.to_thread((self.directory / draft).unlink)

    def _remove_stale_locks(self, repository: Path) -> None:
        locks = [*repository.glob("*.lock"), *(repository / "refs").rglob("*.lock")]
        if locks and not process.runs_in("git", self.directory):
            for lock in locks:
                with suppress(OSError):
                    lock.unlink()

    async def commit(
        self, message: str, *, item_id: str | None = None, phase: str | None = None, since: str | None = None
    ) -> Commit | None:
        """Commit everything; None when nothing has changed since commit `since` (None: since the last one). Where
        others have committed it all, an empty commit says what for. `item_id` and `phase` go into trailers."""
        await self._remove_drafts()
        await self._git("add", "-A")
        if not await self.has_changed(since):
            # A person may have committed it.
            await self.publish()
            return None
        await self._require_ours()
        text = with_trailers(message, item_id=item_id, phase=phase)
        await self._git(*await self._identity(), "commit", "-q", "--no-verify", "--allow-empty", "-m", text)
        await self.publish()
        return await self._describe(message)

    async def _require_ours(self) -> None:
        """Raises LeaseLost when another process has the project by now."""
        if self._still_ours is not None:
            await self._still_ours()

    async def set_aside(self, name: str, moment: datetime) -> Path | None:
        """Keep uncommitted changes as a patch in the notes folder and go back to the last commit.

        Returns the patch's path, or None when there was nothing to keep.

        Raises:
            LeaseLost: they may be those of another process.
        """
        if not (self.directory / ".git").exists():
            return None
        await self._require_ours()
        await self._remove_drafts()
        if not await self.changes():
            return None
        # What is half written here is not known to be half when it is put back.
        self.require_room()
        await self._git("add", "-A")
        head = await self.head()
        patch = await self._changes_as_patch(name, moment, head)
        if head:
            await self._git("reset", "-q", "--hard", head)
        else:
            await self._git("rm", "-r", "-q", "-f", ".")
        return patch

    async def copy_changes(self, name: str, moment: datetime) -> Path | None:
        """As `set_aside`, but the files stay as they are."""
        if not (self.directory / ".git").exists() or not await self.changes():
            return None
        self.require_room()
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            apart = await asyncio.to_thread(self._index_apart, Path(folder))
            await self._git("add", "-A", environment=apart)
            return await self._changes_as_patch(name, moment, await self.head(), apart)

    async def _changes_as_patch(
        self, name: str, moment: datetime, head: str | None, environment: Mapping[str, str] = MappingProxyType({})
    ) -> Path:
        """What the index has and commit `head` has not, as a patch in the notes folder."""
        against = [head] if head else []
        patch = self._free_patch(name, moment)
        patch.parent.mkdir(parents=True, exist_ok=True)
        changed = await self._git("diff", "--cached", "--name-only", "-z", *against, environment=environment)
        times = await asyncio.to_thread(self._times_of, changed.split("\0"))
        await self._write_patch(patch, times, "diff", "--cached", "--binary", *against, environment=environment)
        return patch

    def _free_patch(self, name: str, moment: datetime) -> Path:
        """A name that sorts by time; two of the same second are both kept."""
        while (patch := self.notes / "patches" / f"{moment:%Y%m%d-%H%M%S}-{name}.patch").exists():
            moment += timedelta(seconds=1)
        return patch

    async def newest_patch(self, name: str, *, since: datetime) -> Path | None:
        """The newest patch that was set aside under `name`, unless it is older."""
        folder, oldest = self.notes / "patches", f"{since:%Y%m%d-%H%M%S}"

        def look() -> Path | None:
            found = sorted(file for file in folder.glob(f"*-{name}.patch") if file.name[: len(oldest)] >= oldest)
            return found[-1] if found else None

        return await asyncio.to_thread(look)

    def _times_of(self, paths: Sequence[str]) -> str:
        """The times of files, a line each, as they stand in front of a patch: an agent that goes on is told by its CLI
        that somebody has changed a file when it is newer than what the agent has read."""
        lines = []
        for path in paths:
            with suppress(OSError):
                if path and "\n" not in path:
                    lines.append(f"{_TIME}{(self.directory / path).lstat().st_mtime_ns} {path}\n")
        return "".join(lines)

    def _restore_times(self, patch: Path) -> None:
        with patch.open("rb") as file:
            for line in file:
                number, _, path = line.decode(errors="replace").removeprefix(_TIME).rstrip("\n").partition(" ")
                if not line.startswith(_TIME.encode()):
                    return
                target = self.directory / path
                if number.isdecimal() and ".." not in Path(path).parts and target.is_relative_to(self.directory):
                    with suppress(OSError, OverflowError):
                        os.utime(target, ns=(int(number), int(number)), follow_symlinks=False)

    async def _write_patch(
        self, patch: Path, times: str, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Written by git itself: a text file in another encoding than UTF-8 keeps its bytes. Not by its `--output`,
        which ends well although the disk is full."""
        try:
            with patch.open("wb") as file:
                file.write(times.encode(errors="surrogateescape"))
                file.flush()
                await self._git(*arguments, environment=environment, into=file)
                # The next step throws away what is in it.
                await asyncio.to_thread(os.fsync, file.fileno())
        except BaseException:
            await asyncio.to_thread(patch.unlink, missing_ok=True)
            raise

    def is_full(self) -> bool:
        """Whether there is hardly any room left."""
        try:
            self.require_room()
        except DiskFull:
            return True
        return False

    def require_room(self) -> None:
        """Raises DiskFull when there is hardly any room left."""
        room.require_room(self.directory)

    async def put_back(self, patch: Path) -> bool:
        """Apply changes that were set aside; False, and nothing changed, when they do not fit any more."""
        if not await asyncio.to_thread(_is_plain_file, patch):
            return False
        # All of it or nothing: a file that somebody has changed or made meanwhile stays as it is.
        if (await self._run("apply", "--whitespace=nowarn", str(patch))).exit_code != 0:
            return False
        await asyncio.to_thread(self._restore_times, patch)
        return True

    @property
    def notes(self) -> Path:
        """The folder of the engine's documents inside the project."""
        return self.project / NOTES_FOLDER

    def shown(self, kept: Path) -> Path:
        """The path of something in the notes folder, as agents and people of the project know it."""
        return kept.relative_to(self.project) if kept.is_relative_to(self.project) else kept

    def write_note(self, name: str, text: str) -> str:
        """Write a document into the notes folder; returns its path inside the project.

        Raises:
            PhaseFailed: the folder cannot be written.
        """
        try:
            write_inside(self.notes / name, text.encode())
        except OSError as error:
            if room.is_full(error):
                raise DiskFull(self.directory) from error
            raise PhaseFailed(
                f"{self.notes} cannot be written: {error.strerror or error}.",
                hint="Make the folder writable, or make room on its disk; then try again.",
            ) from error
        return f"{NOTES_FOLDER}/{name}"

    def read_note(self, name: str) -> str | None:
        """A document of the notes folder; None when it is missing, no plain file, too long or no text."""
        file = self.notes / name
        try:
            if self.notes.is_symlink() or not _is_plain_file(file) or file.stat().st_size > LONGEST_NOTE:
                return None
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None


def require_folder(directory: Path) -> None:
    """Raises FolderGone when there is no such folder."""
    if not directory.is_dir():
        raise FolderGone(directory)


async def nothing_to_publish() -> None:
    """For a folder that nobody else needs to know of."""


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
