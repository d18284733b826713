"""The project's folder as a git repository, and the engine's own files in it."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import DirectoryUnusable, DiskFull, FolderGone, PhaseFailed
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import CommitEntry, WorkItem
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine import process, room
from orchestrator_tui.engine.statefile import STATE_FILE, write_inside

NOTES_FOLDER = ".orchestrator"
TRAILER = "Work-Item"
PHASE_TRAILER = "Phase"
GIT_TIMEOUT = 120.0
OUTPUT = 4 * 1024 * 1024
LONGEST_NOTE = 1024 * 1024
"""Bytes of a document that is read back."""
_TIME = "# changed at "
_QUIET = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "commit.gpgSign=false",
    "-c", "gc.auto=0",
    "-c", "advice.detachedHead=false",
    "-c", "log.showSignature=false",
    "-c", "safe.directory=*",
    # A commit that the database knows must be on the disk, too.
    "-c", "core.fsync=committed,reference,index",
)  # fmt: skip
# An agent can write the repository's own settings: none of them may start a program or bend the form.
_PATCH = (
    "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "--stat", "--patch",
)  # fmt: skip
# Neither a message nor a name can hold a NUL.
_ENTRY = f"%x00%H%x00%aI%x00%an%x00%s%x00%(trailers:key={TRAILER},valueonly,separator=%x2C)%x00"
_FINISHED = f"%H %(trailers:key={TRAILER},valueonly,separator=%x2C)"
_HASH = re.compile(r"[0-9a-fA-F]{4,64}")
# The CLI writes a file beside its name first: `NAME.tmp.PROCESS.RANDOM`. Killed in the middle, it leaves that there.
_DRAFT = re.compile(r".+\.tmp\.[0-9]+\.[0-9a-f]{12}", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A commit the engine made."""

    hash: str
    message: str
    files: int
    insertions: int
    deletions: int

    def made(self, item: WorkItem | None = None) -> events.CommitMade:
        """The event of it."""
        return events.CommitMade(
            commit=self.hash,
            message=self.message,
            work_item_id=item.id if item else None,
            files=self.files,
            insertions=self.insertions,
            deletions=self.deletions,
        )


