import asyncio
from datetime import timedelta

import pytest

from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import AlreadyOwned, LeaseLost, ProjectNotFound, StaleState
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import AgentSnapshot, Lease, PipelineState, Project
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus, PipelineStatus
from tests.conftest import make_project
from tests.database.samples import said

PENDING, RUNNING, COMPLETED = PhaseStatus.PENDING, PhaseStatus.RUNNING, PhaseStatus.COMPLETED
IDEATION = PhaseName.IDEATION


async def test_a_new_project_waits_at_the_start_of_all_phases(store: SqlStore, project: Project) -> None:
    state = await store.pipeline_state(project.id)
    assert (project.number, project.status, project.current_phase) == (1, PipelineStatus.NOT_STARTED, None)
    assert project.config == {"autonomy": {"mode": "full"}}
    assert list(state.phases) == list(PHASE_ORDER)
    assert {phase.status for phase in state.phases.values()} == {PENDING}
    assert project.created_at.utcoffset() == timedelta(0)


async def test_projects_created_at_the_same_time_get_different_numbers(store: SqlStore) -> None:
    created = await asyncio.gather(*(make_project(store, f"p{number}") for number in range(6)))
    assert sorted(project.number for project in created) == [1, 2, 3, 4, 5, 6]
    assert [project.number for project in await store.list_projects(after=2, limit=3)] == [3, 4, 5]


async def test_a_taken_slug_is_refused(store: SqlStore, project: Project) -> None:
    with pytest.raises(StaleState):
        await make_project(store, project.slug)


async def test_only_one_of_two_equal_transitions_succeeds(
    store: SqlStore, project: Project, published: list[Recorded]
) -> None:
    async def start(name: str) -> None:
        async with store.transaction() as unit:
            unit.record(project.id, said(name))
            await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)

    results = await asyncio.gather(start("a"), start("b"), return_exceptions=True)
    assert [type(result) for result in results].count(StaleState) == 1
    assert len(published) == len(await store.events()) == 1


async def test_stopping_keeps_the_reason_and_asks_for_a_shutdown(store: SqlStore, project: Project) -> None:
    async with store.transaction() as unit:
        await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
        await unit.set_pipeline_status(
            project.id, PipelineStatus.RUNNING, PipelineStatus.STOPPING, shutdown_reason="user_request"
        )
        stopping = await unit.pipeline(project.id)
        await unit.set_pipeline_status(project.id, PipelineStatus.STOPPING, PipelineStatus.STOPPED)
        stopped = await unit.pipeline(project.id)
    assert (stopping.shutdown_requested, stopping.shutdown_reason) == (True, "user_request")
    assert (stopped.shutdown_requested, stopped.shutdown_reason) == (False, None)
    assert stopped.last_checkpoint >= stopping.last_checkpoint


async def test_a_stop_asked_for_while_the_end_of_a_dead_process_is_told_is_not_forgotten(
    store: SqlStore, project: Project
) -> None:
    async with store.transaction() as unit:
        await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
        await unit.take_lease(project.id, "me")
        assert await unit.request_stop(project.id, "me")
        for old, new in (
            (PipelineStatus.RUNNING, PipelineStatus.STOPPING),
            (PipelineStatus.STOPPING, PipelineStatus.STOPPED),
            (PipelineStatus.STOPPED, PipelineStatus.RUNNING),
        ):
            await unit.set_pipeline_status(project.id, old, new, told_later=new is not PipelineStatus.RUNNING)
        assert (await unit.pipeline(project.id)).shutdown_requested
        await unit.take_lease(project.id, "me")
        assert not (await unit.pipeline(project.id)).shutdown_requested


async def test_a_phase_counts_only_its_running_seconds(store: SqlStore, project: Project) -> None:
    start = now() - timedelta(hours=1)

    async def move(expected: PhaseStatus, new: PhaseStatus, minutes: int) -> float:
        async with store.transaction() as unit:
            at = start + timedelta(minutes=minutes)
            return await unit.set_phase_status(project.id, IDEATION, expected, new, at=at)

    assert await move(PENDING, RUNNING, 0) == 0
    assert await move(RUNNING, PhaseStatus.AWAITING_APPROVAL, 2) == 120
    assert await move(PhaseStatus.AWAITING_APPROVAL, RUNNING, 30) == 120
    assert await move(RUNNING, COMPLETED, 33) == 300
    phase = (await store.pipeline_state(project.id)).phases[IDEATION]
    assert (phase.started_at, phase.ended_at) == (start, start + timedelta(minutes=33))
    assert (phase.running_since, phase.round) == (None, 1)


