import asyncio
import os
from pathlib import Path

import pytest

from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import DirectoryUnusable, LeaseLost, PhaseFailed
from orchestrator_tui.engine.workspace import Workspace


@pytest.fixture
async def workspace(tmp_path: Path) -> Workspace:
    home = tmp_path / "home"
    home.mkdir()
    project = tmp_path / "project"
    project.mkdir()
    workspace = Workspace(project, {"PATH": os.environ["PATH"], "HOME": str(home)})
    await workspace.initialize()
    return workspace


async def test_a_commit_names_its_item_and_counts_its_lines(workspace: Workspace) -> None:
    (workspace.directory / "a.txt").write_text("one\ntwo\n")
    commit = await workspace.commit("TASK-1: A file", item_id="item-1")
    assert commit is not None
    assert (commit.files, commit.insertions, commit.deletions) == (1, 2, 0)
    assert await workspace.head() == commit.hash
    assert await workspace.commit_of("item-1") == commit.hash
    assert await workspace.commit_of("item-2") is None


async def test_nothing_is_committed_once_another_process_has_the_project(workspace: Workspace) -> None:
    async def lost() -> None:
        raise LeaseLost

    (workspace.directory / "a.txt").write_text("one\n")
    late = Workspace(workspace.directory, workspace._environment, lost)
    with pytest.raises(LeaseLost):
        await late.commit("TASK-1: A file", item_id="item-1")
    assert await workspace.head() is None


async def test_nothing_to_commit_makes_no_commit(workspace: Workspace) -> None:
    assert await workspace.commit("nothing") is None
    assert await workspace.head() is None


async def test_the_engine_s_own_files_are_no_change_of_the_project(workspace: Workspace) -> None:
    workspace.write_note("requirements.md", "# Requirements\n")
    (workspace.directory / ".orchestrator_state.json").write_text("{}")
    assert await workspace.changes() == ""


async def test_changes_set_aside_can_be_had_back_from_their_patch(workspace: Workspace) -> None:
    (workspace.directory / "a.txt").write_bytes("früher\n".encode("latin-1"))
    await workspace.commit("first")
    (workspace.directory / "a.txt").write_bytes("später\n".encode("latin-1"))
    (workspace.directory / "new.bin").write_bytes(bytes(range(256)))
    patch = await workspace.set_aside("TASK-1", now())
    assert patch is not None
    assert await workspace.changes() == ""
    assert (workspace.directory / "a.txt").read_bytes() == "früher\n".encode("latin-1")
    await workspace._git("apply", str(patch))
    assert (workspace.directory / "a.txt").read_bytes() == "später\n".encode("latin-1")
    assert (workspace.directory / "new.bin").read_bytes() == bytes(range(256))


async def test_what_is_put_back_is_as_old_as_it_was(workspace: Workspace) -> None:
    (workspace.directory / "a.txt").write_text("one\n")
    await workspace.commit("first")
    (workspace.directory / "a.txt").write_text("two\n")
    (workspace.directory / "söme file.txt").write_text("new\n")
    (workspace.directory / "gone").symlink_to("nowhere")
    times = {"a.txt": 1_700_000_000_123_456_789, "söme file.txt": 1_700_000_001_000_000_001}
    for name, time in times.items():
        os.utime(workspace.directory / name, ns=(time, time))
    patch = await workspace.set_aside("TASK-1", now())
    assert patch is not None
    assert await workspace.put_back(patch)
    assert {name: (workspace.directory / name).stat().st_mtime_ns for name in times} == times
    assert (workspace.directory / "a.txt").read_text() == "two\n"
    assert (workspace.directory / "gone").is_symlink()


