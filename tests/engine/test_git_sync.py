import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import DirectoryUnusable, LeaseLost, RemoteUnavailable
from orchestrator_tui.domain.records import Lease, SessionLog
from orchestrator_tui.engine.checkout import Checkout
from orchestrator_tui.engine.remote import LEASE, Remote
from orchestrator_tui.engine.repository import verified
from orchestrator_tui.engine.sync import GitSync
from tests.database.samples import session

ITEM = "1b4e28ba-2fa1-4d2a-883f-0016d3cca427"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@dataclass
class Shared:
    """What the machines share: the database, as far as it is asked, and the remote."""

    address: Path
    sessions: int = 0
    verified: str | None = None
    owner: str = ""

    async def pipeline_state(self, project_id: str) -> "Shared":
        return self

    @property
    def last_successful_step(self) -> str:
        return verified(self.verified)

    async def list_sessions(self, project_id: str, *, after: int = 0, limit: int = 200) -> Sequence[SessionLog]:
        return [numbered(number) for number in range(after + 1, self.sessions + 1)]


def numbered(number: int) -> SessionLog:
    return replace(session("project"), session_number=number)


@dataclass
class Machine:
    root: Path
    shared: Shared
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.root.name
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        return self.root / "workspace" / "demo"

    def lose(self) -> None:
        shutil.rmtree(self.root)
        self.folder.mkdir(parents=True)

    async def taken(self) -> "Owner":
        """The project, taken by a process of this machine."""
        owner = Owner(self)
        await owner.sync.take_up()
        return owner


class Owner:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        environment = {"PATH": os.environ["PATH"], "HOME": str(machine.root)}
        shared = machine.shared
        shared.owner = machine.name
        self.checkout = Checkout(machine.folder, environment, self.still_ours)
        relay = machine.root / "sync" / "project.git"
        remote = Remote(str(shared.address), relay, machine.folder / ".git", environment, timeout=60)
        lease = Lease(project_id="project", owner=machine.name, epoch=1)
        self.sync = GitSync(self.checkout, remote, cast(Store, shared), lease, self.still_ours)

    async def still_ours(self) -> None:
        if self.machine.shared.owner != self.machine.name:
            raise LeaseLost

    def write(self, name: str, text: str = "text\n") -> None:
        (self.checkout.directory / name).write_text(text)

    def files(self) -> set[str]:
        return {file.name for file in self.checkout.directory.iterdir() if not file.name.startswith(".")}

    async def commit(self, name: str) -> str:
        """A commit with a file of this name, which counts."""
        if not (self.checkout.directory / ".git").exists():
            await self.checkout.initialize()
        self.write(name)
        commit = await self.checkout.commit(name, item_id=ITEM)
        assert commit is not None
        self.machine.shared.verified = commit.hash
        return commit.hash

    @property
    def patches(self) -> list[str]:
        return sorted(patch.name[16:] for patch in (self.checkout.notes / "patches").glob("*"))


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    (tmp_path / "remote").mkdir()
    return Shared(tmp_path / "remote" / "demo-1b4e28ba.git")


@pytest.fixture
def one(tmp_path: Path, shared: Shared) -> Machine:
    return Machine(tmp_path / "one", shared)


@pytest.fixture
def two(tmp_path: Path, shared: Shared) -> Machine:
    return Machine(tmp_path / "two", shared)


def remote_main(shared: Shared) -> list[str]:
    return git(shared.address, "log", "--format=%s", "main").split()


async def test_what_is_committed_is_in_the_remote_and_comes_to_a_machine_that_has_nothing(
    one: Machine, two: Machine
) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    commit = await first.commit("b.txt")
    assert remote_main(one.shared) == ["b.txt", "a.txt"]
    one.lose()
    second = await two.taken()
    assert await second.checkout.head() == commit
    assert (second.files(), await second.checkout.changes()) == ({"a.txt", "b.txt"}, "")
    await second.commit("c.txt")
    assert remote_main(one.shared) == ["c.txt", "b.txt", "a.txt"]


