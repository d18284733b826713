import os
from pathlib import Path

import pytest

from orchestrator_tui.domain.clock import now
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
