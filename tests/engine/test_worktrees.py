import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import LeaseLost, PhaseFailed
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.process import Finished
from orchestrator_tui.engine.worktree import Worktree


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def branches(checkout: Checkout) -> list[str]:
    return git(checkout.directory, "branch", "--format=%(refname:short)").split()


def again(checkout: Checkout) -> Checkout:
    """The same folder, as another process finds it."""
    return Checkout(checkout.directory, {"PATH": os.environ["PATH"], "HOME": str(checkout.directory.parent)})


@pytest.fixture
async def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "project").mkdir()
    made = Checkout(tmp_path / "project", {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    await made.initialize()
    (made.directory / "a.txt").write_text("one\ntwo\nthree\n")
    (made.directory / ".gitignore").write_text("built/\n")
    await made.commit("first")
    return made


async def bring_in(checkout: Checkout, worktree: Worktree, message: str = "work", item: str = "item") -> str:
    head = await checkout.head()
    assert head is not None
    rebased = await worktree.rebased(await worktree.base(), head, message, item_id=item)
    assert rebased.conflicts == ()
    await worktree.stand_on(rebased)
    assert await checkout.advance(rebased)
    await worktree.brought_in(rebased)
    return rebased.commit


async def test_a_worktree_has_the_files_of_main_a_branch_of_its_own_and_the_documents(checkout: Checkout) -> None:
    checkout.write_note("architecture.md", "# Architecture\n")
    worktree = await checkout.open_worktree("TASK-1")
    assert worktree.directory == checkout.directory / ".orchestrator" / "worktrees" / "TASK-1"
    assert (worktree.directory / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert (worktree.directory / ".orchestrator" / "architecture.md").read_text() == "# Architecture\n"
    assert await worktree.changes() == ""
    assert await worktree.base() == await checkout.head()
    assert branches(checkout) == ["main", "orchestrator/TASK-1"]
    assert await checkout.changes() == ""


async def test_many_worktrees_are_made_at_once(checkout: Checkout) -> None:
    made = await asyncio.gather(*(checkout.open_worktree(f"TASK-{number}") for number in range(12)))
    assert all((worktree.directory / "a.txt").exists() for worktree in made)
    await asyncio.gather(*(checkout.close_worktree(worktree.key) for worktree in made))
    assert list(checkout.worktrees.iterdir()) == []
    assert branches(checkout) == ["main"]


async def test_work_is_brought_in_as_one_commit_on_top_of_what_others_did_meanwhile(checkout: Checkout) -> None:
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    (one.directory / "one.txt").write_text("1\n")
    (two.directory / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    git(two.directory, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qam", "of the agent itself")
    (two.directory / "two.txt").write_text("2\n")
    first = await bring_in(checkout, one, "TASK-1: One", "id-1")
    second = await bring_in(checkout, two, "TASK-2: Two", "id-2")
    assert git(checkout.directory, "log", "--format=%s").splitlines() == ["TASK-2: Two", "TASK-1: One", "first"]
    assert git(checkout.directory, "rev-parse", "HEAD^").strip() == first
    assert (await checkout.commit_of("id-1"), await checkout.commit_of("id-2")) == (first, second)
    assert sorted(file.name for file in checkout.directory.glob("*.txt")) == ["a.txt", "one.txt", "two.txt"]
    assert (checkout.directory / "a.txt").read_text().endswith("four\n")
    assert await checkout.changes() == ""
    assert not await two.has_changed(await two.base())


async def test_a_conflict_leaves_main_alone_and_both_sides_in_the_file(checkout: Checkout) -> None:
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    (one.directory / "a.txt").write_text("ONE\ntwo\nthree\n")
    (two.directory / "a.txt").write_text("eins\ntwo\nthree\n")
    head = await bring_in(checkout, one)
    rebased = await two.rebased(await two.base(), head, "TASK-2", item_id="id-2")
    assert rebased.conflicts == ("a.txt",)
    assert "CONFLICT (content): Merge conflict in a.txt" in rebased.told
    assert (two.directory / "a.txt").read_text() == "eins\ntwo\nthree\n"
    await two.stand_on(rebased)
    text = (two.directory / "a.txt").read_text()
    assert "ONE" in text
    assert "eins" in text
    assert await two.unresolved() == ["a.txt"]
    assert await two.base() == head == await checkout.head()
    (two.directory / "a.txt").write_text("ONE, eins\ntwo\nthree\n")
    (two.directory / "docs.md").write_text("Title\n=======\n\n<<<<<<< as git writes it\n")
    assert await two.unresolved() == []
    await bring_in(checkout, two)
    assert (checkout.directory / "a.txt").read_text() == "ONE, eins\ntwo\nthree\n"


async def test_what_is_left_of_a_conflict_is_found_in_a_renamed_file_and_at_the_ends_of_lines_of_others(
    checkout: Checkout,
) -> None:
    lines = "".join(f"{number}\n" for number in range(9))
    (checkout.directory / "old.txt").write_text(f"one\n{lines}")
    (checkout.directory / "crlf.txt").write_bytes(b"one\r\ntwo\r\n")
    await checkout.commit("more")
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    (one.directory / "old.txt").unlink()
    (one.directory / "new.txt").write_text(f"ONE\n{lines}")
    (two.directory / "old.txt").write_text(f"eins\n{lines}")
    (one.directory / "crlf.txt").write_bytes(b"ONE\r\ntwo\r\n")
    (two.directory / "crlf.txt").write_bytes(b"eins\r\ntwo\r\n")
    rebased = await two.rebased(await two.base(), await bring_in(checkout, one), "TASK-2", item_id="id-2")
    await two.stand_on(rebased)
    assert set(rebased.conflicts) == set(await two.unresolved()) == {"crlf.txt", "new.txt"}


async def test_a_file_that_holds_no_markers_is_as_main_has_it_and_the_other_side_is_not_lost(
    checkout: Checkout,
) -> None:
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    for worktree, data in ((one, b"\0one"), (two, b"\0two")):
        (worktree.directory / "icon.bin").write_bytes(data)
    rebased = await two.rebased(await two.base(), await bring_in(checkout, one), "TASK-2", item_id="id-2")
    await two.stand_on(rebased)
    assert (rebased.conflicts, (two.directory / "icon.bin").read_bytes()) == (("icon.bin",), b"\0one")
    assert git(two.directory, "show", f"{rebased.before}:icon.bin") == "\0two"


async def test_a_file_that_one_deletes_and_another_changes_is_a_conflict(checkout: Checkout) -> None:
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    (one.directory / "a.txt").unlink()
    (two.directory / "a.txt").write_text("eins\ntwo\nthree\n")
    rebased = await two.rebased(await two.base(), await bring_in(checkout, one), "TASK-2", item_id="id-2")
    assert rebased.conflicts == ("a.txt",)
    assert "modify/delete" in rebased.told


async def test_work_that_is_there_already_is_nothing(checkout: Checkout) -> None:
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    for worktree in (one, two):
        (worktree.directory / "same.txt").write_text("same\n")
    rebased = await two.rebased(await two.base(), await bring_in(checkout, one), "TASK-2", item_id="id-2")
    assert rebased.has_moved
    assert rebased.is_empty


async def test_main_does_not_move_over_what_a_person_has_changed(checkout: Checkout) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "a.txt").write_text("ONE\n")
    head = await checkout.head()
    assert head is not None
    rebased = await worktree.rebased(head, head, "TASK-1", item_id="id-1")
    (checkout.directory / "a.txt").write_text("by hand\n")
    assert not await checkout.advance(rebased)
    assert (checkout.directory / "a.txt").read_text() == "by hand\n"
    assert await checkout.head() == head
    await checkout.commit("by hand")
    assert not await checkout.advance(rebased)


async def test_who_lost_the_project_changes_no_file_of_it_any_more(checkout: Checkout) -> None:
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    (one.directory / "one.txt").write_text("1\n")
    (two.directory / "two.txt").write_text("2\n")
    head = await checkout.head()
    assert head is not None
    rebased = await one.rebased(head, head, "TASK-1", item_id="id-1")

    async def lost() -> None:
        raise LeaseLost

    late = Checkout(checkout.directory, checkout._git_environment, lost)
    with pytest.raises(LeaseLost):
        await late.advance(rebased)
    with pytest.raises(LeaseLost):
        await late._worktree("TASK-1").stand_on(rebased)
    with pytest.raises(LeaseLost):
        await late.set_aside_item("TASK-2", now())
    assert await checkout.head() == head
    assert git(checkout.directory, "for-each-ref", "refs/orchestrator") == ""
    assert await checkout.changes() == ""
    assert await one.head() == head
    assert (two.directory / "two.txt").exists()
    assert not (checkout.notes / "patches").exists()


async def test_files_that_git_cannot_write_are_told_and_none_is_left_half_way(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "a.txt").write_text("ONE\n")
    (worktree.directory / "new.txt").write_text("new\n")
    head = await checkout.head()
    assert head is not None
    rebased = await worktree.rebased(head, head, "TASK-1", item_id="id-1")
    run = checkout._run

    async def fails(*arguments: str, **more: Any) -> Finished:
        if arguments[0] != "read-tree" or "--dry-run" in arguments:
            return await run(*arguments, **more)
        (checkout.directory / "new.txt").write_text("new\n")
        return Finished(exit_code=128, output="error: unable to unlink old 'a.txt': Operation not permitted", seconds=0)

    monkeypatch.setattr(checkout, "_run", fails)
    with pytest.raises(PhaseFailed, match="unable to unlink old"):
        await checkout.advance(rebased)
    assert await checkout.head() == head
    assert await checkout.changes() == ""
    assert git(checkout.directory, "for-each-ref", "refs/orchestrator") == ""
    monkeypatch.undo()
    assert await checkout.advance(rebased)


async def test_what_git_refuses_although_nobody_changed_anything_is_told(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "a.txt").write_text("ONE\n")
    head = await checkout.head()
    assert head is not None
    rebased = await worktree.rebased(head, head, "TASK-1", item_id="id-1")
    (checkout.directory / "a.txt").write_text("by hand\n")

    async def nothing() -> str:
        return ""

    with monkeypatch.context() as blind:
        blind.setattr(checkout, "changes", nothing)
        with pytest.raises(PhaseFailed, match=r"a\.txt"):
            await checkout.advance(rebased)
    assert (checkout.directory / "a.txt").read_text() == "by hand\n"


async def test_two_patches_of_one_second_are_both_kept_and_the_later_is_the_newest(checkout: Checkout) -> None:
    moment = now()
    (checkout.directory / "first.txt").write_text("1\n")
    first = await checkout.set_aside("TASK-1", moment)
    (checkout.directory / "second.txt").write_text("2\n")
    second = await checkout.set_aside("TASK-1", moment)
    assert first is not None
    assert second is not None
    assert "first.txt" in first.read_text()
    assert await checkout.newest_patch("TASK-1", since=moment) == second


async def test_a_commit_from_before_is_not_that_of_an_item_which_was_asked_for_again(checkout: Checkout) -> None:
    one = await bring_in(checkout, await changed(checkout, "TASK-1"), item="id-1")
    two = await bring_in(checkout, await changed(checkout, "TASK-2"), item="id-2")
    assert await checkout.commit_of("id-1") == one
    assert await checkout.commit_of("id-1", after=one) is None
    assert await checkout.commit_of("id-1", after=two) is None
    assert await checkout.commit_of("id-2", after=one) == two
    assert await checkout.commit_of("id-1", after="1234567890" * 4) == one


async def changed(checkout: Checkout, key: str) -> Worktree:
    worktree = await checkout.open_worktree(key)
    (worktree.directory / f"{key}.txt").write_text("made\n")
    return worktree


async def test_what_is_unfinished_is_kept_with_the_agent_s_own_commits_and_fits_when_it_is_taken_up(
    checkout: Checkout,
) -> None:
    await checkout.begin_worktrees()
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    (two.directory / "a.txt").write_text("zwei\n")
    git(two.directory, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qam", "of the agent itself")
    (two.directory / "new.txt").write_text("new\n")
    patch = await checkout.set_aside_item("TASK-2", now())
    assert patch is not None
    assert checkout.shown(patch).parts[:2] == (".orchestrator", "patches")
    assert not two.directory.exists()
    assert await checkout.set_aside_item("TASK-2", now()) is None
    (one.directory / "a.txt").write_text("eins\n")
    await bring_in(checkout, one)
    again_two = await checkout.open_worktree("TASK-2")
    assert (again_two.directory / checkout.shown(patch)).read_bytes() == patch.read_bytes()
    assert await again_two.put_back(patch)
    assert (again_two.directory / "a.txt").read_text() == "zwei\n"
    assert (again_two.directory / "new.txt").read_text() == "new\n"


async def test_a_person_s_changes_are_not_taken_for_an_item_s_while_items_are_in_worktrees(checkout: Checkout) -> None:
    (checkout.directory / "a.txt").write_text("by hand\n")
    await checkout.begin_worktrees()
    assert await checkout.set_aside_item("TASK-1", now()) is None
    assert (checkout.directory / "a.txt").read_text() == "by hand\n"
    await checkout.end_worktrees()
    assert await checkout.set_aside_item("TASK-1", now()) is not None


async def test_what_a_killed_process_left_of_worktrees_is_kept_and_cleared(checkout: Checkout) -> None:
    one, two = await checkout.open_worktree("TASK-1"), await checkout.open_worktree("TASK-2")
    await checkout.open_worktree("TASK-3")
    (one.directory / "half.txt").write_text("half\n")
    (checkout.directory / ".git" / "worktrees" / "TASK-1" / "index.lock").touch()
    shutil.rmtree(two.directory)
    half_made = checkout.directory / ".git" / "worktrees" / "TASK-4"
    half_made.mkdir()
    (half_made / "gitdir").write_text(f"{checkout.worktrees / 'TASK-4' / '.git'}\n")
    (half_made / "locked").write_text("initializing\n")
    (checkout.worktrees / "TASK-5").mkdir()
    later = again(checkout)
    await later.mend()
    assert list(later.worktrees.iterdir()) == []
    assert git(later.directory, "worktree", "list", "--porcelain").count("worktree ") == 1
    (patch,) = (later.notes / "patches").iterdir()
    assert "half.txt" in patch.read_text()
    assert branches(later) == ["main", "orchestrator/TASK-1"]
    for number in range(1, 6):
        await later.open_worktree(f"TASK-{number}")
    await later.end_worktrees()
    assert not later.worktrees.exists()
    assert branches(later) == ["main"]


async def test_a_worktree_that_was_being_removed_is_not_taken_for_work(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    worktree = await checkout.open_worktree("TASK-1")

    def killed(folder: Path, **_: object) -> None:
        (Path(folder) / "a.txt").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        checkout._remove(worktree)
    monkeypatch.undo()
    await again(checkout).mend()
    assert not worktree.directory.exists()
    assert not (checkout.notes / "patches").exists()


async def test_a_worktree_that_git_was_killed_over_while_it_made_it_is_not_taken_for_work(checkout: Checkout) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.kept / "locked").write_text("initializing\n")
    (worktree.kept / "index").unlink()
    (worktree.directory / "a.txt").unlink()
    assert await checkout.set_aside_item("TASK-1", now()) is None
    await again(checkout).mend()
    assert not worktree.directory.exists()
    assert not (checkout.notes / "patches").exists()


@pytest.mark.parametrize("by_a_stop", [True, False])
async def test_work_is_kept_although_somebody_has_taken_away_what_makes_its_folder_a_worktree(
    checkout: Checkout, by_a_stop: bool
) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "half.txt").write_text("half\n")
    (worktree.directory / ".git").unlink()
    if by_a_stop:
        git(worktree.directory, "init", "-q")
        assert await checkout.set_aside_item("TASK-1", now()) is not None
    else:
        await again(checkout).mend()
    (patch,) = (checkout.notes / "patches").iterdir()
    assert "half.txt" in patch.read_text()
    assert not worktree.directory.exists()


async def test_a_worktree_that_git_cannot_read_is_moved_aside_whole(checkout: Checkout) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "half.txt").write_text("half\n")
    shutil.rmtree(checkout.directory / ".git" / "worktrees" / "TASK-1")
    await again(checkout).mend()
    (kept,) = (checkout.notes / "patches").iterdir()
    assert (kept / "half.txt").read_text() == "half\n"


async def test_a_person_s_own_worktree_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    git(checkout.directory, "worktree", "add", "-q", "-b", "mine", str(tmp_path / "TASK-7"))
    await checkout.mend()
    await checkout.end_worktrees()
    assert (tmp_path / "TASK-7" / "a.txt").exists()
    assert "mine" in branches(checkout)
    with pytest.raises(PhaseFailed, match="another worktree named TASK-7"):
        await checkout.open_worktree("TASK-7")
    assert (tmp_path / "TASK-7" / "a.txt").exists()


async def test_files_that_cannot_be_removed_just_so_are_removed(checkout: Checkout) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    locked = worktree.directory / "built" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0o500)
    await checkout.close_worktree("TASK-1")
    assert not worktree.directory.exists()


@pytest.mark.parametrize("step", ["ref", "some files", "all files", "head"])
async def test_an_advance_that_was_cut_off_is_finished(checkout: Checkout, step: str) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "a.txt").write_text("ONE\n")
    (worktree.directory / "new.txt").write_text("new\n")
    head = await checkout.head()
    assert head is not None
    rebased = await worktree.rebased(head, head, "TASK-1", item_id="id-1")
    folder = checkout.directory
    git(folder, "update-ref", "refs/orchestrator/advancing", rebased.commit)
    match step:
        case "some files":
            (folder / "a.txt").write_text("ONE\n")
            (folder / ".git" / "index.lock").touch()
        case "all files" | "head":
            git(folder, "read-tree", "-m", "-u", head, rebased.commit)
    if step == "head":
        git(folder, "update-ref", "HEAD", rebased.commit, head)
    await again(checkout).mend()
    assert await checkout.head() == rebased.commit
    assert (folder / "a.txt").read_text() == "ONE\n"
    assert (folder / "new.txt").read_text() == "new\n"
    assert await checkout.changes() == ""
    assert git(folder, "for-each-ref", "refs/orchestrator") == ""


async def test_what_a_person_changed_around_an_advance_that_was_cut_off_is_kept(checkout: Checkout) -> None:
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "new.txt").write_text("new\n")
    head = await checkout.head()
    assert head is not None
    rebased = await worktree.rebased(head, head, "TASK-1", item_id="id-1")
    await checkout.close_worktree("TASK-1")
    git(checkout.directory, "update-ref", "refs/orchestrator/advancing", rebased.commit)
    (checkout.directory / "a.txt").write_text("by hand\n")
    await again(checkout).mend()
    assert await checkout.head() == rebased.commit
    (patch,) = (checkout.notes / "patches").iterdir()
    assert "+by hand" in patch.read_text()


