import asyncio
import errno
import logging
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator_tui.backends.database import DatabaseTracker
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.commands import LeaveNote
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine import mirror as mirroring
from orchestrator_tui.engine import statefile
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.instructions import settle, step_in
from orchestrator_tui.engine.mirror import Mirror
from orchestrator_tui.engine.statefile import STATE_FILE, read_state, render, write_state
from tests.database import samples
from tests.engine.dossiers import at_work, item


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def kept(tmp_path: Path, bus: Bus) -> AsyncIterator[SqlStore]:
    async with open_store(sqlite_url(tmp_path / "kept.db"), publish=bus.publish) as store:
        yield store


@pytest.fixture
async def demo(kept: SqlStore, tmp_path: Path) -> Project:
    folder = tmp_path / "demo"
    folder.mkdir()
    async with kept.transaction() as unit:
        return await unit.create_project(
            project_id=new_id(),
            name="Demo",
            slug="demo",
            description="An idea",
            directory=str(folder),
            rehearsal=True,
            config={"settings": {}},
        )


def folder_of(project: Project) -> Path:
    return Path(project.directory)


def names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def aside_in(folder: Path) -> Path:
    (aside,) = folder.glob(f"{STATE_FILE}.damaged-*")
    return aside


async def test_everything_that_changed_is_in_the_file_when_the_mirror_is_left(
    kept: SqlStore, bus: Bus, demo: Project
) -> None:
    folder, tracker = folder_of(demo), DatabaseTracker(kept)
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
        assert read_state(folder) == await kept.dossier(demo.id)
        (made,) = await tracker.create_work_items([samples.item(demo.id, "One")])
        await tracker.update_work_item(made.id, {"status": WorkItemStatus.IN_PROGRESS})
        await tracker.add_comment(made.id, "half\nway", author="engine")
        request = samples.approval(demo.id)
        async with kept.transaction() as unit:
            await unit.add_artifact(samples.artifact(demo.id))
            await unit.start_session(samples.session(demo.id))
            await unit.open_request(request)
            await unit.answer_request(
                request.id, content_hash=request.content_hash, choice=Choice.APPROVE, text=None, by="person"
            )
            unit.record(demo.id, events.InputWithdrawn(request_id=request.id, kind=request.kind))
    left = read_state(folder)
    assert left == await kept.dossier(demo.id)
    assert [len(section) for section in (left.items, left.comments, left.artifacts, left.requests)] == [1, 1, 1, 1]
    assert left.items[0].status is WorkItemStatus.IN_PROGRESS


async def test_words_are_in_the_file_until_an_agent_has_taken_them_in(kept: SqlStore, bus: Bus, demo: Project) -> None:
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
        for text in ("Mind the tests.", "Use tabs."):
            await step_in(kept, LeaveNote(project_id=demo.id, text=text))
        await mirror.settled()
        first, second = read_state(folder_of(demo)).instructions
        assert (first.text, second.text) == ("Mind the tests.", "Use tabs.")
        async with kept.transaction() as unit:
            await settle(unit, "agent", first)
        await mirror.settled()
        assert read_state(folder_of(demo)).instructions == (second,)


async def test_a_change_reaches_the_file_while_the_mirror_is_open(kept: SqlStore, bus: Bus, demo: Project) -> None:
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
        await DatabaseTracker(kept).create_work_items([samples.item(demo.id, "One")])
        await mirror.settled()
        assert len(read_state(folder_of(demo)).items) == 1


