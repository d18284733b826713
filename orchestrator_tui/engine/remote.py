"""The bare repository that the workers of a project share: what stands in it, what is fetched from and pushed to it."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import DiskFull, LeaseLost, PhaseFailed, RemoteUnavailable
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine import process, room

MAIN = "refs/heads/main"
LEASE = "refs/orchestrator/lease"
"""Names the commit of the newest push. Each push moves it from what its owner pushed last, together with main or not at
all, so that nobody pushes any more whom somebody has followed."""

TRIES = (0.5, 2.0)
"""Seconds before a failed exchange is tried again."""
_PROTOCOLS = "file:git:ssh:https:http"
_SAID = 600
OUTPUT = 4 * 1024 * 1024
_QUIET = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "commit.gpgSign=false",
    "-c", "push.gpgSign=false",
    "-c", "push.followTags=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "fetch.recurseSubmodules=false",
    "-c", "core.fsync=committed,reference",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The commits that main and the lease stand on in the remote; None where there is none."""

    main: str | None
    lease: str | None


class Remote:
    """Speaks to the remote from a repository of the engine's own, the *relay*, which borrows the project's objects
    alone: agents can write the settings of the project's, and git would start programs that they name there.
    Credentials are git's own affair: it asks the agents and helpers of whoever runs this, and never a person.
    """

    def __init__(
        self, address: str, relay: Path, repository: Path, environment: Mapping[str, str], *, timeout: float
    ) -> None:
        """`repository` is the project's own `.git`, whether it is there yet or not; `timeout` is in seconds."""
        self.address = address
        self._relay = relay
        self._objects = repository / "objects"
        self._environment = {
            **environment,
            "GIT_DIR": str(relay),
            "GIT_TERMINAL_PROMPT": "0",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
            "GIT_AUTHOR_NAME": "orchestrator-tui",
            "GIT_AUTHOR_EMAIL": "orchestrator-tui@localhost",
            "GIT_COMMITTER_NAME": "orchestrator-tui",
            "GIT_COMMITTER_EMAIL": "orchestrator-tui@localhost",
            "LC_ALL": "C.UTF-8",
        }
        self._timeout = timeout

    async def open(self) -> None:
        """Make the relay, or make it anew when it cannot be relied on. Only for whoever owns the project here."""
        if await asyncio.to_thread(self._relay.exists) and not await self._can_be_used():
            await asyncio.to_thread(shutil.rmtree, self._relay)
        await asyncio.to_thread(self._relay.parent.mkdir, parents=True, exist_ok=True)
        await self.git("init", "-q", "--bare", str(self._relay))

    async def _can_be_used(self) -> bool:
        """Not without what it borrows, which may be gone with the project's folder."""
        if not await asyncio.to_thread(self._objects.is_dir):
            return False
        await asyncio.to_thread(_remove_locks, self._relay, 0.0)
        listed = await self._run("for-each-ref", "--format=%(refname)")
        return listed.exit_code == 0 and all([await self.has(name) for name in listed.output.split()])

    async def look(self) -> Standing:
        """What stands in the remote. A bare repository is made when the remote is to be in a folder.

        Raises:
            RemoteUnavailable: it cannot be read.
        """
        if self._folder is not None:
            await self._make(self._folder)
        told = await self._exchanged("ls-remote", "-q", self.address, MAIN, LEASE)
        lines = (line.partition("\t") for line in told.splitlines())
        stands = {name: commit for commit, _, name in lines}
        return Standing(main=stands.get(MAIN), lease=stands.get(LEASE))

    async def fetch(self, standing: Standing) -> None:
        """Have the commits of `standing` here, in the project's repository once there is one.

        Raises:
            RemoteUnavailable: they cannot be fetched.
        """
        wanted = {ref: commit for ref, commit in ((MAIN, standing.main), (LEASE, standing.lease)) if commit}
        if all([await self.has(commit) for commit in wanted.values()]):
            return
        words = ("fetch", "-q", "--no-tags", "--no-write-fetch-head", self.address)
        await self._exchanged(*words, *wanted, into_project=True)
        for ref, commit in wanted.items():
            if not await self.has(commit):
                raise self._unavailable(f"{ref} has changed while it was fetched")

    async def has(self, commit: str) -> bool:
        """Whether a commit is here."""
        return (await self._run("cat-file", "-e", f"{commit}^{{commit}}")).exit_code == 0

    async def is_ancestor(self, commit: str, of: str) -> bool:
        """Whether `commit` is `of`, or comes before it; no, too, where one of them is not here."""
        return (await self._run("merge-base", "--is-ancestor", commit, of)).exit_code == 0

    async def is_newest(self, lease: str | None) -> bool:
        """Whether nobody has pushed since this relay did; so it is, too, when nobody ever has."""
        return lease is None or await self.is_ancestor(lease, LEASE)

    async def push(self, lease: str, *, over: str | None, main: str | None) -> None:
        """Move the lease to the commit `lease` from `over`, and main to the commit `main` if one is given.

        Raises:
            LeaseLost: somebody else has moved the lease; nothing was pushed.
            RemoteUnavailable: the remote cannot be written.
        """
        # Before it is pushed: whatever becomes of this process, what it pushed is known to be of this machine.
        await self.git("update-ref", LEASE, lease)
        refs = [f"{lease}:{LEASE}"] + ([f"{main}:{MAIN}"] if main else [])
        expected = f"--force-with-lease={LEASE}:{over or ''}"
        said = ""
        for wait in (*TRIES, None):
            pushed = await self._run("push", "-q", "--atomic", "--no-verify", expected, self.address, *refs)
            if pushed.exit_code == 0:
                break
            said = pushed.output or self._silence
            # The answer alone may have been lost.
            stands = await self.look()
            if stands.lease == lease:
                break
            if stands.lease != over:
                raise LeaseLost("Somebody else has pushed to the project's repository as its owner.")
            if wait is None:
                raise self._unavailable(said)
            await asyncio.to_thread(self._remove_old_locks)
            await asyncio.sleep(wait)
        if main:
            # What the next fetch need not bring again.
            await self.git("update-ref", MAIN, main)

    async def git(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """What git says in the relay.

        Raises:
            PhaseFailed: it failed.
        """
        finished = await self._run(*arguments, environment=environment)
        if finished.exit_code != 0:
            if room.tells_of_full_disk(finished.output):
                raise DiskFull(self._relay)
            raise PhaseFailed(f"git {arguments[0]} failed in {self._relay}: {one_line(finished.output, _SAID)}")
        return finished.output

    async def made(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """The hash of what git makes, or finds."""
        # Whatever it warns of comes first.
        return (await self.git(*arguments, environment=environment)).split()[-1]

    async def copy(self, blob: str, target: Path) -> None:
        """Write what a blob holds into a file that is not there yet.

        Raises:
            PhaseFailed: git cannot read it.
            OSError: it cannot be written.
        """
        draft = target.with_name(f".{target.name}.draft")
        try:
            with draft.open("wb") as file:
                finished = await self._run("cat-file", "blob", blob, into=file)
            if finished.exit_code != 0:
                raise PhaseFailed(f"git cat-file failed in {self._relay}: {one_line(finished.output, _SAID)}")
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path | None:
        """The remote as a folder; None when it is anything else."""
        return Path(self.address) if self.address.startswith("/") else None

    async def _make(self, folder: Path) -> None:
        """Make a bare repository, unless it is there. Whole, or not at all: others may be about to make it, too."""
        if await asyncio.to_thread(folder.exists):
            return
        if not await asyncio.to_thread(folder.parent.is_dir):
            raise self._unavailable(f"there is no folder {folder.parent} on this machine")
        draft = folder.with_name(f".{folder.name}.{new_id()}")
        made = await self._run("init", "-q", "--bare", "-b", "main", str(draft), own=False)
        if made.exit_code == 0:
            # What it has taken counts, so it must be on its disk.
            given = ("config", "--file", str(draft / "config"), "core.fsync", "committed,reference")
            made = await self._run(*given, own=False)
        if made.exit_code != 0:
            raise self._unavailable(made.output)
        try:
            await asyncio.to_thread(draft.rename, folder)
        except OSError as error:
            await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
            if not await asyncio.to_thread(folder.exists):
                raise self._unavailable(error.strerror or str(error)) from error

    async def _exchanged(self, *arguments: str, into_project: bool = False) -> str:
        """What git says that speaks to the remote."""
        said = ""
        for wait in (*TRIES, None):
            finished = await self._run(*arguments, into_project=into_project)
            if finished.exit_code == 0:
                return finished.output
            said = finished.output or self._silence
            if wait is not None:
                await asyncio.sleep(wait)
        raise self._unavailable(said)

    @property
    def _silence(self) -> str:
        return f"it did not answer within {self._timeout:g} s"

    def _unavailable(self, said: str) -> RemoteUnavailable:
        return RemoteUnavailable(self.address, one_line(said.strip(), _SAID))

    def _remove_old_locks(self) -> None:
        """A git that was killed in a folder on this machine or another has left its locks there."""
        if self._folder is not None:
            _remove_locks(self._folder, 2 * self._timeout)

    async def _run(
        self,
        *arguments: str,
        own: bool = True,
        into_project: bool = False,
        environment: Mapping[str, str] | None = None,
        into: BinaryIO | None = None,
    ) -> process.Finished:
        """Git in the relay, which is not cut short: whoever is at the other end would be left in the middle."""
        given = {**self._environment, **(environment or {})}
        if own:
            given |= await asyncio.to_thread(self._objects_for, into_project)
        else:
            del given["GIT_DIR"]
        try:
            return await finish(
                process.run(
                    ["git", *_QUIET, *arguments],
                    directory=self._relay.parent,
                    environment=given,
                    timeout=self._timeout,
                    head=OUTPUT,
                    tail=OUTPUT,
                    into=into,
                )
            )
        except OSError as error:
            raise PhaseFailed(
                f"git could not be started in {self._relay.parent}: {error.strerror or error}."
            ) from error

    def _objects_for(self, into_project: bool) -> Mapping[str, str]:
        """Where git looks for objects, and where new ones go."""
        places = [str(self._relay / "objects")]
        if self._objects.is_dir():
            places.append(str(self._objects))
        if into_project:
            places.reverse()
        return {"GIT_OBJECT_DIRECTORY": places[0], "GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join(places[1:])}


def _remove_locks(repository: Path, seconds: float) -> None:
    """Remove locks that are older than that."""
    for lock in (*repository.glob("*.lock"), *(repository / "refs").rglob("*.lock")):
        with suppress(OSError):
            if time.time() - lock.stat().st_mtime >= seconds:
                lock.unlink()
