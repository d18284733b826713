"""What keeps a project's folder in step with those of other machines, which a run goes through: nothing to do where all
share it; else the repository that the workers share (`GitSync`)."""

import asyncio
import logging
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import DirectoryUnusable, OrchestratorError, RemoteUnavailable
from orchestrator_tui.domain.records import Artifact, Lease, SessionLog
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.folders import is_outdated
from orchestrator_tui.engine.remote import Remote, Standing
from orchestrator_tui.engine.repository import verified_commit

PATCHES = "patches"
BASES = "bases"
WORK = "work"
_HASH = re.compile(r"[0-9a-f]{40,64}")

logger = logging.getLogger(__name__)


class Sync:
    """Of a folder that every process sees.

    Attributes:
        is_elsewheres: whether others have had the project since it was in this folder.
    """

    is_elsewheres = False

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout

    async def take_up(self) -> None:
        """Have the folder as its project is now. Only for whoever has its lease, once its leftovers are ended.

        Raises:
            RemoteUnavailable: what others have done cannot be known.
            LeaseLost: somebody else has the project by now.
            DirectoryUnusable: what the database knows of the project is not to be had here.
        """
        await self._checkout.mend()

    async def step_in(self, *, was_at_work: bool) -> None:
        """As `take_up`, for whoever only puts in order what an owner left that is gone; the folder need not be here."""
        await self._checkout.mend()

    async def leave(self) -> None:
        """Whoever goes on with the project, wherever that is, finds it as it is here. Raises nothing."""

    def has_lost(self, session: SessionLog) -> bool:
        """Whether what a session left uncommitted is not here, unless it was set aside in time."""
        return False

    def is_outdated(self, document: Artifact) -> bool:
        """Whether a document's file may be older than what is stored of it."""
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What is written into a push's commit.

    Attributes:
        left: whether its owner left the project in order; nothing of it was anywhere else then.
        lost: the highest number of a session whose uncommitted work may be nowhere.
        work: the name of the patch with changes that were in the files, when its owner left.
    """

    left: bool = False
    lost: int = 0
    work: str = ""

    def text(self, owner: str, epoch: int) -> str:
        """The commit's message."""
        fields = f"Left: {'yes' if self.left else 'no'}\nLost-Sessions: {self.lost}\nWork: {self.work}\n"
        return f"Pushed by {owner}, epoch {epoch}\n\n{fields}"

    @classmethod
    def of(cls, message: str) -> "Note":
        fields = dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
        lost = fields.get("Lost-Sessions", "")
        return cls(
            left=fields.get("Left") == "yes",
            lost=int(lost) if lost.isdecimal() else 0,
            work=Path(fields.get("Work", "").strip()).name,
        )


