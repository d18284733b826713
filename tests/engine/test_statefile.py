import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from orchestrator_tui.domain.errors import StateFileDamaged, StateFileMissing
from orchestrator_tui.domain.records import Comment, Dossier
from orchestrator_tui.engine import statefile
from orchestrator_tui.engine.statefile import STATE_FILE, read_state, render, write_state
from tests.engine.dossiers import NOON, at_work, dossiers, id_of, item
from tests.unprivileged import readable_folder, unprivileged

Change = Callable[[dict[str, Any]], Any]


@given(dossier=dossiers())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_what_was_written_is_what_is_read(tmp_path: Path, dossier: Dossier) -> None:
    write_state(tmp_path, render(dossier))
    assert read_state(tmp_path) == dossier
    assert [entry.name for entry in tmp_path.iterdir()] == [STATE_FILE]


def put(folder: Path, change: Change) -> None:
    document = json.loads(render(at_work(item(1), item(2, dependencies=(id_of(101),)))))
    change(document)
    (folder / STATE_FILE).write_text(json.dumps(document))


def refusal(folder: Path) -> str:
    with pytest.raises(StateFileDamaged) as refused:
        read_state(folder)
    assert refused.value.file == folder / STATE_FILE
    return refused.value.reason


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_told_with_its_place(tmp_path: Path, share: float) -> None:
    content = render(at_work(item(1)))
    (tmp_path / STATE_FILE).write_bytes(content[: int(len(content) * share) - 2])
    assert "it is not JSON" in refusal(tmp_path)
    assert "line" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b'{"version": 2, "a": NaN}', "it is not JSON"),
        (b'{"version": 2, "a": ' + b"[" * 100_000, "recursion limit"),
        (b"[1, 2]", "an object was expected"),
        (b"{}", "its version is missing"),
        (b'{"version": true}', "its version is missing"),
        (b'{"version": "2"}', "its version is missing"),
        (b'{"version": 1}', "holds too little"),
        (b'{"version": 99}', "a newer program wrote it"),
        (b'{"version": 2}', "project: field required; state: field required"),
    ],
)
def test_what_is_no_state_file_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / STATE_FILE).write_bytes(content)
    assert reason in refusal(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["items"][1].update(number="2"), "items 2 number: "),
        (lambda d: d["items"][0].update(status="nearly"), "items 1 status: "),
        (lambda d: d["items"][0].update(priority=5), "a priority is out of range"),
        (lambda d: d["items"][0].update(number=2**40), "items 1 number: the number is too large"),
        (lambda d: d["items"][0].update(number=2), "items: a number is used twice"),
        (lambda d: d["items"][0].update(id="../../etc"), "items 1 id: it is no id"),
        (lambda d: d["items"][1].update(id=id_of(101)), "items: an id is used twice"),
        (lambda d: d["items"][0].update(project_id=id_of(9)), "items: one belongs to another project"),
        (lambda d: d["items"][0].update(dependencies=[id_of(9)]), "which does not exist"),
        (lambda d: d["items"][0].update(dependencies=[id_of(102)]), "in a circle"),
        (lambda d: d["items"].append("text"), "items 3: "),
        (lambda d: d.update(items={}), "items: "),
        (lambda d: d["state"]["phases"].pop("deploy"), "state phases: some are missing"),
        (lambda d: d["state"]["phases"]["deploy"].update(phase="testing"), "the name of another"),
        (lambda d: d["state"]["phases"]["deploy"].update(seconds=1e400), "not JSON"),
        (lambda d: d["state"].update(status="paused"), "state status: it is not that of the project"),
        (lambda d: d["state"].update(heartbeat="2026-05-01T12:00:00"), "state heartbeat: the time has no zone"),
        (lambda d: d["project"].update(config=[]), "project config: "),
        (lambda d: d["project"].pop("slug"), "project slug: field required"),
        (lambda d: d["project"].update(created_at=5), "project created_at: "),
        (
            lambda d: d["comments"].append(
                {
                    "id": id_of(1),
                    "work_item_id": id_of(9),
                    "author": "a",
                    "content": "c",
                    "created_at": NOON.isoformat(),
                }
            ),
            "comments: one is about an item that is not here",
        ),
    ],
)
def test_a_record_that_could_not_be_stored_is_refused_with_its_place(
    tmp_path: Path, change: Change, reason: str
) -> None:
    put(tmp_path, change)
    assert reason in refusal(tmp_path)


def test_a_number_beyond_all_numbers_is_refused(tmp_path: Path) -> None:
    content = render(at_work()).replace(b'"seconds":0.0', b'"seconds":1e400', 1)
    (tmp_path / STATE_FILE).write_bytes(content)
    assert "the number is not finite" in refusal(tmp_path)