async def test_only_what_changed_since_the_last_write_is_read_again(
    kept: SqlStore, bus: Bus, demo: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = DatabaseTracker(kept)
    monkeypatch.setattr(mirroring, "OVERLAP", timedelta(0))
    async with Mirror(kept, bus) as mirror:
        made = await tracker.create_work_items([samples.item(demo.id, f"Item {number}") for number in range(5)])
        await mirror.write(demo.id)
        await tracker.update_work_item(made[2].id, {"status": WorkItemStatus.BLOCKED})
        await mirror.write(demo.id)
        left = read_state(folder_of(demo))
        assert left == await kept.dossier(demo.id)
        assert [item.number for item in left.items] == [1, 2, 3, 4, 5]
        assert len((await kept.dossier(demo.id, since=left.items[2].updated_at)).items) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
async def test_a_file_that_cannot_be_written_is_told_once_and_breaks_nothing(
    kept: SqlStore,
    bus: Bus,
    demo: Project,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    def refuse(folder: Path, content: bytes) -> None:
        raise OSError(number, os.strerror(number))

    caplog.set_level(logging.INFO)
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
        with monkeypatch.context() as broken:
            broken.setattr(statefile, "write_state", refuse)
            for _ in range(3):
                await mirror.write(demo.id)
            assert [record.levelname for record in caplog.records] == ["WARNING"]
            assert os.strerror(number) in caplog.records[0].getMessage()
        assert read_state(folder_of(demo)).project.id == demo.id
        await mirror.write(demo.id)
        assert caplog.records[-1].getMessage() == "the state file is written again"


async def test_a_file_that_found_the_disk_full_is_written_by_itself_once_there_is_room(
    kept: SqlStore, bus: Bus, demo: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    write_whole = statefile.write_state

    def full_at_first(folder: Path, content: bytes) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_whole(folder, content)
        written.set()

    written = threading.Event()
    monkeypatch.setattr(mirroring, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(statefile, "write_state", full_at_first)
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
        assert not folder_of(demo).joinpath(STATE_FILE).exists()
        assert await asyncio.to_thread(written.wait, 60)
    assert read_state(folder_of(demo)).project.id == demo.id


async def test_a_folder_that_is_gone_is_told_and_not_made_again(
    kept: SqlStore, bus: Bus, demo: Project, caplog: pytest.LogCaptureFixture
) -> None:
    folder_of(demo).rmdir()
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
    assert not folder_of(demo).exists()
    assert "the project folder is gone" in caplog.text


async def test_a_project_that_is_not_in_the_database_is_told_too(
    kept: SqlStore, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    async with Mirror(kept, bus) as mirror:
        await mirror.write(new_id())
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize("kind", ["text", "newer", "link", "pipe", "folder", "another project"])
async def test_what_is_no_state_file_of_the_project_is_kept_under_another_name(
    kept: SqlStore, bus: Bus, demo: Project, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    folder = folder_of(demo)
    file, secret = folder / STATE_FILE, folder.parent / "secret"
    secret.write_text("mine")
    match kind:
        case "text":
            file.write_text("{half")
        case "newer":
            file.write_text('{"version": 99}')
        case "link":
            file.symlink_to(secret)
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case _:
            write_state(folder, render(at_work(item(1))))
    before = file.lstat()
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
        await mirror.write(demo.id)
    aside = aside_in(folder)
    assert aside.lstat().st_ino == before.st_ino
    assert aside.name in caplog.text
    assert secret.read_text() == "mine"
    assert read_state(folder).project.id == demo.id


async def test_damage_done_between_two_writes_is_noticed(kept: SqlStore, bus: Bus, demo: Project) -> None:
    folder = folder_of(demo)
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
        (folder / STATE_FILE).write_text("scribbled")
        await mirror.write(demo.id)
    aside = aside_in(folder)
    assert aside.read_text() == "scribbled"
    assert read_state(folder).project.id == demo.id


async def test_drafts_that_a_crash_left_are_removed(kept: SqlStore, bus: Bus, demo: Project) -> None:
    folder = folder_of(demo)
    (folder / f".{STATE_FILE}.0123456789ab.tmp").write_text("{")
    (folder / ".other.0123456789ab.tmp").write_text("not ours")
    async with Mirror(kept, bus) as mirror:
        await mirror.write(demo.id)
    assert names_in(folder) == {STATE_FILE, ".other.0123456789ab.tmp"}


async def test_a_project_built_again_from_its_file_is_the_same(
    kept: SqlStore, store: SqlStore, bus: Bus, demo: Project
) -> None:
    tracker = DatabaseTracker(kept)
    async with Mirror(kept, bus) as mirror:
        first, _ = await tracker.create_work_items([samples.item(demo.id, "One"), samples.item(demo.id, "Two")])
        await tracker.add_comment(first.id, "a note", author="developer")
        artifact = samples.artifact(demo.id)
        async with kept.transaction() as unit:
            await unit.set_pipeline_status(demo.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
            await unit.set_pipeline_status(demo.id, PipelineStatus.RUNNING, PipelineStatus.PAUSED)
            await unit.add_artifact(artifact)
            await unit.open_request(samples.approval(demo.id, artifact_id=artifact.id))
            await unit.start_session(samples.session(demo.id, tool_calls=()))
        await mirror.write(demo.id)
    left = read_state(folder_of(demo))
    async with store.transaction() as unit:
        imported = await unit.import_project(left)
    again = await store.dossier(demo.id)
    assert replace(again, project=left.project) == left
    assert again.project.status is PipelineStatus.PAUSED
    assert (imported.id, imported.number, again.project.created_at) == (demo.id, 1, demo.created_at)