async def test_the_running_phase_is_the_current_one_until_the_pipeline_completes(
    store: SqlStore, project: Project
) -> None:
    async with store.transaction() as unit:
        await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
        await unit.set_phase_status(project.id, IDEATION, PENDING, RUNNING)
    assert (await store.pipeline_state(project.id)).current_phase is IDEATION
    async with store.transaction() as unit:
        await unit.set_pipeline_status(project.id, PipelineStatus.RUNNING, PipelineStatus.COMPLETED)
    assert (await store.find_project("1")).current_phase is None


async def test_feedback_lasts_through_the_round_it_was_given_for(store: SqlStore, project: Project) -> None:
    waiting = PhaseStatus.AWAITING_APPROVAL
    async with store.transaction() as unit:
        await unit.set_phase_status(project.id, IDEATION, PENDING, RUNNING)
        await unit.set_phase_status(project.id, IDEATION, RUNNING, waiting)
        await unit.set_phase_status(project.id, IDEATION, waiting, RUNNING, round=2, feedback="more tests")
        await unit.set_phase_status(project.id, IDEATION, RUNNING, PENDING)
        await unit.set_phase_status(project.id, IDEATION, PENDING, RUNNING)
        repeated = (await unit.pipeline(project.id)).phases[IDEATION]
        await unit.set_phase_status(project.id, IDEATION, RUNNING, PhaseStatus.FAILED, error="no answer")
        failed = (await unit.pipeline(project.id)).phases[IDEATION]
    assert (repeated.round, repeated.feedback, repeated.error) == (2, "more tests", None)
    assert (failed.round, failed.feedback, failed.error) == (2, None, "no answer")


async def test_a_stale_phase_transition_is_refused(store: SqlStore, project: Project) -> None:
    with pytest.raises(StaleState, match="ideation is pending, not running"):
        async with store.transaction() as unit:
            await unit.set_phase_status(project.id, IDEATION, RUNNING, COMPLETED)


async def test_what_is_needed_to_resume_is_kept(store: SqlStore, project: Project) -> None:
    snapshot = AgentSnapshot(
        agent_id=new_id(),
        phase=IDEATION,
        started_at=now(),
        last_activity=now(),
        current_work_item=None,
        last_tool_call="Write",
        conversation_summary="halfway",
        can_resume=True,
    )
    async with store.transaction() as unit:
        await unit.save_pipeline(project.id, agent_snapshots=(snapshot,), last_successful_step="drafts")
        await unit.save_pipeline(project.id, interrupted_work_items=("TASK-1",))
    state = await store.pipeline_state(project.id)
    assert state.agent_snapshots == (snapshot,)
    assert (state.last_successful_step, state.interrupted_work_items) == ("drafts", ("TASK-1",))


async def take(store: SqlStore, project: Project, owner: str, over: PipelineState | None = None) -> Lease:
    async with store.transaction() as unit:
        return await unit.take_lease(project.id, owner, over=over)


async def test_the_lease_is_refused_while_another_has_it(store: SqlStore, project: Project) -> None:
    assert (await take(store, project, "a")).epoch == 1
    with pytest.raises(AlreadyOwned, match="running in a"):
        await take(store, project, "b")
    assert (await take(store, project, "a")).epoch == 2


async def test_a_takeover_ends_the_old_owner_s_heartbeat(store: SqlStore, project: Project) -> None:
    old = await take(store, project, "a")
    assert await store.beat(old)
    new = await take(store, project, "b", over=await store.pipeline_state(project.id))
    assert new.epoch == old.epoch + 1
    assert not await store.beat(old)
    assert await store.beat(new)


async def test_an_owner_who_gave_a_sign_meanwhile_is_not_taken_over(store: SqlStore, project: Project) -> None:
    lease = await take(store, project, "a")
    seen = await store.pipeline_state(project.id)
    assert await store.beat(lease)
    with pytest.raises(AlreadyOwned):
        await take(store, project, "b", over=seen)


