import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import CreateProject, ImportProject, ResumeProject
from orchestrator_tui.domain.errors import SandboxMissing
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, RequestKind
from orchestrator_tui.engine.verify import Verifier
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch
from tests.sandboxed import failing_bubblewrap, house_in, needs_sandbox

PLANNED: Mapping[str, Any] = {"phases": {"ideation": {"enabled": False}, "architecture": {"enabled": False}}}


def without_sandbox(home: Path, **settings: Any) -> Launch:
    """A start on a machine whose bubblewrap does not work."""
    start = launch(home, None, **{**PLANNED, **settings})
    path = f"{failing_bubblewrap(home / 'bin')}:{start.environ['PATH']}"
    return Launch(paths=start.paths, environ={**start.environ, "PATH": path}, cwd=start.cwd, overrides=start.overrides)


@asynccontextmanager
async def engine_of(start: Launch, project_id: str = "") -> AsyncIterator[Watched]:
    async with open_engine(start, runtime=ReplayRuntime(generated_scenario(1))) as engine:
        yield Watched(engine=engine, project_id=project_id)


def is_checked(event: events.Event) -> bool:
    return isinstance(event, events.SandboxChecked)


async def test_a_person_is_asked_once_whether_a_project_may_run_without(tmp_path: Path) -> None:
    start = without_sandbox(tmp_path / "home", autonomy="checkpoint")
    async with engine_of(start) as run:
        run.project_id = await run.engine.submit(CreateProject(idea="Small modules", name="demo"))
        assert await run.until_rest() is PipelineStatus.PAUSED
        request = await run.request()
        assert request.kind is RequestKind.PERMISSION
        assert request.choices == (Choice.ALLOW_PROJECT, Choice.STOP)
        assert "No permissions to create new namespace" in request.body
        assert "--no-sandbox" in request.body
        assert not run.all(events.AgentStarted)
        await run.answer(Choice.ALLOW_PROJECT)
        assert await run.until_rest() is PipelineStatus.PAUSED
        # It waits for the work items to be approved by now.
        assert (await run.request()).kind is RequestKind.APPROVAL
        assert (await run.project()).config["settings"]["sandbox"] == {"mode": "off"}
    async with engine_of(start, run.project_id) as again:
        again.seen = run.seen
        await again.answer(Choice.APPROVE)
        assert await again.until_rest() is PipelineStatus.COMPLETED
        assert not await again.engine.requests()


async def test_a_question_that_is_not_answered_is_asked_again_or_needs_no_answer_any_more(tmp_path: Path) -> None:
    start = without_sandbox(tmp_path / "home", autonomy="checkpoint")
    async with engine_of(start) as run:
        run.project_id = await run.engine.submit(CreateProject(idea="Small modules", name="demo"))
        await run.until_rest()
        first = await run.request()
        await run.engine.submit(ResumeProject(project_id=run.project_id))
        assert await run.until_rest() is PipelineStatus.PAUSED
        assert (await run.request()).id != first.id
    overrides = {**start.overrides, "sandbox": {"mode": "off"}}
    switched_off = Launch(paths=start.paths, environ=start.environ, cwd=start.cwd, overrides=overrides)
    async with engine_of(switched_off, run.project_id) as again:
        again.seen = run.seen
        await again.engine.submit(ResumeProject(project_id=run.project_id))
        assert await again.until_rest() is PipelineStatus.PAUSED
        assert (await again.request()).kind is RequestKind.APPROVAL
        assert "sandbox" not in (await again.project()).config["settings"]


async def test_who_says_no_has_the_project_stopped(tmp_path: Path) -> None:
    async with engine_of(without_sandbox(tmp_path / "home", autonomy="checkpoint")) as run:
        run.project_id = await run.engine.submit(CreateProject(idea="Small modules", name="demo"))
        await run.until_rest()
        await run.answer(Choice.STOP)
        assert await run.until_rest() is PipelineStatus.STOPPED
        assert not run.all(events.AgentStarted)


