from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.commands import MoveTracker, ResumeProject, SyncTracker
from orchestrator_tui.domain.errors import TrackerUnusable
from orchestrator_tui.domain.statuses import PipelineStatus, WorkItemStatus
from tests.backends.linear.fake import KEY, FakeLinear, served
from tests.crash.lineage import Outcome, outcome_of
from tests.engine.conftest import ITEMS
from tests.engine.test_moving import made
from tests.engine.test_trackers import Held, entries, items, worked_on
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch


@pytest.fixture
async def fake() -> AsyncIterator[FakeLinear]:
    async with served(FakeLinear()) as fake:
        yield fake


def linear(home: Path, fake: FakeLinear, *, type: str = "linear", **settings: str) -> Launch:
    backend = {"type": type, "linear": {"api_url": fake.url, **settings}}
    start = launch(home, None, **NO_PLANNING, backend=backend)
    return replace(start, environ={**start.environ, "LINEAR_API_KEY": KEY})


async def test_a_rehearsal_ends_the_same_with_its_items_in_linear(
    fake: FakeLinear, tmp_path: Path, undisturbed: Outcome
) -> None:
    start = linear(tmp_path / "home", fake)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(ITEMS))) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        await fake.until(lambda: {fake.world.state_of(one) for one in fake.world.issues.values()} == {"completed"})
        await engine.submit(SyncTracker(project_id=run.project_id))
        state = await engine.tracker(run.project_id)
    outcome, _ = await outcome_of(sqlite_url(start.paths.database))
    assert outcome == undisturbed
    (project,) = fake.world.projects.values()
    assert (state.kind, state.link, state.pending, state.last_error) == ("linear", project["url"], 0, None)
    assert len(fake.world.issues) == ITEMS
    bodies = [comment["body"] for comment in fake.world.comments.values()]
    assert len([body for body in bodies if body.startswith("**developer**")]) == ITEMS
    (document,) = fake.world.documents.values()
    assert f"{ITEMS} of {ITEMS} work items are done" in document["content"]


async def test_what_a_person_changes_in_linear_in_the_middle_of_a_run_counts(fake: FakeLinear, tmp_path: Path) -> None:
    played = Held(light_scenario(3))
    async with open_engine(linear(tmp_path / "home", fake), runtime=played) as engine:
        run = Watched(engine=engine)
        await run.create()
        await played.at_work.wait()
        await fake.until(lambda: "started" in {fake.world.state_of(one) for one in fake.world.issues.values()})
        todo = [one for one in (await items(run)).values() if one.status is WorkItemStatus.TODO]
        dropped, urgent = fake.world.issues[todo[0].id], fake.world.issues[todo[1].id]
        fake.world.move(dropped, "Dropped")
        fake.world.edit(urgent, title="Most urgent", priority=1.0)
        fake.world.new_issue("By a person", description="Write by_a_person.py.")
        fake.world.say(urgent, "Mind the tests.")
        await engine.submit(SyncTracker(project_id=run.project_id))
        played.let_go.set()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        found, agents = await items(run), await worked_on(run)
        comments = [comment.content for comment in await engine.comments(todo[1].id)]
        told = [one.event for one in await engine.events(project_id=run.project_id)]
    assert {item.status for item in found.values()} == {WorkItemStatus.DONE}
    assert todo[0].key not in agents and agents.count("TASK-4") == 1
    assert (found[todo[1].key].title, found[todo[1].key].priority) == ("Most urgent", 1)
    assert found["TASK-4"].title == "By a person"
    assert "Mind the tests." in comments
    assert [event.key for event in told if isinstance(event, events.WorkItemEdited)] == [todo[1].key]
    assert not [event for event in told if isinstance(event, events.WorkItemConflict)]


