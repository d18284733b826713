from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import SyncTracker
from orchestrator_tui.domain.errors import TrackerUnusable
from orchestrator_tui.domain.statuses import PipelineStatus, WorkItemStatus
from tests.backends.linear.fake import KEY, FakeLinear, served
from tests.crash.lineage import Outcome, outcome_of
from tests.engine.conftest import ITEMS
from tests.engine.test_trackers import Held, items, worked_on
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import NO_PLANNING, Watched, launch


@pytest.fixture
async def fake() -> AsyncIterator[FakeLinear]:
    async with served(FakeLinear()) as fake:
        yield fake


def linear(home: Path, fake: FakeLinear) -> Launch:
    start = launch(home, None, **NO_PLANNING, backend={"type": "linear", "linear": {"api_url": fake.url}})
    return replace(start, environ={**start.environ, "LINEAR_API_KEY": KEY})


async def test_a_rehearsal_ends_the_same_with_its_items_in_linear(
    fake: FakeLinear, tmp_path: Path, undisturbed: Outcome
) -> None:
    start = linear(tmp_path / "home", fake)
    async with open_engine(start, runtime=ReplayRuntime(generated_scenario(ITEMS))) as engine:
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


async def test_without_a_key_no_project_is_made(fake: FakeLinear, tmp_path: Path) -> None:
    start = replace(linear(tmp_path / "home", fake), environ=launch(tmp_path / "home", None).environ)
    async with open_engine(start, runtime=ReplayRuntime(light_scenario(1))) as engine:
        with pytest.raises(TrackerUnusable, match="without an API key"):
            await Watched(engine=engine).create()
    assert fake.asked == []