class Workspace:
    """A folder that agents work in. Every git call has hooks and signing switched off: the repository is not trusted.

    Whatever writes raises `DiskFull` when there is no room left. Before something is committed, and before unfinished
    work is taken out of the files, `still_ours` is asked, which raises `LeaseLost` when another process has the project
    by now: git checks no lease. What was committed is handed to `publish` before anybody is told of it.
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
        self.directory = directory
        self._still_ours = still_ours
        self.publish: Callable[[], Awaitable[None]] = nothing_to_publish
        self.project = project or directory
        self._repository = repository or directory / ".git"
        self._environment = {
            **environment,
            # Named outright: without its own repository git would take the one the folder happens to lie in.
            "GIT_DIR": str(self._repository),
            "GIT_WORK_TREE": str(directory),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C.UTF-8",
        }

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

    def _has_repository(self) -> bool:
        return self._repository.is_dir() and not self._repository.is_symlink()

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

    async def head(self) -> str | None:
        """The newest commit's hash; None before the first commit."""
        finished = await self._run("rev-parse", "-q", "--verify", "HEAD")
        return finished.output.strip() if finished.exit_code == 0 else None

    async def has(self, commit: str) -> bool:
        """Whether a commit is in the repository, if there is one."""
        if not _HASH.fullmatch(commit) or not self._has_repository():
            return False
        return (await self._run("cat-file", "-e", f"{commit}^{{commit}}")).exit_code == 0

    async def changes(self) -> str:
        """What differs from the last commit, a line a file (git's short status); empty when nothing does."""
        return (await self._git("status", "--porcelain", "--untracked-files=all")).rstrip()

    async def has_changed(self, since: str | None) -> bool:
        """Whether anything was changed since commit `since` (None: since the last one), in the files or by commits that
        somebody else made."""
        return bool(await self.changes()) or (since is not None and await self.head() != since)

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

    async def phase_commit(self, phase: str) -> Commit | None:
        """The newest commit, if it is the one that keeps the work of `phase`."""
        if await self.head() is None:
            return None
        form = f"%(trailers:key={PHASE_TRAILER},valueonly,separator=%x2C)%x00%s"
        named, _, subject = (await self._git("log", "-1", f"--format={form}")).rstrip("\n").partition("\0")
        return await self._describe(subject) if named == phase else None

    async def commit_of(self, item_id: str) -> str | None:
        """The commit that finished a work item, if there is one."""
        if await self.head() is None:
            return None
        found = await self._git("log", "-1", "--format=%H", "--fixed-strings", f"--grep={TRAILER}: {item_id}")
        return found.strip() or None

    async def finished_items(self) -> Mapping[str, str]:
        """The newest commit of every work item that a commit names as finished, by the item's id.

        Raises:
            PhaseFailed: git cannot read the repository.
        """
        if not (self.directory / ".git").exists() or await self.head() is None:
            return {}
        listed = await self._git("log", "--reverse", "--no-color", f"--format={_FINISHED}")
        named = (line.partition(" ") for line in listed.splitlines())
        return {item: commit for commit, _, items in named for item in items.split(",") if item}

    async def count(self) -> int:
        """How many commits there are."""
        return 0 if await self.head() is None else int(await self._git("rev-list", "--count", "HEAD"))

    async def show(self, commit: str) -> str:
        """What a commit changed, as a patch; its middle is left out when it is very long.

        Raises:
            PhaseFailed: there is no such commit.
            DirectoryUnusable: the folder or its repository is gone.
        """
        if not _HASH.fullmatch(commit):
            raise PhaseFailed(f"{one_line(commit, 60)!r} is no commit's hash.")
        self._require_repository()
        return await self._git("show", *_PATCH, "--format=%h %s%n%an, %aI%n", commit, "--")

    async def log(self, limit: int) -> list[CommitEntry]:
        """The newest commits, the newest first, with their counts of lines.

        Raises:
            DirectoryUnusable: the folder or its repository is gone.
        """
        self._require_repository()
        if await self.head() is None:
            return []
        listed = await self._git("log", f"--max-count={limit}", "--no-color", "--numstat", f"--format={_ENTRY}")
        parts = listed.split("\0")[1:]
        return [_entry(*parts[at : at + 6]) for at in range(0, len(parts) - 5, 6)]

    async def difference(self) -> str:
        """What differs from the last commit right now, as a patch, new files and all.

        Raises:
            DirectoryUnusable: the folder or its repository is gone.
        """
        self._require_repository()
        if await self.head() is None:
            return await self.changes()
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            apart = await asyncio.to_thread(self._index_apart, Path(folder))
            await self._git("add", "--all", "--intent-to-add", environment=apart)
            return await self._git("diff", *_PATCH, "HEAD", "--", environment=apart)

    def _require_repository(self) -> None:
        if not (self.directory / ".git").exists():
            raise DirectoryUnusable(self.directory, "there is no repository yet", hint="The initialize phase makes it.")

    def _index_apart(self, folder: Path) -> Mapping[str, str]:
        """Makes git use a copy of the index, so that looking changes nothing that somebody at work there relies on."""
        index, objects = self._repository / "index", folder / "objects"
        objects.mkdir()
        if index.exists():
            # With its time: by it git tells which files it has to read, those of the second in which it was written.
            shutil.copy2(index, folder / "index")
        return {
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.project / ".git" / "objects"),
        }

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

    async def _require_ours(self) -> None:
        if self._still_ours is not None:
            await self._still_ours()

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
        patch = self.notes / "patches" / f"{moment:%Y%m%d-%H%M%S}-{name}.patch"
        patch.parent.mkdir(parents=True, exist_ok=True)
        changed = await self._git("diff", "--cached", "--name-only", "-z", *against, environment=environment)
        times = await asyncio.to_thread(self._times_of, changed.split("\0"))
        await self._write_patch(patch, times, "diff", "--cached", "--binary", *against, environment=environment)
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

    async def tree(self, limit: int) -> str:
        """The files of the project, a path a line, at most `limit` characters."""
        listed = await self._git("ls-files", "--cached", "--others", "--exclude-standard")
        lines = sorted(set(listed.splitlines()))
        shown: list[str] = []
        size = 0
        for line in lines:
            size += len(line) + 1
            if size > limit - 40:
                shown.append(f"… and {len(lines) - len(shown)} more files")
                break
            shown.append(line)
        return "\n".join(shown)

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

    async def _describe(self, message: str) -> Commit:
        shown = await self._git("show", "--numstat", "--format=%H", "HEAD")
        first, *rest = shown.splitlines()
        counts = [line.split("\t") for line in rest if line]
        return Commit(
            hash=first,
            message=message,
            files=len(counts),
            insertions=sum(int(added) for added, _, _ in counts if added.isdigit()),
            deletions=sum(int(deleted) for _, deleted, _ in counts if deleted.isdigit()),
        )

    async def _identity(self) -> tuple[str, ...]:
        """A committer for machines where nobody told git who they are."""
        if (await self._run("config", "user.email")).exit_code == 0:
            return ()
        return ("-c", "user.name=orchestrator-tui", "-c", "user.email=orchestrator-tui@localhost")

    async def _git(
        self,
        *arguments: str,
        environment: Mapping[str, str] = MappingProxyType({}),
        into: BinaryIO | None = None,
    ) -> str:
        finished = await self._run(*arguments, environment=environment, into=into)
        if finished.exit_code != 0:
            what = next(word for word in arguments if word != "-c" and "=" not in word)
            reason = finished.output.strip()[:500] or f"it ended with {finished.exit_code}"
            raise PhaseFailed(f"git {what} failed in {self.directory}: {reason}")
        return finished.output

    async def _run(
        self,
        *arguments: str,
        environment: Mapping[str, str] = MappingProxyType({}),
        into: BinaryIO | None = None,
    ) -> process.Finished:
        try:
            # Cut short, git leaves a lock behind that keeps it from ever working again.
            finished = await finish(
                process.run(
                    ["git", *_QUIET, *arguments],
                    directory=self.directory,
                    environment={**self._environment, **environment},
                    timeout=GIT_TIMEOUT,
                    head=OUTPUT,
                    tail=OUTPUT,
                    into=into,
                )
            )
        except OSError as error:
            raise PhaseFailed(f"git could not be started in {self.directory}: {error.strerror or error}.") from error
        if finished.exit_code != 0 and room.tells_of_full_disk(finished.output):
            raise DiskFull(self.directory)
        return finished