async def test_an_owner_that_wakes_up_after_it_was_followed_pushes_nothing(one: Machine, two: Machine) -> None:
    frozen = await one.taken()
    await frozen.commit("a.txt")
    follower = await two.taken()
    # It had asked for its right just before it was frozen.
    one.shared.owner = one.name
    with pytest.raises(LeaseLost):
        await frozen.commit("late.txt")
    one.shared.owner = two.name
    await follower.commit("b.txt")
    assert remote_main(one.shared) == ["b.txt", "a.txt"]


async def test_nobody_takes_the_remote_from_an_owner_that_followed_them(one: Machine, two: Machine) -> None:
    slow = Owner(one)

    class Between:
        """Has looked at the remote, and asks for its right while another takes the project."""

        async def __call__(self) -> None:
            self.follower = await two.taken()

    between = slow.sync._still_ours = Between()
    with pytest.raises(LeaseLost):
        await slow.sync.take_up()
    await between.follower.commit("a.txt")
    # Whoever looks only now sees by the database that it is not theirs.
    late = Owner(one)
    one.shared.owner = two.name
    with pytest.raises(LeaseLost):
        await late.sync.take_up()
    await between.follower.commit("b.txt")


async def test_what_is_unfinished_goes_along_when_the_project_is_left_in_order(one: Machine, two: Machine) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    first.write("b.txt", "half\n")
    patch = await first.checkout.set_aside("TASK-1", now())
    assert patch is not None
    await first.checkout.set_bases({"TASK-2": one.shared.verified or ""})
    first.write("c.txt", "in the files\n")
    one.shared.sessions = 3
    await first.sync.leave()
    second = await two.taken()
    assert (second.files(), second.patches) == ({"a.txt", "c.txt"}, ["TASK-1.patch"])
    assert await second.checkout.bases() == {"TASK-2": one.shared.verified}
    assert not second.sync.has_lost(numbered(3))
    assert await second.checkout.put_back(second.checkout.notes / "patches" / patch.name)
    assert (second.checkout.directory / "b.txt").read_text() == "half\n"
    assert second.sync.is_elsewheres


async def test_of_a_machine_that_is_lost_its_sessions_are_told_what_is_not_there(one: Machine, two: Machine) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    first.write("b.txt", "half\n")
    one.shared.sessions = 3
    second = await two.taken()
    assert second.files() == {"a.txt"}
    assert second.sync.has_lost(numbered(3))
    assert not second.sync.has_lost(numbered(4))
    # So it stays, whoever has the project next, until they begin anew.
    again = await two.taken()
    assert (again.sync.is_elsewheres, again.sync.has_lost(numbered(3))) == (False, True)
    await again.sync.leave()
    third = await one.taken()
    assert (third.files(), third.patches) == ({"a.txt"}, ["main.earlier.patch"])
    assert third.sync.has_lost(numbered(3))


async def test_unfinished_work_of_items_of_an_earlier_life_is_kept_but_nobody_goes_on_with_it(
    one: Machine, two: Machine
) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    worktree = await first.checkout.open_worktree("TASK-1")
    (worktree.directory / "half.txt").write_text("half\n")
    second = await two.taken()
    await second.commit("b.txt")
    third = await one.taken()
    assert third.patches == ["TASK-1.earlier.patch"]
    assert await third.checkout.newest_patch("TASK-1", since=now().replace(year=2000)) is None
    assert (await third.checkout.bases(), third.files()) == ({}, {"a.txt", "b.txt"})


async def test_a_process_that_follows_another_on_the_same_machine_finds_its_unfinished_work(one: Machine) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    first.write("b.txt", "half\n")
    one.shared.sessions = 1
    second = await one.taken()
    assert (second.files(), second.sync.is_elsewheres) == ({"a.txt", "b.txt"}, False)
    assert not second.sync.has_lost(numbered(1))


