from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Event, Recorded
from orchestrator_tui.domain.records import Usage
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    Choice,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    SeatScope,
    WorkItemStatus,
)
from orchestrator_tui.tui.view import (
    KEPT_AGENTS,
    Dashboard,
    PhaseView,
    ProjectView,
    fold,
    from_snapshot,
    introduced,
    joined,
)
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def created(number: int = 1) -> events.ProjectCreated:
    return events.ProjectCreated(
        number=number, name=f"p{number}", slug=f"p{number}", directory="/p", idea="i", rehearsal=True
    )


def folded(*happened: Event, project_id: str = "a", dashboard: Dashboard | None = None) -> Dashboard:
    dashboard = dashboard or Dashboard()
    for event in happened:
        seq = dashboard.seq + 1
        at = START + timedelta(seconds=seq)
        dashboard = fold(dashboard, Recorded(seq=seq, at=at, project_id=project_id, event=event))
    return dashboard


def started(number: int) -> events.AgentStarted:
    return events.AgentStarted(
        agent_id=f"agent-{number}",
        phase=PhaseName.IMPLEMENT,
        role="developer",
        session_number=number,
        model="m",
        scripted=True,
        work_item_key="TASK-1",
    )


def finished(number: int) -> events.AgentFinished:
    return events.AgentFinished(
        agent_id=f"agent-{number}",
        status=AgentStatus.COMPLETED,
        summary="",
        error=None,
        usage=Usage(input_tokens=10, cost_usd=0.5),
        seconds=1,
    )


def comparable(project: ProjectView) -> ProjectView:
    """Without what only events tell (agents, progress) and without fractions of a second."""
    phases = {
        name: replace(
            phase,
            done=0,
            total=0,
            seconds=round(phase.seconds),
            running_since=None,
            usage=replace(phase.usage, cost_usd=round(phase.usage.cost_usd, 6)),
        )
        for name, phase in project.phases.items()
    }
    return replace(project, phases=phases, agents={}, owner=None, sandboxed=None, last_event_at=None, seq=0)