async def test_the_git_of_this_machine_can_merge(checkout: Checkout) -> None:
    assert await checkout.can_merge()


async def test_worktrees_of_a_project_that_was_moved_are_still_its_own(checkout: Checkout, tmp_path: Path) -> None:
    old = checkout.directory
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "a.txt").write_text("half-made\n")
    moved = Checkout(old.rename(tmp_path / "moved"), checkout._git_environment)
    await moved.take_along_worktrees(old)
    await moved.mend()
    assert not (moved.worktrees / "TASK-1").exists()
    again = await moved.open_worktree("TASK-1")
    (patch,) = (moved.notes / "patches").iterdir()
    assert await again.put_back(patch)
    assert (again.directory / "a.txt").read_text() == "half-made\n"


async def test_a_process_that_has_lost_the_project_leaves_the_files_of_its_follower_alone(checkout: Checkout) -> None:
    async def not_ours() -> None:
        raise LeaseLost

    frozen = Checkout(checkout.directory, checkout._git_environment, not_ours)
    worktree = await checkout.open_worktree("TASK-1")
    (worktree.directory / "made.txt").write_text("half of it\n")
    (checkout.directory / "made.txt").write_text("half of that\n")
    with pytest.raises(LeaseLost):
        await frozen.set_aside_item("TASK-1", now())
    with pytest.raises(LeaseLost):
        await frozen.close_worktree("TASK-1")
    with pytest.raises(LeaseLost):
        await frozen.set_aside("implement", now())
    assert (worktree.directory / "made.txt").read_text() == "half of it\n"
    assert (checkout.directory / "made.txt").read_text() == "half of that\n"
    assert branches(checkout) == ["main", "orchestrator/TASK-1"]
