from pathlib import Path

from claude_agent_sdk import project_key_for_directory

from orchestrator_tui.compose import open_store_for
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.bus import Bus
from tests.running import NO_PLANNING, launch, watched
from tests.scenarios import write_scenario


async def test_the_conversation_of_every_session_of_a_run_is_kept(tmp_path: Path) -> None:
    start = launch(tmp_path / "home", write_scenario(tmp_path / "s", items=1), **NO_PLANNING)
    async with watched(start) as run:
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        sessions = await run.engine.sessions(run.project_id)
        directory = (await run.project()).directory
    async with open_store_for(start, Bus()) as store:
        kept = await store.list_transcripts(project_key_for_directory(directory))
    assert sessions and set(kept) == {session.cli_session_id for session in sessions}