async def test_folding_every_event_of_a_run_gives_what_the_store_says_at_each_rest(tmp_path: Path) -> None:
    runtime = ReplayRuntime(generated_scenario(4))
    async with open_engine(launch(tmp_path / "home", None, autonomy="checkpoint", **FAST), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        while await run.until_rest() is PipelineStatus.PAUSED:
            dashboard = Dashboard()
            for recorded in run.seen:
                dashboard = fold(dashboard, recorded)
            stored = from_snapshot(await engine.snapshot())
            assert comparable(dashboard.projects[run.project_id]) == comparable(stored.projects[run.project_id])
            await run.answer(Choice.APPROVE)
        for recorded in run.seen:
            dashboard = fold(dashboard, recorded)
        project = dashboard.projects[run.project_id]
        assert comparable(project) == comparable(from_snapshot(await engine.snapshot()).projects[run.project_id])
        assert (project.items.done, project.items.total, project.running_agents) == (4, 4, [])


def test_the_steps_of_a_stop_are_kept_until_the_project_works_again() -> None:
    def status(old: PipelineStatus, new: PipelineStatus) -> events.PipelineStatusChanged:
        return events.PipelineStatusChanged(old=old, new=new)

    running, stopping, stopped = PipelineStatus.RUNNING, PipelineStatus.STOPPING, PipelineStatus.STOPPED
    steps = tuple(events.StopProgressed(step=number, text=f"step {number}") for number in (1, 2))
    dashboard = folded(created(), status(running, stopping), *steps, status(stopping, stopped))
    assert dashboard.projects["a"].stop_steps == steps
    dashboard = folded(status(stopped, running), dashboard=dashboard)
    assert dashboard.projects["a"].stop_steps == ()


def awaited(number: int) -> events.SeatAwaited:
    return events.SeatAwaited(
        seat_id=f"seat-{number}",
        scope=SeatScope.INSTALLATION,
        most=12,
        phase=PhaseName.IMPLEMENT,
        role="developer",
    )


def test_what_sessions_wait_for_is_known_until_they_do_not_any_more() -> None:
    def seats(dashboard: Dashboard) -> dict[str, str]:
        return dict(dashboard.projects["a"].seats)

    dashboard = folded(created(), awaited(1), awaited(2))
    what = "one of the 12 agents of the installation"
    assert seats(dashboard) == {"seat-1": what, "seat-2": what}
    dashboard = folded(events.SeatWaitEnded(seat_id="seat-1", given=True), dashboard=dashboard)
    assert seats(dashboard) == {"seat-2": what}
    taken = events.LeaseTaken(owner="process 7 on box since 1", epoch=2)
    paused = events.PipelineStatusChanged(old=PipelineStatus.RUNNING, new=PipelineStatus.PAUSED)
    for over in (taken, paused):
        assert seats(folded(over, dashboard=dashboard)) == {}


def test_a_project_waits_for_a_worker_until_one_takes_it_up_or_it_is_to_wait_no_more() -> None:
    dashboard = folded(created(), events.QueueChanged(queued=True))
    assert dashboard.projects["a"].queued
    running = events.PipelineStatusChanged(old=PipelineStatus.NOT_STARTED, new=PipelineStatus.RUNNING)
    for over in (running, events.QueueChanged(queued=False)):
        assert not folded(over, dashboard=dashboard).projects["a"].queued


def missed(worker: str) -> events.ErrorOccurred:
    return events.ErrorOccurred(title="Folder", message="It is not there.", hint="Share it.", missing_on=worker)


def test_the_workers_that_do_not_find_its_folder_are_known_while_a_project_waits_for_another() -> None:
    dashboard = folded(created(), events.QueueChanged(queued=True), missed("two"), missed("one"), missed("two"))
    assert dashboard.projects["a"].folder_missing_on == ("one", "two")
    assert dashboard.projects["a"].waits_for_folder
    for over in (events.LeaseTaken(owner="process 7 on box since 1", epoch=2), events.QueueChanged(queued=False)):
        assert folded(over, dashboard=dashboard).projects["a"].folder_missing_on == ()


def test_an_agent_that_is_told_of_late_ended_when_it_ended() -> None:
    late = [events.PhaseProgressed(phase=PhaseName.IMPLEMENT, done=0, total=1)] * 50
    dashboard = folded(created(), started(1), *late, finished(1))
    agent = dashboard.projects["a"].agents["agent-1"]
    assert agent.ended_at == agent.started_at + timedelta(seconds=1)


def test_an_event_that_is_in_the_view_already_changes_nothing() -> None:
    dashboard = folded(created())
    again = Recorded(seq=1, at=START, project_id="a", event=created(7))
    assert fold(dashboard, again) is dashboard


async def test_a_page_read_later_counts_nothing_twice(tmp_path: Path) -> None:
    runtime = ReplayRuntime(generated_scenario(2))
    async with open_engine(launch(tmp_path / "home", None, **FAST), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        page = await engine.snapshot()
        joined_at_the_start = joined(Dashboard(), page)
        assert joined_at_the_start.total == 1
        dashboard = joined_at_the_start
        for recorded in run.seen:
            dashboard = fold(dashboard, recorded)
        assert dashboard.projects == joined_at_the_start.projects


def test_what_waits_for_a_person_comes_first_then_what_runs_then_the_newest() -> None:
    dashboard = Dashboard()
    for number in range(1, 5):
        dashboard = folded(created(number), project_id=str(number), dashboard=dashboard)
    running = events.PipelineStatusChanged(old=PipelineStatus.NOT_STARTED, new=PipelineStatus.RUNNING)
    asked = events.InputRequested(
        request_id="r", kind=RequestKind.APPROVAL, phase=None, title="t", content_hash="h", choices=()
    )
    dashboard = folded(running, project_id="2", dashboard=dashboard)
    dashboard = folded(asked, project_id="1", dashboard=dashboard)
    assert [project.number for project in dashboard.in_order()] == [1, 2, 4, 3]
    answered = events.InputAnswered(
        request_id="r", kind=RequestKind.APPROVAL, choice=Choice.APPROVE, text=None, by="person"
    )
    dashboard = folded(answered, project_id="1", dashboard=dashboard)
    assert not dashboard.projects["1"].waits_for_person


def test_a_running_phase_goes_on_counting_and_a_resting_one_does_not() -> None:
    phase = PhaseView(status=PhaseStatus.RUNNING, seconds=5, running_since=START)
    assert phase.seconds_at(START + timedelta(seconds=3)) == 8
    assert replace(phase, running_since=None).seconds_at(START + timedelta(seconds=3)) == 5


def test_an_agent_s_money_is_its_phase_s_and_it_shows_what_it_did_last() -> None:
    dashboard = folded(created(), started(1), events.AgentSaid(agent_id="agent-1", text="Now the\n  tests."))
    (agent,) = dashboard.projects["a"].running_agents
    assert (agent.doing, agent.item_key) == ("Now the tests.", "TASK-1")
    project = folded(finished(1), dashboard=dashboard).projects["a"]
    assert project.usage == Usage(input_tokens=10, cost_usd=0.5)
    assert project.running_agents == []


def test_only_the_newest_ended_agents_are_remembered() -> None:
    dashboard = folded(created())
    for number in range(KEPT_AGENTS + 5):
        dashboard = folded(started(number), finished(number), dashboard=dashboard)
    dashboard = folded(started(99), dashboard=dashboard)
    agents = dashboard.projects["a"].agents
    assert len(agents) == KEPT_AGENTS + 1
    assert "agent-99" in agents
    assert "agent-0" not in agents


def test_an_agent_that_was_at_work_before_is_introduced_by_what_is_remembered_of_it() -> None:
    project = folded(created(), started(1), started(2), finished(2)).projects["a"]
    unknown = {one: replace(agent, item_key=None, doing="starting") for one, agent in project.agents.items()}
    known = {"agent-1": replace(project.agents["agent-1"], doing="Read a.py", status=AgentStatus.FAILED)}
    agents = introduced(replace(project, agents=unknown), known).agents
    told = agents["agent-1"]
    assert (told.item_key, told.doing, told.status) == ("TASK-1", "Read a.py", AgentStatus.RUNNING)
    assert agents["agent-2"] == unknown["agent-2"]


def test_items_are_counted_as_they_move() -> None:
    item = events.WorkItemCreated(
        work_item_id="i", key="TASK-1", title="t", priority=1, labels=(), parent_id=None, dependencies=()
    )
    moved = events.WorkItemStatusChanged(
        work_item_id="i", key="TASK-1", old=WorkItemStatus.TODO, new=WorkItemStatus.DONE
    )
    counts = folded(created(), item, item, moved).projects["a"].items
    assert (counts.todo, counts.done, counts.total) == (1, 1, 2)


def test_an_event_of_a_project_beyond_the_page_only_moves_the_view_on() -> None:
    dashboard = folded(events.PhaseProgressed(phase=PhaseName.IMPLEMENT, done=1, total=2), project_id="unknown")
    assert (dashboard.seq, dashboard.projects) == (1, {})
