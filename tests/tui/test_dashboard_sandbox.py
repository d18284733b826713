import os
from dataclasses import replace
from pathlib import Path

from orchestrator_tui.domain.statuses import PipelineStatus
from tests.sandboxed import failing_bubblewrap
from tests.tui.board import REHEARSED, board


async def test_a_person_is_asked_before_a_project_runs_without_a_sandbox_and_sees_that_it_does(tmp_path: Path) -> None:
    path = f"{failing_bubblewrap(tmp_path / 'bin')}:{os.environ['PATH']}"
    first = replace(REHEARSED, rehearsal=False)
    async with board(tmp_path / "home", first=first, environ={"PATH": path}) as it:
        await it.question("Run small without a sandbox?", "No permissions to create new namespace")
        await it.look()
        await it.press("p")
        await it.question("small waits for you", "Requirements")
        assert it.project.sandboxed is False
        await it.leave()
        await it.shows("no sandbox")
        assert it.project.status is PipelineStatus.PAUSED
