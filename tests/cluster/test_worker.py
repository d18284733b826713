import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import pytest

from orchestrator_tui.cluster.queue import ProcrastinateQueue
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.console.status import detail
from orchestrator_tui.database import pipeline_writes
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import ResumeProject, SetPriority, StopProject
from orchestrator_tui.domain.standing import priority_counts
from orchestrator_tui.domain.statuses import PauseReason, PipelineStatus
from tests.cluster.clusters import part_of_cluster, until_completed, working
from tests.conftest import PostgresForTests
from tests.engine.test_hand_over import Patient
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched


@pytest.fixture
async def start(postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[Launch]:
    async with postgres.migrated_database() as url:
        yield part_of_cluster(tmp_path / "home", url)


@pytest.fixture
def patient() -> Patient:
    return Patient(light_scenario(1))


@pytest.fixture
def quick() -> ReplayRuntime:
    return ReplayRuntime(light_scenario(1))


def moved(folder: Path, name: str) -> Path:
    return folder.rename(folder.with_name(name))


def owners(run: Watched) -> list[str]:
    return [event.owner for event in run.all(events.LeaseTaken)]


async def test_a_worker_runs_what_a_front_end_without_one_was_asked_for(start: Launch, quick: ReplayRuntime) -> None:
    async with open_engine(start, runtime=quick) as front:
        run = Watched(engine=front)
        await run.create()
        assert (await run.project()).status is PipelineStatus.NOT_STARTED
        assert (await front.overview(run.project_id)).state.queued_at is not None
        async with working(start, quick, "one") as one:
            await until_completed(run)
            assert owners(run) == [one.process]
    assert [event.queued for event in run.all(events.QueueChanged)] == [True]


async def test_a_priority_that_is_changed_while_projects_wait_decides_which_is_first(
    start: Launch, quick: ReplayRuntime
) -> None:
    async with open_engine(start, runtime=quick) as front:
        runs = [Watched(engine=front) for _ in range(3)]
        for number, run in enumerate(runs):
            await run.create(name=f"p{number}")
        await front.submit(SetPriority(project_id=runs[1].project_id, priority=3))
        await front.submit(SetPriority(project_id=runs[2].project_id, priority=9))
        counts = priority_counts(await front.overview(runs[2].project_id))
        assert counts == "That counts at once. Waiting: a worker to take it up."
        async with working(start, quick, "one", concurrency=1):
            await until_completed(Watched(engine=front, project_id=runs[0].project_id))
        begun = [one.project_id for one in await front.events() if isinstance(one.event, events.LeaseTaken)]
    assert begun == [run.project_id for run in reversed(runs)]


async def test_a_worker_that_ends_hands_over_to_another_at_a_safe_point(start: Launch, patient: Patient) -> None:
    async with open_engine(start, runtime=patient) as front, working(start, patient, "one") as one:
        run = Watched(engine=front)
        await run.create()
        await patient.begun.wait()
        async with working(start, patient, "two") as two:
            one.ended.set()
            await run.until(lambda event: isinstance(event, events.LeaseTaken) and event.owner == two.process)
            patient.go_on.set()
            await until_completed(run)
    assert owners(run) == [one.process, two.process]
    reasons = [event.reason for event in run.all(events.PipelineStatusChanged)]
    assert reasons == [None, PauseReason.HAND_OVER, None, None]


async def test_a_worker_whose_project_was_taken_lets_go_of_it_and_can_have_it_again(
    start: Launch, patient: Patient
) -> None:
    async with open_engine(start, runtime=patient) as front, working(start, patient, "one") as one:
        run = Watched(engine=front)
        await run.create()
        await patient.begun.wait()
        running = one.service.engine._runs._running[run.project_id]
        store = one.service.engine._store
        async with store.transaction() as unit:
            state = await unit.pipeline(run.project_id)
            lease = await unit.take_lease(run.project_id, "process 8 on two since 1", over=state)
        await running.ended()
        assert (await store.pipeline_state(run.project_id)).owner == lease.owner
        async with store.transaction() as unit:
            await unit.release_lease(lease)
        patient.go_on.set()
        await until_completed(run)


async def test_an_owner_whose_lease_lasts_longer_than_those_of_workers_keeps_its_project(
    start: Launch, quick: ReplayRuntime
) -> None:
    owner = "process 8 on two since 1"
    hasty = part_of_cluster(start.paths.data, start.environ["DATABASE_URL"], stall_seconds=0.5)
    async with open_engine(start, runtime=quick) as front:
        run = Watched(engine=front)
        await run.create()
        store = front._store
        async with store.transaction() as unit:
            await unit.take_lease(run.project_id, owner, lease_seconds=60)
            await unit.set_pipeline_status(run.project_id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
        (held,) = await store.roster.wanted()
        async with working(hasty, quick, "one") as one:
            while one.worker._silence.seconds(held) < 1.5:
                state = await store.pipeline_state(run.project_id)
                assert (state.owner, state.lapsed) == (owner, False)
                await asyncio.sleep(0.05)


async def test_a_drained_worker_gives_everything_away_and_takes_nothing_more(start: Launch, patient: Patient) -> None:
    async with open_engine(start, runtime=patient) as front, working(start, patient, "one") as one:
        run = Watched(engine=front)
        await run.create()
        await patient.begun.wait()
        await front._store.roster.drain(one.worker.record.id)
        patient.go_on.set()
        await run.until(
            lambda event: isinstance(event, events.PipelineStatusChanged) and event.reason == PauseReason.HAND_OVER
        )
        async with working(start, patient, "two") as two:
            await until_completed(run)
            known = await front._store.roster.workers()
    assert owners(run) == [one.process, two.process]
    assert {(worker.process, worker.draining) for worker in known} == {(one.process, True), (two.process, False)}


async def test_a_stop_reaches_the_worker_that_has_the_project(start: Launch, patient: Patient) -> None:
    async with open_engine(start, runtime=patient) as front, working(start, patient, "one"):
        run = Watched(engine=front)
        await run.create()
        await patient.begun.wait()
        await front.submit(StopProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.STOPPED


@pytest.mark.parametrize("was_stopping", [False, True])
async def test_a_stop_that_was_asked_of_a_worker_which_died_is_carried_out_by_another(
    start: Launch, quick: ReplayRuntime, was_stopping: bool
) -> None:
    async with open_engine(start, runtime=quick) as front:
        run = Watched(engine=front)
        await run.create()
        store = front._store
        new, running, stopping = PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING, PipelineStatus.STOPPING
        async with store.transaction() as unit:
            await unit.take_lease(run.project_id, "process 8 on two since 1", lease_seconds=60)
            await unit.set_pipeline_status(run.project_id, new, running)
        await front.submit(StopProject(project_id=run.project_id))
        if was_stopping:
            async with store.transaction() as unit:
                await unit.set_pipeline_status(run.project_id, running, stopping, shutdown_reason="user_request")
        (lost,) = await store.roster.wanted()
        await store.roster.lapse(lost)
        async with working(start, quick, "one"):
            assert await run.until_rest() is PipelineStatus.STOPPED
        assert not quick.started
        assert not (await store.pipeline_state(run.project_id)).shutdown_requested


async def test_a_project_that_still_waits_for_a_worker_can_be_stopped(start: Launch, quick: ReplayRuntime) -> None:
    async with open_engine(start, runtime=quick) as front:
        run = Watched(engine=front)
        await run.create()
        await front.submit(StopProject(project_id=run.project_id))
        assert (await front.overview(run.project_id)).state.queued_at is None
        other = Watched(engine=front)
        await other.create(name="other")
        async with working(start, quick, "one"):
            await until_completed(other)
        assert (await run.project()).status is PipelineStatus.NOT_STARTED


async def test_a_project_that_never_got_into_the_queue_is_found_whatever_the_clock_of_its_server_says(
    start: Launch, quick: ReplayRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_engine(start, runtime=quick) as front:
        run = Watched(engine=front)
        with monkeypatch.context() as ahead:
            ahead.setattr(pipeline_writes, "now", lambda: now() + timedelta(hours=2))
            ahead.setattr(ProcrastinateQueue, "put", nowhere)
            await run.create()
        assert (await front.overview(run.project_id)).state.queued_at is not None
        async with working(start, quick, "one"):
            await until_completed(run)


async def nowhere(queue: ProcrastinateQueue, project_id: str, priority: int = 0) -> None:
    """What a server that is killed in this moment puts into the queue."""


async def test_a_project_that_cannot_run_says_why_and_waits_no_more(start: Launch, quick: ReplayRuntime) -> None:
    async with open_engine(start, runtime=quick) as front:
        run = Watched(engine=front)
        await run.create()
        rmtree((await run.project()).directory)
        async with working(start, quick, "one"):
            told = await run.until(lambda event: isinstance(event, events.ErrorOccurred))
            assert isinstance(told, events.ErrorOccurred)
            assert "folder" in told.message
        assert (await front.overview(run.project_id)).state.queued_at is None
        assert (await run.project()).status is PipelineStatus.NOT_STARTED


async def test_a_project_whose_folder_a_worker_does_not_have_waits_for_one_that_has_it(
    start: Launch, quick: ReplayRuntime
) -> None:
    async with open_engine(start, runtime=quick) as front:
        run = Watched(engine=front)
        await run.create()
        await front.submit(StopProject(project_id=run.project_id))
        folder = Path((await run.project()).directory)
        away = moved(folder, "away")
        async with working(start, quick, "one") as one, working(start, quick, "two") as two:
            while len(await front.workers()) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await front.submit(ResumeProject(project_id=run.project_id))
            await run.until(lambda event: len(run.all(events.ErrorOccurred)) == 2)
            waiting = await front.overview(run.project_id)
            assert waiting.state.queued_at is not None
            names = sorted((one.worker.record.name, two.worker.record.name))
            assert list(waiting.folder_missing_on) == names
            assert f"which these do not: {', '.join(names)}. Share the workspace" in "".join(detail(waiting, now()))
            assert sorted(str(event.missing_on) for event in run.all(events.ErrorOccurred)) == names
            moved(away, folder.name)
            await until_completed(run)
            assert (await front.overview(run.project_id)).folder_missing_on == ()
    told = [event.message for event in run.all(events.ErrorOccurred)]
    for worker in (one.worker, two.worker):
        assert any(worker.record.name in message for message in told)


async def test_a_project_that_was_given_up_in_the_middle_goes_on_with_the_first_resume(
    start: Launch, patient: Patient
) -> None:
    async with open_engine(start, runtime=patient) as front, working(start, patient, "one") as one:
        run = Watched(engine=front)
        await run.create()
        await patient.begun.wait()
        folder = Path((await run.project()).directory)
        running, store = one.service.engine._runs._running[run.project_id], one.service.engine._store
        async with store.transaction() as unit:
            state = await unit.pipeline(run.project_id)
            lease = await unit.take_lease(run.project_id, "process 8 on two since 1", over=state)
        await running.ended()
        away = moved(folder, "away")
        async with store.transaction() as unit:
            await unit.release_lease(lease)
        assert await run.until_rest() is PipelineStatus.FAILED
        moved(away, folder.name)
        patient.go_on.set()
        await front.submit(ResumeProject(project_id=run.project_id))
        await until_completed(run)
    assert [event.new for event in run.all(events.PipelineStatusChanged)][-2:] == [
        PipelineStatus.RUNNING,
        PipelineStatus.COMPLETED,
    ]


async def test_a_worker_runs_so_many_at_a_time_and_what_is_most_urgent_first(
    start: Launch, quick: ReplayRuntime
) -> None:
    async with open_engine(start, runtime=quick) as front:
        later = Watched(engine=front)
        await later.create(name="later")
    urgent_start = part_of_cluster(start.paths.data, start.environ["DATABASE_URL"], priority=5)
    async with open_engine(urgent_start, runtime=quick) as front:
        urgent = Watched(engine=front)
        await urgent.create(name="urgent")
        async with working(start, quick, "one", concurrency=1):
            await until_completed(Watched(engine=front, project_id=later.project_id))
        told = [
            (one.project_id, one.event.new)
            for one in await front.events()
            if isinstance(one.event, events.PipelineStatusChanged)
        ]
    running, completed = PipelineStatus.RUNNING, PipelineStatus.COMPLETED
    assert told == [(one.project_id, status) for one in (urgent, later) for status in (running, completed)]