async def test_a_remote_that_is_away_is_told_and_what_was_not_pushed_is_pushed_later(
    one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_tui.engine.remote.TRIES", ())
    first = await one.taken()
    await first.commit("a.txt")
    away = one.shared.address.parent.rename(one.shared.address.parent.with_name("away"))
    with pytest.raises(RemoteUnavailable, match=r"demo-1b4e28ba\.git cannot be used"):
        await first.commit("b.txt")
    with pytest.raises(RemoteUnavailable, match="there is no folder") as raised:
        await one.taken()
    assert "workspace.remote" in raised.value.hint
    away.rename(one.shared.address.parent)
    second = await one.taken()
    assert remote_main(one.shared) == ["b.txt", "a.txt"]
    assert await second.checkout.commit_of(ITEM) == await second.checkout.head()


async def test_commits_that_others_have_overtaken_give_way_and_are_kept_on_a_branch(one: Machine, two: Machine) -> None:
    frozen = await one.taken()
    await frozen.commit("a.txt")
    follower = await two.taken()
    one.shared.owner = one.name
    with pytest.raises(LeaseLost):
        await frozen.commit("late.txt")
    late = await frozen.checkout.head()
    assert late is not None
    one.shared.owner = two.name
    counts = await follower.commit("b.txt")
    back = await one.taken()
    assert (await back.checkout.head(), back.files()) == (counts, {"a.txt", "b.txt"})
    kept = git(one.folder, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/orchestrator/")
    assert kept.split() == [f"orchestrator/main.earlier-{late[:12]}", late]


async def test_a_folder_that_others_were_never_told_of_is_pushed_whole(one: Machine, two: Machine) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(one.root)}
    before = Checkout(one.folder, environment)
    await before.initialize()
    (one.folder / "a.txt").write_text("text\n")
    made = await before.commit("a.txt")
    assert made is not None
    one.shared.verified = made.hash
    with pytest.raises(DirectoryUnusable, match="neither this folder nor"):
        await two.taken()
    await one.taken()
    assert (await two.taken()).files() == {"a.txt"}


async def test_commits_of_a_person_in_the_remote_are_taken_in_beside_what_is_unfinished(
    one: Machine, tmp_path: Path
) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    first.write("half.txt")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(one.shared.address), str(clone))
    (clone / "theirs.txt").write_text("theirs\n")
    git(clone, "add", "-A")
    git(clone, "-c", "user.name=ann", "-c", "user.email=a@b", "commit", "-qm", "theirs")
    git(clone, "push", "-q", "origin", "main")
    second = await one.taken()
    assert second.files() == {"a.txt", "half.txt", "theirs.txt"}
    assert (await second.checkout.changes()).split() == ["??", "half.txt"]


async def test_nothing_that_an_agent_writes_into_the_repositorys_settings_is_heeded(one: Machine) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    ran = one.root / "ran"
    evil = f"ext::sh -c 'touch {ran}'"
    git(one.folder, "config", f"url.{evil}.insteadOf", str(one.shared.address))
    git(one.folder, "config", "protocol.ext.allow", "always")
    git(one.folder, "config", "core.hooksPath", ".hooks")
    hook = one.folder / ".hooks" / "pre-push"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    await first.commit("b.txt")
    await one.taken()
    assert remote_main(one.shared) == ["b.txt", "a.txt"]
    assert not ran.exists()


async def test_whoever_stops_a_project_without_its_folder_ends_the_right_of_the_last_owner(
    one: Machine, two: Machine
) -> None:
    first = await one.taken()
    await first.commit("a.txt")
    first.write("half.txt")
    before = git(one.shared.address, "rev-parse", LEASE)
    one.shared.sessions = 2
    server = Owner(two)
    shutil.rmtree(two.folder)
    await server.sync.step_in(was_at_work=True)
    assert git(one.shared.address, "rev-parse", LEASE) != before
    assert not two.folder.exists()
    back = await one.taken()
    assert (back.files(), back.patches) == ({"a.txt"}, ["main.earlier.patch"])
    assert back.sync.has_lost(numbered(2))