async def test_items_move_to_linear_once_all_are_there_and_away_with_what_people_changed(
    fake: FakeLinear, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (first, *_) = await made(home, count=3)
    start = linear(home, fake, type="database")
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        run = Watched(engine=engine, project_id=first.project_id)
        to_linear, to_json = (MoveTracker(project_id=run.project_id, kind=kind) for kind in ("linear", "json"))
        (line, there) = await engine.tracker_plan(run.project_id, "linear")
        assert line == "3 work items of Many move from database to linear" and "gets 3 issues; 0 have one" in there
        assert fake.asked == []
        fake.is_away = True

        def away_once_there_are_issues(number: int) -> None:
            fake.is_away = bool(fake.world.issues)

        for made_by_then in (0, 3):
            with pytest.raises(TrackerUnusable) as unusable:
                await engine.submit(to_linear)
            assert "database still keeps them; do it again to go on." in unusable.value.line()
            assert (await run.project()).tracker == "database"
            assert len(fake.world.issues) == made_by_then
            fake.is_away, fake.done = False, away_once_there_are_issues
        fake.done = lambda number: None
        await engine.submit(to_linear)
        assert (await run.project()).tracker == "linear"
        assert sorted(one["title"] for one in fake.world.issues.values()) == ["Item 0", "Item 1", "Item 2"]
        assert fake.world.comments_of(fake.world.issues[first.id]) == ["**engine**\n\nhalf way"]
        fake.world.edit(fake.world.issues[first.id], title="Renamed by a person")
        await engine.submit(to_json)
        assert (await run.project()).tracker == "json"
        assert [entry["title"] for entry in await entries(run)] == ["Renamed by a person", "Item 1", "Item 2"]
    assert fake.world.progress == "The work items of Many are not kept here any more."


async def test_items_do_not_move_into_a_project_in_linear_that_is_another_ones(
    fake: FakeLinear, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    projects = [(await made(home, name, count=1))[0].project_id for name in ("First", "Second")]
    fake.world.create_project(None, {"id": new_id(), "name": "Shared", "teamIds": []})
    start = linear(home, fake, type="database", project="Shared")
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        await engine.submit(MoveTracker(project_id=projects[0], kind="linear"))
        with pytest.raises(TrackerUnusable, match=rf"already: First \({projects[0]}\)"):
            await engine.submit(MoveTracker(project_id=projects[1], kind="linear"))
        assert [project.tracker for project in await engine.projects()] == ["linear", "database"]
    assert len(fake.world.issues) == 1


async def test_without_a_key_no_project_is_made(fake: FakeLinear, tmp_path: Path) -> None:
    start = replace(linear(tmp_path / "home", fake), environ=launch(tmp_path / "home", None).environ)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        with pytest.raises(TrackerUnusable, match="without an API key"):
            await Watched(engine=engine).create()
        assert await engine.projects() == [] and not list(start.paths.workspace.glob("*"))
    assert fake.asked == []


@pytest.mark.parametrize(
    ("settings", "key", "told"),
    [({"team": "NOPE"}, KEY, "There is no team NOPE in Linear"), ({}, "lin_api_another", "does not accept")],
    ids=["a team that is not there", "a key that is not accepted"],
)
async def test_what_a_person_has_to_put_right_is_told_before_a_run_begins_and_it_goes_on_after_that(
    fake: FakeLinear, tmp_path: Path, settings: dict[str, str], key: str, told: str
) -> None:
    wrong = linear(tmp_path / "home", fake, **settings)
    wrong = replace(wrong, environ={**wrong.environ, "LINEAR_API_KEY": key})
    async with open_engine(wrong, runtime=ReplayRuntime(light_scenario(1))) as engine:
        with pytest.raises(TrackerUnusable, match=told) as refused:
            await Watched(engine=engine).create()
        assert "Then resume project 1" in refused.value.line()
        (project,) = await engine.projects()
        assert project.status is PipelineStatus.NOT_STARTED
    async with open_engine(
        linear(tmp_path / "home", fake, team="ENG"), runtime=ReplayRuntime(light_scenario(1))
    ) as engine:
        run = Watched(engine=engine, project_id=project.id)
        await engine.submit(ResumeProject(project_id=project.id))
        assert await run.until_rest() is PipelineStatus.COMPLETED
    assert fake.world.count("completed") == len(fake.world.issues) == 1


async def test_a_linear_that_is_away_keeps_no_run_from_beginning(fake: FakeLinear, tmp_path: Path) -> None:
    fake.is_away = True
    async with open_engine(linear(tmp_path / "home", fake), runtime=ReplayRuntime(light_scenario(1))) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        state = await engine.tracker(run.project_id)
        assert state.last_error is not None and state.pending
        fake.is_away = False
        await engine.submit(SyncTracker(project_id=run.project_id))
    assert fake.world.count("completed") == 1
