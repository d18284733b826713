from pathlib import Path

from orchestrator_tui.domain.statuses import PipelineStatus
from tests.running import FAST
from tests.tui.board import REHEARSED, board
from tests.tui.clients import Opening, on_both_clients


@on_both_clients
async def test_a_project_that_paused_at_a_limit_goes_on_when_it_is_raised_here(tmp_path: Path, client: Opening) -> None:
    settings = {**FAST, "limits": {"project": {"sessions": 1}}}
    home = tmp_path / "home"
    async with board(
        home, opening=client, first=REHEARSED, autonomy="full", settings=settings, notifications=True
    ) as it:
        await it.rests(PipelineStatus.PAUSED)
        await it.send("/limit")
        await it.shows("session limit of the project", "1 session", "100%")
        await it.leave()
        await it.refused("/limit project gold 5", "'gold' is not limited.", "/limit project money 100")
        await it.refused("/priority high", "'high' is no priority.", "from -1000 to 1000")
        await it.refused("/priority 1001", "A priority cannot be 1001")
        await it.send("/priority 10")
        await it.shows("its priority is 10. Nothing of it waits now")
        await it.send("/priority")
        await it.shows("Priority       10")
        await it.leave()
        await it.send("/limit sessions 100")
        await it.rests(PipelineStatus.RUNNING, PipelineStatus.COMPLETED)
        await it.send("/limit")
        await it.shows("session limit of the project", "100 sessions")
