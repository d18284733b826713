import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import elapsed_seconds
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Project, Usage
from orchestrator_tui.domain.statuses import AgentStatus, PhaseName
from orchestrator_tui.engine.allowances import Budget
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.conversation import Task, Words
from orchestrator_tui.engine.eventlog import EventLog
from orchestrator_tui.engine.hearing import Heard
from orchestrator_tui.engine.seat import LocalPlaces
from orchestrator_tui.engine.sessions import Sessions
from orchestrator_tui.engine.tenure import Tenure
from orchestrator_tui.phases.answers import WorkDone
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime


def task_of(project: Project, directory: Path) -> Task:
    return Task(
        project=project,
        phase=PhaseName.IMPLEMENT,
        role="developer",
        system_prompt="You write modules.",
        prompt="Write one.",
        model="sonnet",
        tools=(),
        answer=WorkDone,
        directory=directory,
    )


async def nobody_heard(agent_id: str, heard: Heard) -> None:
    raise AssertionError("nothing was said")


def written(folder: Path) -> list[Path]:
    return list(folder.rglob("*.py"))


def held() -> Tenure:
    """Of a lease that does not run out."""
    tenure = Tenure()
    tenure.renew(elapsed_seconds(), 3600)
    return tenure


def sessions_of(store: SqlStore, project: Project, log: EventLog, tenure: Tenure | None = None) -> Sessions:
    return Sessions(
        store=store,
        runtime=ReplayRuntime(light_scenario(1)),
        bus=Bus(),
        log=log,
        places=LocalPlaces(1),
        budget=Budget(store, project.id, SettingsModel()),
        settle_seconds=5,
        tenure=tenure or held(),
        words=Words(reask="\n".join, say=str, interrupted=str, settle=nobody_heard, interrupt_seconds=1),
        stall_seconds=60,
        max_reasks=1,
    )


async def test_what_a_session_has_used_is_stored_before_it_ends(
    store: SqlStore, project: Project, tmp_path: Path
) -> None:
    async with EventLog(store) as log:
        task = replace(task_of(project, tmp_path), subject="item00001")
        async with sessions_of(store, project, log).open(task) as conversation:
            await conversation.ask("Write one.", WorkDone)
            await log.flush()
            [at_work] = (await store.overview(project.id)).running
            assert at_work.usage == Usage(input_tokens=10, output_tokens=1)
            assert (await store.overview(project.id)).usage == {}
    assert (await store.overview(project.id)).total_usage == at_work.usage


async def test_no_tool_call_runs_while_the_lease_may_be_another_s(
    store: SqlStore, project: Project, tmp_path: Path
) -> None:
    tenure = Tenure()
    async with EventLog(store) as log:
        task = replace(task_of(project, tmp_path), subject="item00001")
        async with sessions_of(store, project, log, tenure).open(task) as conversation:
            asking = asyncio.create_task(conversation.ask("Write one.", WorkDone))
            done, _ = await asyncio.wait({asking}, timeout=0.3)
            assert (done, written(tmp_path)) == (set(), [])
            tenure.renew(elapsed_seconds(), 60)
            await asking
            assert written(tmp_path)


async def test_a_session_that_is_cancelled_in_the_moment_it_is_stored_is_ended_as_well(
    store: SqlStore, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelling(recorded: Sequence[Recorded]) -> None:
        if any(isinstance(one.event, events.AgentStarted) for one in recorded):
            opening.cancel()

    async def open_one(sessions: Sessions) -> None:
        async with sessions.open(task_of(project, tmp_path)):
            raise AssertionError("it was cancelled before")

    monkeypatch.setattr(store, "_publish", cancelling)
    async with EventLog(store) as log:
        sessions = sessions_of(store, project, log)
        opening = asyncio.create_task(open_one(sessions))
        with pytest.raises(asyncio.CancelledError):
            await opening
    (session,) = await store.list_sessions(project.id)
    assert (session.status, session.error) == (AgentStatus.INTERRUPTED, "stopped")
    told = [type(one.event) for one in await store.events(project_id=project.id)]
    assert told[-2:] == [events.AgentStarted, events.AgentFinished]