@pytest.mark.parametrize(
    ("autonomy", "mode"), [("full", "auto"), ("full", "on"), ("checkpoint", "on")], ids=lambda value: str(value)
)
async def test_where_nobody_is_to_be_asked_nothing_is_made(tmp_path: Path, autonomy: str, mode: str) -> None:
    start = without_sandbox(tmp_path / "home", autonomy=autonomy, sandbox={"mode": mode})
    async with engine_of(start) as run:
        with pytest.raises(SandboxMissing, match="No permissions") as refused:
            await run.engine.submit(CreateProject(idea="Small modules", name="demo"))
        assert "--no-sandbox" in refused.value.hint
        assert not await run.engine.projects()


async def test_a_project_that_had_a_sandbox_does_not_go_on_without_unasked(tmp_path: Path) -> None:
    start = without_sandbox(tmp_path / "home", autonomy="checkpoint")
    async with engine_of(start) as run:
        run.project_id = await run.engine.submit(CreateProject(idea="Small modules", name="demo"))
        await run.until_rest()
    overrides = {**start.overrides, "autonomy": {"mode": "full"}}
    alone = Launch(paths=start.paths, environ=start.environ, cwd=start.cwd, overrides=overrides)
    async with engine_of(alone, run.project_id) as again:
        with pytest.raises(SandboxMissing):
            await again.engine.submit(ResumeProject(project_id=run.project_id))


async def test_a_rehearsal_goes_on_without_and_says_so(tmp_path: Path) -> None:
    async with engine_of(without_sandbox(tmp_path / "home")) as run:
        await run.create()
        checked = await run.until(is_checked)
        assert isinstance(checked, events.SandboxChecked)
        assert not checked.active
        assert "scripted model" in checked.why
        assert await run.until_rest() is PipelineStatus.COMPLETED


@needs_sandbox
async def test_a_run_in_a_sandbox_says_so_and_its_check_runs_in_it(tmp_path: Path) -> None:
    async with engine_of(launch(tmp_path / "home", None, **FAST)) as run:
        await run.create()
        checked = await run.until(is_checked)
        assert isinstance(checked, events.SandboxChecked)
        assert checked.active
        assert await run.until_rest() is PipelineStatus.COMPLETED
        assert any(verified.passed for verified in run.all(events.VerifyFinished))


async def test_an_imported_project_brings_no_leave_to_run_without(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", None, sandbox={"mode": "off"}, **PLANNED)
    async with engine_of(start) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        directory = (await run.project()).directory
    other = launch(tmp_path / "other", None)
    async with engine_of(other) as again:
        again.project_id = await again.engine.submit(ImportProject(directory=directory))
        config = (await again.project()).config
    assert "sandbox" not in config["settings"]
    assert "phases" in config["settings"]


@needs_sandbox
async def test_a_check_in_the_sandbox_has_its_folder_and_sees_no_secret(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    environment = {"PATH": os.environ["PATH"], "HOME": str(house.home)}
    verifier = Verifier(environment, timeout_seconds=60, wrap=house.sandbox().command)
    (house.project / "test_it.py").write_text(
        "def test_it(tmp_path):\n    (tmp_path / 'a').write_text('b')\n    open('made.txt', 'w').close()\n"
    )
    verdict = await verifier.run(f"{sys.executable} -m pytest -q -p no:cacheprovider test_it.py", house.project)
    assert verdict.passed, verdict.output
    assert (house.project / "made.txt").exists()
    assert not await verifier.passes_without_project(f"{sys.executable} -m pytest -q test_it.py")
    assert not (await verifier.run(f"cat {house.secrets[0]}", house.project)).passed


@needs_sandbox
async def test_a_check_that_takes_too_long_is_ended_in_the_sandbox_too(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    verifier = Verifier({"PATH": os.environ["PATH"]}, timeout_seconds=0.5, wrap=house.sandbox().command)
    verdict = await verifier.run("sleep 300 & wait", house.project)
    assert verdict.timed_out
    assert verdict.seconds < 200