async def test_only_one_of_many_processes_gets_a_free_lease(store: SqlStore, project: Project) -> None:
    owners = [take(store, project, f"worker {number}") for number in range(5)]
    results = await asyncio.gather(*owners, return_exceptions=True)
    assert [result.epoch for result in results if isinstance(result, Lease)] == [1]
    assert sum(isinstance(result, AlreadyOwned) for result in results) == 4


async def test_only_one_of_many_processes_takes_over(store: SqlStore, project: Project) -> None:
    await take(store, project, "gone")
    seen = await store.pipeline_state(project.id)
    owners = [take(store, project, f"worker {number}", seen) for number in range(5)]
    results = await asyncio.gather(*owners, return_exceptions=True)
    assert [result.epoch for result in results if isinstance(result, Lease)] == [2]


async def test_a_released_lease_is_free_and_only_who_holds_it_releases_it(store: SqlStore, project: Project) -> None:
    old = await take(store, project, "a")
    new = await take(store, project, "a")
    async with store.transaction() as unit:
        await unit.release_lease(old)
        assert (await unit.pipeline(project.id)).owner == "a"
        await unit.release_lease(new)
    assert (await take(store, project, "b")).epoch == 3


async def test_who_lost_the_lease_writes_nothing_more(store: SqlStore, project: Project) -> None:
    lease = await take(store, project, "a")
    fenced = store.fenced(lease, asyncio.Event())
    async with fenced.transaction() as unit:
        await unit.save_pipeline(project.id, last_successful_step="mine")
    await take(store, project, "b", over=await store.pipeline_state(project.id))
    before = await store.last_seq()
    with pytest.raises(LeaseLost, match="b runs it now"):
        async with fenced.transaction() as unit:
            await unit.save_pipeline(project.id, last_successful_step="too late")
    assert (await store.pipeline_state(project.id)).last_successful_step == "mine"
    assert await store.last_seq() == before
    with pytest.raises(LeaseLost):
        await store.stop_is_wanted(lease)


async def test_a_stop_reaches_the_owner_and_nobody_else(store: SqlStore, project: Project) -> None:
    lease = await take(store, project, "a")
    assert not await store.stop_is_wanted(lease)
    async with store.transaction() as unit:
        assert not await unit.request_stop(project.id, "b")
        assert await unit.request_stop(project.id, "a")
    assert await store.stop_is_wanted(lease)


async def test_a_project_is_found_by_number_slug_id_and_start_of_id(store: SqlStore, project: Project) -> None:
    for reference in ("1", " MDcheck ", project.id, project.id.upper(), project.id[:4]):
        assert await store.find_project(reference) == project


async def test_an_unknown_reference_names_the_projects_there_are(store: SqlStore) -> None:
    with pytest.raises(ProjectNotFound) as nothing:
        await store.find_project("foo")
    assert nothing.value.line() == "There is no project 'foo'. There are no projects yet."
    await make_project(store, "mdcheck")
    await make_project(store, "other")
    for reference in ("foo", "99", "", "9" * 30, "%", new_id(), "\0"):
        with pytest.raises(ProjectNotFound) as unknown:
            await store.find_project(reference)
        assert unknown.value.hint == "Projects: 1 mdcheck, 2 other."


async def test_the_start_of_several_ids_is_refused(store: SqlStore) -> None:
    for last in ("1", "2"):
        async with store.transaction() as unit:
            await unit.create_project(
                project_id=f"abcd0000-0000-4000-8000-00000000000{last}",
                name="n",
                slug=f"s{last}",
                description="",
                directory="/d",
                rehearsal=False,
                config={},
            )
    with pytest.raises(ProjectNotFound, match="fits several projects: 1 s1, 2 s2"):
        await store.find_project("abcd")
    assert (await store.find_project("abcd0000-0000-4000-8000-000000000002")).slug == "s2"


async def test_what_does_not_exist_is_a_key_error(store: SqlStore) -> None:
    for unknown in (new_id(), "nonsense"):
        for read in (store.pipeline_state, store.overview, store.get_item, store.get_request):
            with pytest.raises(KeyError):
                await read(unknown)
        async with store.transaction() as unit:
            with pytest.raises(KeyError):
                await unit.pipeline(unknown)
