"""Items in the database and in `.orchestrator/work_items.json`, both kept the same; people edit the file.

Each write is a revision: first a line in the journal, then the file as a whole. What differs in the file from the
revision it names is a person's edit. An edit that cannot be used is kept under another name, and the file is written
again as it was. An item that is gone from the file is put back, as a slip must not lose work; a person who wants one
left out sets it to done.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from watchfiles import awatch

from orchestrator_tui.backends.base import TrackerContext, WorkTracker
from orchestrator_tui.backends.json_file import disk
from orchestrator_tui.backends.json_file.comparing import Known, compare
from orchestrator_tui.backends.json_file.disk import Found
from orchestrator_tui.backends.json_file.entries import Entry, entry_of, render_entry, render_file
from orchestrator_tui.backends.json_file.journal import Journal
from orchestrator_tui.backends.json_file.lock import FileLock
from orchestrator_tui.backends.json_file.reading import BadEdit, HandFile, read_hand_file
from orchestrator_tui.backends.mirrored import MirroredTracker
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import LeaseLost, StoreUnavailable
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import Comment, Project, SyncState, WorkItem
from orchestrator_tui.domain.statuses import PhaseName

FOLDER = ".orchestrator"
FILE = "work_items.json"

REFUSED = "refused"
"""The word in the name of an edit that could not be used."""

REFUSED_HINT = "The file is as it was before; put the edit right, and write it there once more."

SETTLED_SECONDS = 0.3
"""How long a file that cannot be read must rest until it is believed: an editor may be in the middle of writing it."""

TRIES = 20
"""How often the file is looked at again when somebody writes it in that moment."""

LOOK_MILLISECONDS = 2000
"""How often the file is looked at besides, for what the system does not report."""

STEP_MILLISECONDS = 100
AGAIN_SECONDS = 5.0
"""How long after a failure it is tried again, although nothing changes."""

PAUSE_PER_WRITE, LONGEST_PAUSE = 9, 5.0
"""So that a project with thousands of items spends no more than a tenth of its time on its file."""

OVERLAP = timedelta(seconds=10)
"""How far back a read of the database goes over what was read already: a clock may be set."""

logger = logging.getLogger(__name__)


class JsonTracker(MirroredTracker):
    """An async context manager is `open_tracker`; nothing is written before `initialize` or `sync`."""

    kind = "json"
    where = FILE

    def __init__(self, context: TrackerContext) -> None:
        super().__init__(context)
        self._folder = Path(context.project.directory) / FOLDER
        self._file = self._folder / FILE
        self._state = SyncState(kind=self.kind, link=str(self._file))
        self._hide = read_secrets(context.environ).mask_tokens
        self._lock = FileLock(self._file.with_suffix(".lock"))
        self._journal = Journal(self._file.with_suffix(".journal"))
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._ready = self._closed = False
        self._failing = False
        self._seen: disk.Mark | None = None
        self._written: list[str] | None = None
        self._refused: tuple[Path, str] | None = None
        self._waiting: set[str] = set()
        self._items: dict[str, WorkItem] = {}
        self._comments: dict[str, dict[str, Comment]] = {}
        self._texts: dict[str, tuple[Entry, int, str]] = {}
        self._read_at: datetime | None = None

    # The tracker

    async def initialize(self, project_id: str, project_dir: Path) -> Project:
        await self.sync(project_id)
        return await super().initialize(project_id, project_dir)

    async def get_next_work_item(self, project_id: str, phase: PhaseName) -> WorkItem | None:
        await self._look()
        return await super().get_next_work_item(project_id, phase)

    async def get_work_item(self, item_id: str) -> WorkItem:
        await self._look()
        return await super().get_work_item(item_id)

    async def sync(self, project_id: str) -> SyncState:
        await self._reconciled()
        return self._state

    async def status(self, project_id: str) -> SyncState:
        return self._state

    async def preview(self, project_id: str) -> Sequence[str]:
        await self._read()
        comments = sum(map(len, self._comments.values()))
        lines = [f"{len(self._items)} work items and {comments} comments go into {self._file}"]
        if self._file.exists():
            lines.append("the file is there already: what people changed in it since it was written is taken over")
        return lines

    async def retire(self, project_id: str) -> None:
        async with self._turn:
            self._ready = self._failing = False
            await finish(asyncio.to_thread(self._put_away))

    def changed(self, items: Sequence[WorkItem]) -> None:
        self._waiting.update(item.id for item in items)
        self._wake.set()

    # The two sides

    async def work(self) -> None:
        """Keep both sides the same until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS if self._failing else None):
                    await self._wake.wait()
            self._wake.clear()
            if not (self._ready or self._failing):
                continue
            began = loop.time()
            try:
                await self._reconciled()
            except LeaseLost:
                return
            except StoreUnavailable:
                self._wake.set()
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception as error:
                # The edge of a task: what nobody planned for keeps the file from being up to date, and nothing else.
                logger.exception("the work items' file could not be kept", extra={"project": self.project.id})
                with suppress(LeaseLost, StoreUnavailable):
                    await self.report(last_error=f"{self._file}: {type(error).__name__}: {error}")
            # What happens meanwhile goes into one write.
            await asyncio.sleep(min(LONGEST_PAUSE, (loop.time() - began) * PAUSE_PER_WRITE))

    async def watch(self) -> None:
        """Notice edits until cancelled."""
        while True:
            try:
                reports = awatch(
                    self._folder,
                    recursive=False,
                    step=STEP_MILLISECONDS,
                    rust_timeout=LOOK_MILLISECONDS,
                    yield_on_timeout=True,
                )
                async with aclosing(reports) as changes:
                    async for _ in changes:
                        if disk.mark_of(self._file) != self._seen:
                            self._wake.set()
            except (OSError, RuntimeError):
                # A machine that watches all the files it can, a folder that is gone, or a watcher (whose errors are
                # RuntimeErrors) that does not know what happened to it: `_look` still sees edits.
                await asyncio.sleep(LOOK_MILLISECONDS / 1000)

    async def close(self) -> None:
        """Write what is left to write, and give the file back."""
        try:
            if self._ready and self._waiting:
                with suppress(LeaseLost, StoreUnavailable):
                    await self._reconciled()
        finally:
            async with self._turn:
                self._ready, self._closed = False, True
                self._lock.give_back()

    async def _look(self) -> None:
        """Take in an edit that nothing has reported yet, before something is decided by the items."""
        if self._ready and disk.mark_of(self._file) != self._seen:
            await self._reconciled()

    async def _reconciled(self) -> None:
        """Bring both sides to the same state; a file that cannot be used is told in `status`.

        Raises:
            TrackerUnusable: another process holds the file.
            LeaseLost, StoreUnavailable: what people did cannot be stored.
        """
        async with self._turn:
            waiting, self._waiting = self._waiting, set()
            self._failing = True
            try:
                # The check that the project is still ours, before the file is touched.
                async with self._store.transaction():
                    pass
                await self._prepare()
                await self._reconcile()
                self._failing = False
            except OSError as error:
                self._seen = disk.mark_of(self._file)
                told = f"{self._file}: {error.strerror or error}"
                await self.report(last_error=told, pending=max(1, len(self._waiting | waiting)))
                return
            finally:
                if self._failing:
                    self._waiting |= waiting
            await self.report(last_error=self._problem(), pending=len(self._waiting), last_synced=now())

    async def _prepare(self) -> None:
        if self._ready:
            return
        if self._closed:
            # Whoever still asks the tracker of a run that has just ended would hold the file for ever.
            raise LeaseLost
        if not self._folder.parent.is_dir():
            raise FileNotFoundError(None, "the project's folder is gone")
        await asyncio.to_thread(self._folder.mkdir, exist_ok=True)
        await self._lock.take()
        await asyncio.to_thread(disk.remove_drafts, self._file)
        await asyncio.to_thread(self._journal.load)
        await self._recall()
        self._ready = True

    async def _recall(self) -> None:
        """An edit that was refused before is still told: until there is a good one, or its file is taken away."""
        kept = await self._store.sync_state(self.project.id)
        told = kept.last_error if kept is not None and kept.kind == self.kind else None
        asides = self._folder.glob(f"{self._file.stem}.{REFUSED}-*") if told else ()
        if found := next((aside for aside in asides if aside.name in str(told)), None):
            self._refused = found, str(told)
            self._state = replace(self._state, last_error=told)

    def _problem(self) -> str | None:
        return self._refused[1] if self._refused is not None and self._refused[0].exists() else None

    async def _reconcile(self) -> None:
        for _ in range(TRIES):
            found = await asyncio.to_thread(disk.read, self._file)
            await self._read()
            if found.content is not None and found.mark != self._seen:
                taken = await self._take_in_edits(found)
                if taken is None:
                    continue
                found = taken
                await self._read()
            if await self._write(found):
                return
        raise OSError(None, "it is changed all the time")

    async def _take_in_edits(self, found: Found) -> Found | None:
        """What stands in the file's place once its edits are stored; None when it is to be looked at again."""
        assert found.content is not None
        try:
            hand = await asyncio.to_thread(read_hand_file, found.content, self._hide)
            edits = compare(hand, self._known(hand))
        except BadEdit as bad:
            await asyncio.sleep(SETTLED_SECONDS)
            if disk.mark_of(self._file) == found.mark:
                await self._refuse(bad)
                return Found(None, None)
            return None
        if edits.with_ids is not None:
            mark = await self._replaced(edits.with_ids, found)
            if mark is None:
                return None
            found = Found(mark, edits.with_ids)
        await self.take_in(edits.outside)
        if edits.missing:
            await self._tell_missing(edits.missing)
        if edits.outside:
            self._refused = None
        return found

    def _known(self, hand: HandFile) -> Known:
        entries = self._entries()
        revision = hand.revision if hand.revision is not None else self._journal.latest
        if self._journal.latest:
            edited = self._journal.entries(revision)
            if edited is None:
                raise BadEdit(
                    hand.line("revision"), f"revision {revision} is none of the last ones; begin with the file"
                )
            entries = dict(edited)
        comments = frozenset(comment_id for found in self._comments.values() for comment_id in found)
        return Known(project_id=self.project.id, items=self._items, entries=entries, comments=comments)

    async def _refuse(self, bad: BadEdit) -> None:
        aside = disk.aside(self._file, REFUSED, now())
        told = f"{self._file}, line {bad.line}: {bad.reason}. Your edit is kept as {aside.name}."
        logger.warning(told, extra={"project": self.project.id})
        # Told first: an edit must not vanish from its place without a word, whenever the program ends.
        await self.report(last_error=told, hint=REFUSED_HINT)
        self._file.rename(aside)
        self._refused = aside, told

    async def _tell_missing(self, missing: Sequence[WorkItem]) -> None:
        keys = ", ".join(item.key for item in missing[:20]) + (" …" if len(missing) > 20 else "")
        are = "is" if len(missing) == 1 else "are"
        async with self._store.transaction() as unit:
            self.tell(
                unit,
                f"{keys} {are} gone from {self._file} and {'was' if len(missing) == 1 else 'were'} put back.",
                'To leave an item out, set its status to "done".',
            )

    async def _read(self) -> None:
        """Take in what has changed in the database."""
        moment = now()
        since = self._read_at - OVERLAP if self._read_at is not None and self._read_at <= moment else None
        dossier = await self._store.dossier(self.project.id, since=since)
        for item in dossier.items:
            self._items[item.id] = item
        for comment in dossier.comments:
            self._comments.setdefault(comment.work_item_id, {})[comment.id] = comment
        self._read_at = moment

    def _entries(self) -> dict[str, Entry]:
        keys = {item.id: item.key for item in self._items.values()}
        ordered = sorted(self._items.values(), key=lambda item: item.number)
        return {item.id: entry_of(item, keys) for item in ordered}

    async def _write(self, found: Found) -> bool:
        """Make the file what the database says; False when somebody wrote it in this moment."""
        entries = self._entries()
        texts = [self._text(item_id, entry) for item_id, entry in entries.items()]
        if found.mark is not None and found.mark == self._seen and texts == self._written:
            return True
        newest = self._journal.newest
        changed = {item_id: entry for item_id, entry in entries.items() if newest.get(item_id) != entry}
        revision = self._journal.latest + 1
        await finish(asyncio.to_thread(self._journal.append, revision, changed))
        mark = await self._replaced(render_file(revision, texts), found)
        if mark is None:
            return False
        self._written = texts
        return True

    async def _replaced(self, content: bytes, found: Found) -> disk.Mark | None:
        mark = await finish(asyncio.to_thread(disk.replace, self._file, content, found.mark))
        if mark is not None:
            self._seen = mark
        return mark

    def _text(self, item_id: str, entry: Entry) -> str:
        """The text of an item, made anew only when it or its comments changed; comments are never changed."""
        comments = self._comments.get(item_id, {})
        known = self._texts.get(item_id)
        if known is not None and known[:2] == (entry, len(comments)):
            return known[2]
        in_order = sorted(comments.values(), key=lambda comment: (comment.created_at, comment.id))
        text = render_entry(entry, in_order, item_id)
        self._texts[item_id] = (entry, len(comments), text)
        return text

    def _put_away(self) -> None:
        if self._file.exists():
            self._file.rename(disk.aside(self._file, "moved", now()))
        for file in (self._file.with_suffix(".journal"), self._file.with_suffix(".lock")):
            file.unlink(missing_ok=True)


@asynccontextmanager
async def open_tracker(context: TrackerContext) -> AsyncIterator[WorkTracker]:
    """The items of a project in the database and in a file of its folder."""
    tracker = JsonTracker(context)
    tasks = [
        asyncio.create_task(work(), name=f"work-items-{name}-{context.project.slug}")
        for name, work in (("kept", tracker.work), ("watched", tracker.watch))
    ]
    try:
        yield tracker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await finish(tracker.close())
