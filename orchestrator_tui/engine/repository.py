"""A project's git repository as it is read; it is not trusted."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import DirectoryUnusable, DiskFull, PhaseFailed
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import CommitEntry, WorkItem
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine import process, room

TRAILER = "Work-Item"
PHASE_TRAILER = "Phase"
GIT_TIMEOUT = 120.0
OUTPUT = 4 * 1024 * 1024
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


class Repository:
    """What git knows of a folder. Every call has hooks, signing and whatever else starts programs switched off.

    Raises `DiskFull` where git had no room left, `PhaseFailed` where it could not do what was asked.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        *,
        project: Path | None = None,
        repository: Path | None = None,
    ) -> None:
        """`project` is the project's own folder, `repository` what git keeps of `directory`, where that is another."""
        self.directory = directory
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

    def _has_repository(self) -> bool:
        return self._repository.is_dir() and not self._repository.is_symlink()

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

    async def phase_commit(self, phase: str) -> Commit | None:
        """The newest commit, if it is the one that keeps the work of `phase`."""
        if await self.head() is None:
            return None
        form = f"%(trailers:key={PHASE_TRAILER},valueonly,separator=%x2C)%x00%s"
        named, _, subject = (await self._git("log", "-1", f"--format={form}")).rstrip("\n").partition("\0")
        return await self._describe(subject) if named == phase else None

    async def commit_of(self, item_id: str, *, after: str | None = None) -> str | None:
        """The commit that finished a work item, if there is one that does not lie before `after`."""
        if await self.head() is None:
            return None
        is_known = after and (await self._run("cat-file", "-e", f"{after}^{{commit}}")).exit_code == 0
        since = [f"^{after}"] if is_known else []
        grep = f"--grep={TRAILER}: {item_id}"
        found = await self._git("log", "-1", "--format=%H", "--fixed-strings", grep, "HEAD", *since)
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


def verified(commit: str | None) -> str:
    """The step text that remembers a green commit; `verified_commit` reads it."""
    return f"verified {commit or ''}".strip()


def verified_commit(step: str) -> str | None:
    """The commit in a step text, if it holds one."""
    word, _, commit = step.partition(" ")
    return commit if word == "verified" and commit else None
