"""Keeps the state file of every project that changes here up to date, soon after each change and at each transition."""

import asyncio
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import StateFileDamaged, StateFileMissing, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import Dossier
from orchestrator_tui.engine import statefile
from orchestrator_tui.engine.bus import Bus, Subscription
from orchestrator_tui.engine.folders import EVERYWHERE, Folders
from orchestrator_tui.engine.room import is_full

logger = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=10)
"""How far back a read goes over what was read already: the clocks of two hosts may differ, and a clock may be set."""

PAUSE_PER_WRITE = 9
"""So that a project with thousands of items, whose file is large, spends no more than a tenth of its time on it."""

LONGEST_PAUSE = 5.0
"""Seconds. The transitions of phases and pipelines do not wait for it."""

AGAIN_SECONDS = 5.0
"""How long after it found the disk full a file is tried again, although nothing changes."""

_CHANGES = (
    events.ProjectCreated,
    events.ProjectImported,
    events.ProjectMoved,
    events.PipelineStatusChanged,
    events.PhaseStatusChanged,
    events.ArtifactStored,
    events.AgentFinished,
    events.WorkItemCreated,
    events.WorkItemStatusChanged,
    events.WorkItemCommented,
    events.WorkItemEdited,
    events.TrackerMoved,
    events.InputRequested,
    events.InputAnswered,
    events.InputWithdrawn,
    events.LimitSet,
    events.PrioritySet,
    events.InstructionGiven,
    events.InstructionTaken,
    events.InstructionKept,
)

Mark = tuple[int, ...]
"""What a file is recognised by: device, inode, size and the moment of its last change."""


@dataclass(slots=True)
class _Kept:
    """What is known of one project's file: the lines of its sections by id, as of `read_at`."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lines: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name in statefile.SECTIONS})
    read_at: datetime | None = None
    mark: Mark | None = None
    failing: bool = False

    def since(self, moment: datetime) -> datetime | None:
        """From when on changes are to be read; None for everything, also when the clock was set back."""
        return self.read_at - OVERLAP if self.read_at is not None and self.read_at <= moment else None


class Mirror:
    """Writes state files. An async context manager; leaving it writes what has changed until then.

    The database stays the truth: a file that cannot be written is told once in the log, until it can be again.
    """

    def __init__(self, store: Store, bus: Bus, folders: Folders = EVERYWHERE) -> None:
        self._folders = folders
        self._store = store
        self._bus = bus
        self._kept: dict[str, _Kept] = {}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._again: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._listen(), name="mirror-listens"),
            asyncio.create_task(self._follow(), name="mirror-writes"),
        ]
        # The first event must not come before somebody listens.
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was published in the last turn of the loop is taken in first.
        await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._write_changed()
        if self._again is not None:
            self._again.cancel()

    async def write(self, project_id: str) -> None:
        """Bring a project's state file up to date. Raises nothing: what goes wrong is logged."""
        kept = self._kept.setdefault(project_id, _Kept())
        async with kept.lock:
            self._changed.discard(project_id)
            # A thread that writes cannot be stopped, and the next one must not overtake it.
            await finish(self._try(project_id, kept))

    async def settled(self) -> None:
        """Wait until everything that was stored before this call is in its file, or could not be written."""
        # What was published in this turn of the loop is taken in in the next.
        await asyncio.sleep(0)
        await self._idle.wait()

    async def _listen(self) -> None:
        while True:
            with self._bus.subscription() as subscription, suppress(StoreUnavailable):
                await self._take(subscription)

    async def _take(self, subscription: Subscription) -> None:
        while True:
            item = await subscription.take()
            if item is None:
                self._changed |= self._kept.keys()
            elif isinstance(item, Recorded) and isinstance(item.event, _CHANGES):
                self._changed.add(item.project_id)
            else:
                continue
            self._idle.clear()
            self._wake.set()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._wake.is_set():
                self._idle.set()
            await self._wake.wait()
            self._wake.clear()
            began = loop.time()
            await self._write_changed()
            if not self._wake.is_set():
                self._idle.set()
            # What happens meanwhile goes into one write.
            await asyncio.sleep(min(LONGEST_PAUSE, (loop.time() - began) * PAUSE_PER_WRITE))

    async def _write_changed(self) -> None:
        for project_id in sorted(self._changed):
            if project_id in self._changed:
                await self.write(project_id)

    async def _try(self, project_id: str, kept: _Kept) -> None:
        try:
            moment = now()
            dossier = await self._store.dossier(project_id, since=kept.since(moment))
            await asyncio.to_thread(self._write, kept, dossier)
            kept.read_at = moment
        except Exception as error:
            # Whatever keeps one file from being written keeps neither the project's run nor other files.
            self._tell(project_id, kept, error)
            if is_full(error):
                self._changed.add(project_id)
                self._wake_again()
        else:
            if kept.failing:
                logger.info("the state file is written again", extra={"project": project_id})
            kept.failing = False

    def _write(self, kept: _Kept, dossier: Dossier) -> None:
        folder = self._folders.of(dossier.project)
        # Where machines have folders of their own, it is written on the one that has the project's.
        if self._folders.are_shared or folder.is_dir():
            _write(kept, dossier, folder)

    def _wake_again(self) -> None:
        if self._again is not None:
            return

        def wake() -> None:
            self._again = None
            self._wake.set()

        self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, wake)

    def _tell(self, project_id: str, kept: _Kept, error: Exception) -> None:
        if kept.failing:
            return
        kept.failing = True
        planned = isinstance(error, OSError | StoreUnavailable)
        logger.warning(
            "the state file cannot be written, so the project could not be built again without its database: %s",
            error,
            extra={"project": project_id},
            exc_info=None if planned else error,
        )


def _write(kept: _Kept, dossier: Dossier, folder: Path) -> None:
    """Take in what has changed, and write it all. Blocks on the disk."""
    for section, lines in kept.lines.items():
        if section in statefile.READ_WHOLE:
            lines.clear()
        lines.update({record.id: statefile.line_of(record) for record in getattr(dossier, section)})
    content = statefile.frame(
        dossier.project, dossier.state, {section: lines.values() for section, lines in kept.lines.items()}
    )
    if kept.mark is None or kept.mark != _mark(folder):
        _make_way(folder, dossier.project.id)
    statefile.write_state(folder, content)
    kept.mark = _mark(folder)


def _make_way(folder: Path, project_id: str) -> None:
    """Keep under another name what is no state file of this project, and remove what a crash left behind."""
    statefile.remove_drafts(folder)
    try:
        owner = statefile.read_state(folder).project.id
    except StateFileMissing:
        return
    except StateFileDamaged as error:
        reason = error.message
    else:
        if owner == project_id:
            return
        reason = f"{folder / statefile.STATE_FILE}: it belongs to another project."
    aside = statefile.set_aside(folder, now())
    logger.warning("%s It is kept as %s.", reason, aside.name, extra={"project": project_id})


def _mark(folder: Path) -> Mark | None:
    try:
        found = os.lstat(folder / statefile.STATE_FILE)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