class GitSync(Sync):
    """Of a folder that this machine alone sees: main, and patches of what is unfinished, go through a remote.

    Each push is one commit of the lease's own line: its files are the patches, its message is a `Note`. Whoever moved
    it last may push again. Whoever takes the project reads it first, then makes sure by the database that the project
    is theirs, and moves it then: so nobody can take it from somebody who followed them.
    """

    def __init__(
        self,
        checkout: Checkout,
        remote: Remote,
        store: Store,
        lease: Lease,
        still_ours: Callable[[], Awaitable[None]],
    ) -> None:
        """`store` writes only while the lease holds, and `still_ours` raises `LeaseLost` once it does not."""
        super().__init__(checkout)
        self._remote = remote
        self._store = store
        self._owned = lease
        self._still_ours = still_ours
        self._turn = asyncio.Lock()
        self._standing: Standing | None = None
        self._note = Note()
        self._pushed: tuple[str | None, str] | None = None
        self._tree: tuple[object, str] | None = None

    async def take_up(self) -> None:
        checkout, remote = self._checkout, self._remote
        state = await self._store.pipeline_state(self._owned.project_id)
        verified = verified_commit(state.last_successful_step)
        await remote.open()
        stands = await remote.look()
        if stands.main is not None:
            await checkout.initialize()
        await remote.fetch(stands)
        self.is_elsewheres = not await remote.is_newest(stands.lease)
        before = await self._note_of(stands.lease)
        await checkout.mend(earlier=self.is_elsewheres)
        is_replaced = await self._stand_on(stands.main, verified)
        if self.is_elsewheres and stands.lease is not None:
            await self._bring_along(stands.lease)
        await self._put_back(before)
        lost = before.lost
        if is_replaced or (self.is_elsewheres and not before.left):
            lost = await self._newest_session()
        self._note = Note(lost=lost)
        await self._take(stands, await self._kept(), await checkout.head())
        checkout.publish = self._publish

    async def step_in(self, *, was_at_work: bool) -> None:
        if not was_at_work:
            # Nothing is unfinished, and what lies in the folder may be of an earlier life.
            return
        try:
            if await asyncio.to_thread((self._checkout.directory / ".git").is_dir):
                await self.take_up()
            else:
                await self._take_without_folder()
        except (RemoteUnavailable, DirectoryUnusable) as error:
            # A stop is not kept up by that; it is told once the project is to go on.
            logger.warning("%s", error.line())

    async def leave(self) -> None:
        if self._standing is None:
            return
        try:
            work = await self._checkout.copy_changes(WORK, now())
            self._note = Note(left=True, lost=self._note.lost, work=work.name if work else "")
            await self._push(await self._kept(), await self._checkout.head())
        except OrchestratorError as error:
            logger.warning("what is unfinished stays on this machine alone: %s", error.line())

    def has_lost(self, session: SessionLog) -> bool:
        return session.session_number <= self._note.lost

    def is_outdated(self, document: Artifact) -> bool:
        # A person may have edited it on a machine that has no such file.
        return self.is_elsewheres or is_outdated(self._checkout.directory / (document.file_path or ""), document)

    # To the remote

    async def _publish(self) -> None:
        head, tree = await self._checkout.head(), await self._kept()
        if self._pushed != (head, tree):
            await self._push(tree, head)

    async def _take(self, stands: Standing, tree: str, head: str | None) -> None:
        """Become the one who pushes, if nobody else has become it since the remote was looked at."""
        # After that look: whoever followed us before it is seen in the database now, and after it the push fails.
        await self._still_ours()
        self._standing = stands
        await self._push(tree, head)

    async def _push(self, tree: str, head: str | None) -> None:
        async with self._turn:
            assert self._standing is not None
            over, main = self._standing.lease, self._standing.main
            text = self._note.text(self._owned.owner, self._owned.epoch)
            parents = ("-p", over) if over else ()
            lease = await self._remote.made("commit-tree", tree, *parents, "-m", text)
            await self._remote.push(lease, over=over, main=head if head != main else None)
            self._standing = Standing(main=head or main, lease=lease)
            self._pushed = (head, tree)

    async def _kept(self) -> str:
        """The tree of what is kept besides main: the patches, and what those of worktrees were begun on."""
        bases = await self._checkout.bases()
        patches = await asyncio.to_thread(self._patches)
        known = (patches, tuple(sorted(bases.items())))
        if self._tree is None or self._tree[0] != known:
            self._tree = (known, await self._written([Path(path) for path, *_ in patches], bases))
        return self._tree[1]

    def _patches(self) -> tuple[tuple[str, int, int], ...]:
        found = sorted((self._checkout.notes / PATCHES).glob("*.patch"))
        files = [(str(file), file.stat()) for file in found if file.is_file() and not file.is_symlink()]
        return tuple((path, seen.st_size, seen.st_mtime_ns) for path, seen in files)

    async def _written(self, patches: list[Path], bases: Mapping[str, str]) -> str:
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            listed = Path(folder) / BASES
            lines = "".join(f"{key} {commit}\n" for key, commit in sorted(bases.items()))
            await asyncio.to_thread(listed.write_text, lines)
            files = {f"{PATCHES}/{patch.name}": patch for patch in patches} | {BASES: listed}
            words = ("hash-object", "-w", "--no-filters", "--", *(str(file) for file in files.values()))
            hashes = _HASH.findall(await self._remote.git(*words))
            entries = [f"100644,{blob},{path}" for path, blob in zip(files, hashes, strict=True)]
            apart = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            added = [word for entry in entries for word in ("--cacheinfo", entry)]
            await self._remote.git("update-index", "--add", *added, environment=apart)
            return await self._remote.made("write-tree", environment=apart)

    # From the remote

    async def _stand_on(self, main: str | None, verified: str | None) -> bool:
        """Bring the folder to what is on the remote's main, but for what was only not pushed yet; whether commits of
        this machine gave way to others.

        Raises:
            DirectoryUnusable: a commit that counts is not among them.
        """
        checkout, remote = self._checkout, self._remote
        head = await checkout.head()
        is_replaced = False
        if main is not None and head != main and not (head and await remote.is_ancestor(main, head)):
            is_replaced = head is not None and not await remote.is_ancestor(head, main)
            if is_replaced and verified and not await remote.is_ancestor(verified, main):
                raise self._lacking(verified, f"{remote.address} has other commits and lacks", "Bring both together")
            await checkout.adopt(main)
            head = main
        if verified and not (head and await remote.is_ancestor(verified, head)):
            where = f"neither this folder nor {remote.address} has"
            raise self._lacking(verified, where, "Have it run once where its folder is")
        return is_replaced

    def _lacking(self, commit: str, where: str, what: str) -> DirectoryUnusable:
        hint = f"{what}, or put a backup in its place; then resume."
        return DirectoryUnusable(self._checkout.directory, f"{where} the project's commit {commit[:12]}", hint=hint)

    async def _note_of(self, lease: str | None) -> Note:
        if lease is None:
            return Note()
        return Note.of(await self._remote.git("log", "-1", "--format=%B", lease))

    async def _bring_along(self, lease: str) -> None:
        """Have here what is kept besides main."""
        listed = await self._remote.git("ls-tree", "-r", "-z", lease)
        folder = self._checkout.notes / PATCHES
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        for line in listed.split("\0"):
            facts, _, path = line.partition("\t")
            if path == BASES:
                text = await self._remote.git("cat-file", "blob", facts.split()[2])
                await self._checkout.set_bases(dict(base.split(" ", 1) for base in text.splitlines()))
            elif path.startswith(f"{PATCHES}/"):
                target = folder / Path(path).name
                if not await asyncio.to_thread(target.exists):
                    await self._remote.copy(facts.split()[2], target)

    async def _put_back(self, before: Note) -> None:
        """Have changes in the files again that were in them when the project was left; they may still be there."""
        if not before.work:
            return
        patch = self._checkout.notes / PATCHES / before.work
        if not self.is_elsewheres or await self._checkout.put_back(patch):
            await asyncio.to_thread(patch.unlink, missing_ok=True)

    async def _take_without_folder(self) -> None:
        await self._remote.open()
        stands = await self._remote.look()
        if stands.lease is None:
            return
        await self._remote.fetch(Standing(main=None, lease=stands.lease))
        self._note = Note(lost=await self._newest_session())
        tree = await self._remote.made("rev-parse", f"{stands.lease}^{{tree}}")
        await self._take(stands, tree, None)
        # There is nothing here to be left in order.
        self._standing = None

    async def _newest_session(self) -> int:
        newest = 0
        while page := await self._store.list_sessions(self._owned.project_id, after=newest, limit=1000):
            newest = page[-1].session_number
        return newest