async def test_a_scaffold_is_put_back_although_what_it_ignored_was_left_behind(workspace: Workspace) -> None:
    (workspace.directory / ".gitignore").write_text("*.pyc\n")
    (workspace.directory / "a.py").write_text("a = 1\n")
    (workspace.directory / "a.pyc").write_text("compiled")
    patch = await workspace.set_aside("initialize", now())
    assert patch is not None
    assert (await workspace.changes()).split() == ["??", "a.pyc"]
    assert await workspace.put_back(patch)
    assert (workspace.directory / "a.py").read_text() == "a = 1\n"


async def test_what_somebody_made_meanwhile_is_not_overwritten_by_what_is_put_back(workspace: Workspace) -> None:
    (workspace.directory / "a.py").write_text("a = 1\n")
    (workspace.directory / "b.py").write_text("b = 1\n")
    patch = await workspace.set_aside("initialize", now())
    assert patch is not None
    (workspace.directory / "a.py").write_text("theirs\n")
    assert not await workspace.put_back(patch)
    assert (workspace.directory / "a.py").read_text() == "theirs\n"
    assert not (workspace.directory / "b.py").exists()


async def test_a_patch_that_somebody_wrote_changes_no_time_outside(workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("theirs\n")
    before = outside.stat().st_mtime_ns
    (workspace.directory / "a.txt").write_text("one\n")
    patch = await workspace.set_aside("TASK-1", now())
    assert patch is not None
    evil = f"# changed at 1 ../outside.txt\n# changed at 1 {outside}\n# changed at {10**30} a.txt\n"
    patch.write_text(evil + patch.read_text())
    assert await workspace.put_back(patch)
    assert outside.stat().st_mtime_ns == before


DRAFT = "a.txt.tmp.24911.43d2ddd860b7"
"""What the CLI leaves beside a file when it is killed in the middle of writing it."""


@pytest.mark.parametrize("after", ["mend", "commit", "set_aside"])
async def test_the_draft_of_a_killed_agent_gets_into_no_commit_and_no_patch(workspace: Workspace, after: str) -> None:
    (workspace.directory / "a.txt").write_text("one\n")
    await workspace.commit("first")
    (workspace.directory / "a.txt").write_text("two\n")
    (workspace.directory / "sub").mkdir()
    drafts = [workspace.directory / DRAFT, workspace.directory / "sub" / DRAFT]
    for draft in drafts:
        draft.write_text("tw")
    notes = workspace.directory / "notes.tmp.1.txt"
    notes.write_text("a person's\n")
    if after == "mend":
        await workspace.mend()
        assert notes.exists()
        assert (workspace.directory / "a.txt").read_text() == "two\n"
    elif after == "commit":
        assert await workspace.commit("second") is not None
        assert (await workspace.tree(1000)).splitlines() == ["a.txt", "notes.tmp.1.txt"]
    else:
        patch = await workspace.set_aside("TASK-1", now())
        assert patch is not None
        assert DRAFT not in patch.read_text()
    assert not any(draft.exists() for draft in drafts)


async def test_locks_and_an_index_that_a_killed_git_left_behind_do_not_keep_a_project_from_going_on(
    workspace: Workspace,
) -> None:
    repository = workspace.directory / ".git"
    (workspace.directory / "one.txt").write_text("1")
    await workspace.commit("One")
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (repository / name).touch()
    (repository / "index").write_bytes(b"half an index")
    (workspace.directory / "two.txt").write_text("2")
    await workspace.mend()
    assert (await workspace.changes()).split() == ["??", "two.txt"]
    assert await workspace.commit("Two") is not None
    assert await workspace.changes() == ""


async def test_a_lock_that_a_living_git_holds_stays(workspace: Workspace) -> None:
    lock = workspace.directory / ".git" / "index.lock"
    lock.touch()
    reader = await asyncio.create_subprocess_exec(
        *("git", "hash-object", "--stdin"),
        cwd=workspace.directory,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await workspace.mend()
        assert lock.exists()
    finally:
        await reader.communicate(b"")
    await workspace.mend()
    assert not lock.exists()


async def test_a_hook_in_the_built_repository_never_runs(workspace: Workspace) -> None:
    hook = workspace.directory / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    (workspace.directory / "a.txt").write_text("a")
    await workspace.commit("first")
    assert not (workspace.directory / "ran").exists()


async def test_a_link_in_place_of_a_note_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("mine")
    workspace.notes.mkdir()
    (workspace.notes / "requirements.md").symlink_to(outside)
    workspace.write_note("requirements.md", "new")
    assert outside.read_text() == "mine"
    assert (workspace.notes / "requirements.md").read_text() == "new"


async def test_a_long_tree_is_cut_and_says_so(workspace: Workspace) -> None:
    for number in range(100):
        (workspace.directory / f"file-{number:03}.txt").write_text("")
    tree = await workspace.tree(300)
    assert len(tree) <= 300
    assert tree.splitlines()[-1].endswith("more files")


async def test_the_history_lists_commits_with_their_item_and_their_lines(workspace: Workspace) -> None:
    assert await workspace.log(10) == []
    (workspace.directory / "a.txt").write_text("one\ntwo\n")
    (workspace.directory / "b.bin").write_bytes(bytes(range(256)))
    await workspace.commit("Scaffold\x1f of \x1e it")
    (workspace.directory / "a.txt").write_text("one\n")
    await workspace.commit("TASK-1: Less", item_id="item-1")
    newest, oldest = await workspace.log(10)
    assert (newest.subject, newest.work_item_id) == ("TASK-1: Less", "item-1")
    assert (newest.files, newest.insertions, newest.deletions) == (1, 0, 1)
    assert (oldest.work_item_id, oldest.files, oldest.insertions) == (None, 2, 2)
    assert [entry.hash for entry in await workspace.log(1)] == [newest.hash]


async def test_the_history_of_a_folder_without_a_repository_says_so(tmp_path: Path) -> None:
    bare = Workspace(tmp_path, {"PATH": os.environ["PATH"]})
    for asked in (bare.log(10), bare.difference(), bare.show("a" * 40)):
        with pytest.raises(DirectoryUnusable, match="no repository yet"):
            await asked


async def test_only_a_hash_names_a_commit(workspace: Workspace) -> None:
    with pytest.raises(PhaseFailed, match="no commit's hash"):
        await workspace.show("--output=stolen")


async def test_the_repository_s_settings_start_no_program_when_a_patch_is_shown(workspace: Workspace) -> None:
    (workspace.directory / "a.txt").write_text("one\n")
    commit = await workspace.commit("first")
    assert commit is not None
    for setting in ("diff.external", "diff.evil.textconv", "core.pager"):
        await workspace._git("config", setting, "touch ran; cat")
    await workspace._git("config", "diff.noprefix", "true")
    (workspace.directory / ".gitattributes").write_text("*.txt diff=evil\n")
    (workspace.directory / "a.txt").write_text("two\n")
    assert "+two" in await workspace.difference()
    assert "+++ b/a.txt" in await workspace.show(commit.hash)
    assert not (workspace.directory / "ran").exists()


async def test_looking_at_the_difference_shows_new_files_and_changes_nothing(workspace: Workspace) -> None:
    (workspace.directory / "a.txt").write_text("one\n")
    (workspace.directory / "gone.txt").write_text("gone\n")
    await workspace.commit("first")
    (workspace.directory / "a.txt").write_text("two\n")
    (workspace.directory / "gone.txt").unlink()
    (workspace.directory / "new file.txt").write_text("new\n")
    git = workspace.directory / ".git"
    before = sorted(str(path) for path in git.rglob("*")), (git / "index").read_bytes()
    patch = await workspace.difference()
    assert {"-one", "+two", "-gone", "+new"} <= set(patch.splitlines())
    assert (sorted(str(path) for path in git.rglob("*")), (git / "index").read_bytes()) == before


async def test_before_the_first_commit_changed_files_are_named(workspace: Workspace) -> None:
    (workspace.directory / "a.txt").write_text("one\n")
    assert await workspace.difference() == "?? a.txt"
