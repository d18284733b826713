"""Workers that share the database and a repository, and no folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.base import AgentSession, SessionRequest
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain import events
from orchestrator_tui.domain.errors import NotOnThisMachine, SettingsError
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.cluster.clusters import part_of_cluster, until_completed, working
from tests.cluster.test_worker import owners
from tests.conftest import PostgresForTests
from tests.crash.lineage import files_of, git
from tests.engine.spending_runtime import SpendingSession
from tests.engine.test_hand_over import Patient
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched, launch


class Machines:
    """Each with a home of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.remote = folder / "remote"
        self.remote.mkdir()

    def __call__(self, name: str, **cluster: Any) -> Launch:
        return part_of_cluster(self.folder / name, self.url, remote=self.remote, **cluster)

    def project(self, name: str) -> Path:
        """The project's folder on a machine."""
        return self.folder / name / "workspace" / "demo"


@pytest.fixture
async def machines(postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[Machines]:
    async with postgres.migrated_database() as url:
        yield Machines(tmp_path, url)


async def test_a_project_moves_to_a_worker_that_shares_no_folder_with_the_one_before(machines: Machines) -> None:
    patient = Patient(light_scenario(2))
    async with (
        open_engine(machines("server"), runtime=patient) as front,
        working(machines("one"), patient, "one") as one,
    ):
        run = Watched(engine=front)
        await run.create()
        await patient.begun.wait()
        async with working(machines("two"), patient, "two") as two:
            one.ended.set()
            await run.until(lambda event: isinstance(event, events.LeaseTaken) and event.owner == two.process)
            patient.go_on.set()
            await until_completed(run)
        assert owners(run) == [one.process, two.process]
        await looked_at_from_elsewhere(run)
    assert not machines.project("server").exists()
    (repository,) = machines.remote.iterdir()
    finished = git(machines.project("two"), "log", "--format=%s")
    assert finished == git(repository, "log", "--format=%s", "main")
    # Its agents were told of their folder on the machine they were on.
    assert {request.directory for request in patient.started} == {machines.project("one"), machines.project("two")}


async def looked_at_from_elsewhere(run: Watched) -> None:
    """Where the folder is not, its commits are told by the database, and what needs the folder says so."""
    commits = await run.engine.commits(run.project_id)
    made = run.all(events.CommitMade)
    assert [(one.hash, one.subject) for one in commits] == [(one.commit, one.message) for one in reversed(made)]
    with pytest.raises(NotOnThisMachine, match="is not on this machine"):
        await run.engine.commit_diff(run.project_id, commits[0].hash)
    with pytest.raises(NotOnThisMachine, match="not on this machine now"):
        await run.engine.commit_diff(run.project_id, None)
    item = (await run.engine.items(run.project_id))[0]
    assert item.status is WorkItemStatus.DONE
    with pytest.raises(NotOnThisMachine):
        await run.engine.item_diff(item.id)


@dataclass(frozen=True, slots=True)
class PatientDevelopers(Patient):
    """Only whoever works on an item waits."""

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        if request.phase is PhaseName.IMPLEMENT:
            async with Patient.session(self, request) as patient:
                yield patient
        else:
            yield SpendingSession(scenario=self.scenario, request=request)


def silence(project_id: str) -> None:
    """The only worker, which runs the project, gives no sign of life any more."""
    signs = {f"heartbeat-{project_id[:8]}", "worker-heartbeat", "worker-look"}
    for task in asyncio.all_tasks():
        if task.get_name() in signs:
            task.cancel()


async def test_an_agent_whose_machine_is_lost_is_told_that_its_files_are_not_there(machines: Machines) -> None:
    patient = PatientDevelopers(light_scenario(1))
    async with (
        open_engine(machines("server"), runtime=patient) as front,
        working(machines("one", stall_seconds=2), patient, "one") as one,
    ):
        run = Watched(engine=front)
        await run.create()
        await patient.begun.wait()
        (machines.project("one") / "half.txt").write_text("half\n")
        silence(run.project_id)
        async with working(machines("two", stall_seconds=2), patient, "two") as two:
            await run.until(lambda event: isinstance(event, events.LeaseTaken) and event.owner == two.process)
            patient.go_on.set()
            await until_completed(run)
    assert one.process in owners(run)
    (told,) = [event.text for event in run.all(events.AgentPrompted) if event.kind == "resumed"]
    assert "You worked on another machine" in told
    (repository,) = machines.remote.iterdir()
    assert "half.txt" not in git(repository, "ls-tree", "--name-only", "main").split()


async def test_a_remote_that_cannot_be_used_is_told_once_and_waited_for(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_tui.engine.remote.TRIES", ())
    monkeypatch.setattr("orchestrator_tui.engine.remotes.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("orchestrator_tui.engine.worker.PUT_AGAIN_SECONDS", 0.1)
    quick = ReplayRuntime(light_scenario(1))
    start = machines("one", heartbeat_seconds=0.2, stall_seconds=1)
    machines.remote.rmdir()
    async with open_engine(machines("server"), runtime=quick) as front, working(start, quick, "one"):
        run = Watched(engine=front)
        await run.create()
        told = await run.until(lambda event: isinstance(event, events.ErrorOccurred))
        assert isinstance(told, events.ErrorOccurred)
        assert (str(machines.remote) in told.message, "workspace.remote" in told.hint) == (True, True)
        for _ in range(2):
            await run.until(lambda event: isinstance(event, events.LeaseTaken))
        machines.remote.mkdir()
        await until_completed(run)
    assert len(run.all(events.ErrorOccurred)) == 1


async def test_without_a_cluster_the_repository_is_a_copy_of_what_is_finished(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    start = launch(
        tmp_path / "home",
        None,
        phases={"ideation": {"enabled": False}, "architecture": {"enabled": False}, "implement": {"parallel": 2}},
        workspace={"sync": "git", "remote": str(tmp_path / "remote")},
    )
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(3))) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        assert len(await engine.commits(run.project_id)) == len(run.all(events.CommitMade))
    (repository,) = (tmp_path / "remote").iterdir()
    git(tmp_path, "clone", "-q", str(repository), "clone")
    folder = tmp_path / "home" / "workspace" / "demo"
    assert files_of(tmp_path / "clone") == files_of(folder)
    assert git(folder, "rev-parse", "HEAD") == git(repository, "rev-parse", "main")
    assert [one.name for one in (tmp_path / "home" / "sync").iterdir()] == [f"{run.project_id}.git"]


async def test_a_remote_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"workspace\.remote"):
        async with open_engine(launch(tmp_path / "home", None, workspace={"sync": "git"})):
            """It does not come to this."""
