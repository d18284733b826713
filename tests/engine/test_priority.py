from pathlib import Path

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.console.given_changes import given_changes
from orchestrator_tui.console.status import as_json, detail
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import SetPriority
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.priority import HIGHEST, LOWEST, own_priority
from orchestrator_tui.engine.priority import priority_of
from tests.conftest import make_project
from tests.replay_runtime import ReplayRuntime
from tests.running import launch

USUAL = SettingsModel.model_validate({"cluster": {"priority": 3}})


async def test_a_priority_is_kept_with_its_project_and_told_once(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, cluster={"priority": 3})
    async with open_store(sqlite_url(start.paths.database)) as store:
        project = await make_project(store, "small")
    assert (own_priority(project), priority_of(project, USUAL)) == (None, 3)
    async with open_engine(start, runtime=ReplayRuntime(generated_scenario(1))) as engine:
        for priority in (3, -5, -5, HIGHEST):
            await engine.submit(SetPriority(project_id=project.id, priority=priority, by="ada"))
        project = await engine.find_project(project.id)
        assert (own_priority(project), priority_of(project, USUAL)) == (HIGHEST, HIGHEST)
        told = [one.event for one in await engine.events() if isinstance(one.event, events.PrioritySet)]
        assert told == [events.PrioritySet(old=old, new=new, by="ada") for old, new in ((3, 3), (3, -5), (-5, HIGHEST))]
        assert words.priority_set(told[0]) == "priority of the project: 3 (whatever the settings say)"
        assert words.priority_set(told[1]) == "priority of the project: -5 (was 3)"
        overview = await engine.overview(project.id)
    assert as_json(overview, now())["priority"] == HIGHEST
    assert "Priority:   1000" in detail(overview, now())


@pytest.mark.parametrize("priority", [LOWEST - 1, HIGHEST + 1])
async def test_a_priority_out_of_range_is_refused_and_changes_nothing(tmp_path: Path, priority: int) -> None:
    start = launch(tmp_path / "home", None)
    async with open_store(sqlite_url(start.paths.database)) as store:
        project = await make_project(store, "small")
    async with open_engine(start, runtime=ReplayRuntime(generated_scenario(1))) as engine:
        with pytest.raises(SettingsError, match=r"expected a whole number from -1000 to 1000"):
            await engine.submit(SetPriority(project_id=project.id, priority=priority))
        assert await engine.find_project(project.id) == project


def test_a_command_line_that_goes_on_with_a_project_may_give_it_another_priority() -> None:
    assert list(given_changes("p", {"cluster": {"priority": 7}})) == [
        SetPriority(project_id="p", priority=7, by="command line")
    ]
    assert list(given_changes("p", {"cluster": {"concurrency": 7}})) == []
