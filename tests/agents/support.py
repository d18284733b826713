"""A real CLI on a scripted model, for tests of sessions."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.base import AgentOutput, SessionRequest, TranscriptStore, TurnEnded
from orchestrator_tui.agents.bubblewrap import Bubblewrap
from orchestrator_tui.agents.claude import ClaudeRuntime, ClaudeSession
from orchestrator_tui.agents.environment import AGENT_ID
from orchestrator_tui.agents.rehearsal.scenario import scenario_from
from orchestrator_tui.agents.rehearsal.server import RehearsalServer
from orchestrator_tui.config.paths import Paths
from orchestrator_tui.config.secrets import mask_tokens
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.statuses import PhaseName

SCHEMA = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
TOOLS = ("Read", "Write", "Edit", "Glob", "Grep", "Bash")


@dataclass(frozen=True, kw_only=True)
class Rig:
    session: ClaudeSession
    runtime: ClaudeRuntime
    server: RehearsalServer
    request: SessionRequest
    project: Path

    async def turn(self, prompt: str = "Do it.") -> list[AgentOutput]:
        return [output async for output in self.session.turn(prompt)]


def paths_in(folder: Path) -> Paths:
    return Paths(config=folder / "config", data=folder / "data", logs=folder / "logs")


def request_in(project: Path, **changes: Any) -> SessionRequest:
    values: dict[str, Any] = {
        "agent_id": new_id(),
        "project_id": new_id(),
        "phase": PhaseName.IMPLEMENT,
        "role": "repairer",
        "subject": "thing",
        "attempt": 1,
        "model": "claude-opus-4-5-20251101",
        "prompt": "Do it.",
        "system_prompt": "You are a developer.",
        "directory": project,
        "tools": TOOLS,
    }
    return SessionRequest(**(values | changes))


@contextlib.asynccontextmanager
async def rehearsed(
    folder: Path,
    turns: Sequence[Mapping[str, Any]],
    *,
    environ: Mapping[str, str] | None = None,
    judge: gate.Judge = gate.judge,
    api_retries: int = 0,
    transcripts: TranscriptStore | None = None,
    sandbox: Bubblewrap | None = None,
    hide: Callable[[str], str] = mask_tokens,
    workspace: Path | None = None,
    **changes: Any,
) -> AsyncIterator[Rig]:
    """A session of the real CLI in `folder/project`, on a model that answers `turns`."""
    project = folder / "project"
    project.mkdir(parents=True, exist_ok=True)
    answer = {"phase": "implement", "role": "repairer", "turns": list(turns)}
    usage = {"input_tokens": 100, "output_tokens": 10}
    tables = {"name": "test", "title": "t", "idea": "i", "project_name": "p", "usage": usage, "answers": [answer]}
    scenario = scenario_from(tables, folder=folder, source="test")
    request = request_in(project, **changes)
    async with RehearsalServer(scenario) as server:
        runtime = ClaudeRuntime(
            server.endpoint,
            paths=paths_in(folder),
            parent_environ=os.environ if environ is None else environ,
            api_retries=api_retries,
            judge=judge,
            transcripts=transcripts,
            sandbox_of=lambda _: sandbox,
            hide=hide,
            workspace=workspace,
        )
        async with runtime.session(request) as session:
            yield Rig(session=session, runtime=runtime, server=server, request=request, project=project)


def end_of(outputs: Sequence[AgentOutput]) -> TurnEnded:
    *before, last = outputs
    assert isinstance(last, TurnEnded)
    assert not any(isinstance(output, TurnEnded) for output in before)
    return last


def environments_of(agent_id: str) -> dict[int, dict[str, str]]:
    """The environments of all running processes of an agent, by pid."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit():
                pairs = (pair.partition("=") for pair in (folder / "environ").read_text("utf-8", "replace").split("\0"))
                environment = {name: value for name, _, value in pairs if name}
                if environment.get(AGENT_ID) == agent_id:
                    found[int(folder.name)] = environment
    return found


def cli_pid(agent_id: str) -> int:
    [pid] = [pid for pid in environments_of(agent_id) if _program(pid) == "claude"]
    return pid


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/exe").resolve().name