def require_folder(directory: Path) -> None:
    """Raises FolderGone when there is no such folder."""
    if not directory.is_dir():
        raise FolderGone(directory)


async def nothing_to_publish() -> None:
    """For a folder that nobody else needs to know of."""


def with_trailers(message: str, *, item_id: str | None = None, phase: str | None = None) -> str:
    """A commit's message that says what the commit is for."""
    trailers = [f"{name}: {value}\n" for name, value in ((TRAILER, item_id), (PHASE_TRAILER, phase)) if value]
    return "\n".join([f"{message}\n", *trailers])


def _entry(commit: str, at: str, author: str, subject: str, item_id: str, counted: str) -> CommitEntry:
    counts = [line.split("\t", 2) for line in counted.split("\n") if line.count("\t") >= 2]
    return CommitEntry(
        hash=commit,
        subject=subject,
        author=author,
        at=datetime.fromisoformat(at),
        work_item_id=item_id.strip() or None,
        files=len(counts),
        insertions=sum(int(added) for added, *_ in counts if added.isdigit()),
        deletions=sum(int(deleted) for _, deleted, *_ in counts if deleted.isdigit()),
    )


def _is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def verified(commit: str | None) -> str:
    """The step text that remembers a green commit; `verified_commit` reads it."""
    return f"verified {commit or ''}".strip()


def verified_commit(step: str) -> str | None:
    """The commit in a step text, if it holds one."""
    word, _, commit = step.partition(" ")
    return commit if word == "verified" and commit else None