def test_many_problems_are_counted(tmp_path: Path) -> None:
    put(tmp_path, lambda d: d["items"][0].clear())
    assert "; and 1 more" in refusal(tmp_path)


def test_no_file_at_all_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(StateFileMissing):
        read_state(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(render(at_work()))
    (tmp_path / STATE_FILE).symlink_to(tmp_path / "elsewhere")
    assert refusal(tmp_path) == "it is a link"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / STATE_FILE)
    assert refusal(tmp_path) == "it is no regular file"


def test_a_pipe_that_took_the_place_of_a_file_just_now_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(tmp_path, render(at_work()))
    before = (tmp_path / STATE_FILE).lstat()
    (tmp_path / STATE_FILE).unlink()
    os.mkfifo(tmp_path / STATE_FILE)
    monkeypatch.setattr(Path, "lstat", lambda self: before)
    assert refusal(tmp_path) == "it is no regular file"


def test_a_folder_or_a_huge_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).mkdir()
    assert refusal(tmp_path) == "it is no regular file"
    (tmp_path / STATE_FILE).rmdir()
    with (tmp_path / STATE_FILE).open("wb") as sparse:
        sparse.truncate(statefile.LARGEST + 1)
    assert "it is larger than 100,000,000 bytes" in refusal(tmp_path)


def test_a_file_that_may_not_be_read_is_told() -> None:
    with readable_folder() as folder:
        write_state(folder, render(at_work()))
        (folder / STATE_FILE).chmod(0)
        with unprivileged():
            assert "it cannot be read: Permission denied" in refusal(folder)


def test_writing_does_not_follow_a_link_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / STATE_FILE).symlink_to(outside)
    write_state(folder, render(at_work()))
    assert outside.read_text() == "mine"
    (folder / STATE_FILE).chmod(0o644)
    write_state(folder, render(at_work(item(1))))
    assert stat.S_IMODE((folder / STATE_FILE).stat().st_mode) == 0o600
    assert len(read_state(folder).items) == 1


class PowerCut(BaseException):
    """The machine is off: nothing of what would follow happens."""


class Disk:
    """Stands before the functions of `os` that a write uses; the power fails before the call `fails_at`."""

    def __init__(self, fails_at: int) -> None:
        self._left = fails_at
        self.off = False

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            self._left -= 1
            self.off = self.off or self._left < 0
            if self.off:
                raise PowerCut
            return function(*given, **named)

        return called


STEPS = ("open", "fdopen", "fsync", "read_bytes", "replace", "unlink", "open", "fsync", "close")
REPLACED = STEPS.index("replace")


@pytest.mark.parametrize("step", range(len(STEPS) + 1))
def test_a_power_cut_at_any_step_leaves_the_old_or_the_new_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    old, new = at_work(item(1)), at_work(item(1), item(2))
    write_state(tmp_path, render(old))
    disk = Disk(step)
    with monkeypatch.context() as wrapped:
        for name in ("open", "fdopen", "fsync", "close"):
            wrapped.setattr(os, name, disk.before(getattr(os, name)))
        for name in ("read_bytes", "replace", "unlink"):
            wrapped.setattr(Path, name, disk.before(getattr(Path, name)))
        with suppress(PowerCut):
            write_state(tmp_path, render(new))
        finished = not disk.off
    assert read_state(tmp_path) == (old if step <= REPLACED else new)
    assert finished == (step == len(STEPS))
    write_state(tmp_path, render(new))
    statefile.remove_drafts(tmp_path)
    assert read_state(tmp_path) == new
    assert [entry.name for entry in tmp_path.iterdir()] == [STATE_FILE]


def test_what_is_damaged_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    names = set()
    for text in ("one", "two", "three"):
        (tmp_path / STATE_FILE).write_text(text)
        aside = statefile.set_aside(tmp_path, NOON)
        assert aside.read_text() == text
        names.add(aside.name)
    assert names == {f"{STATE_FILE}.damaged-20260501T120000Z{end}" for end in ("", "-2", "-3")}


def test_each_record_has_a_line_of_its_own() -> None:
    comment = Comment(id=id_of(1), work_item_id=id_of(101), author="engine", content="a\nb", created_at=NOON)
    dossier = at_work(item(1), item(2))
    lines = render(Dossier(project=dossier.project, state=dossier.state, items=dossier.items, comments=(comment,)))
    assert sum(line.startswith(b'{"id"') for line in lines.splitlines()) == 3
