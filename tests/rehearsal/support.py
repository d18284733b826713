"""What the rehearsal's tests share: scenarios made of a few turns, requests of a session, bodies of the API."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from orchestrator_tui.agents.base import SessionRequest
from orchestrator_tui.agents.rehearsal.scenario import Scenario, scenario_from
from orchestrator_tui.agents.rehearsal.server import RehearsalServer
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.phases.answers import (
    Answer,
    Architecture,
    Breakdown,
    Deployed,
    Draft,
    Initialized,
    Requirements,
    TestPlan,
    TestReport,
    WorkDone,
)

DONE = {"structured": {"status": "done", "summary": "made it"}}
MODELS: Mapping[str, type[Answer]] = {
    "aggregator/ideation": Requirements,
    "analyst": Requirements,
    "aggregator/architecture": Architecture,
    "architect": Architecture,
    "planner": Breakdown,
    "initializer": Initialized,
    "developer": WorkDone,
    "repairer": WorkDone,
    "test_planner": TestPlan,
    "tester": TestReport,
    "deployer": Deployed,
}


def answer(*turns: Mapping[str, Any], **marks: Any) -> dict[str, Any]:
    return {"phase": "implement", "role": "developer", "turns": list(turns), **marks}


def tables(*answers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "small", "title": "Small", "idea": "a thing", "project_name": "p", "answers": list(answers), **more}


def scenario(*answers: Mapping[str, Any], folder: Path = Path(), **more: Any) -> Scenario:
    return scenario_from(tables(*answers, **more), folder=folder, source="small.toml")


def session_request(**changes: Any) -> SessionRequest:
    given: dict[str, Any] = {
        "agent_id": "agent-1",
        "project_id": "project-1",
        "phase": PhaseName.IMPLEMENT,
        "role": "developer",
        "subject": "slug",
        "attempt": 1,
        "model": "claude-opus-4-5-20251101",
        "prompt": "Write the module.\nLast green commit: abc123\n",
        "system_prompt": "You write modules.",
        "directory": Path("/somewhere/project"),
        "tools": ("Bash", "Write"),
    }
    return SessionRequest(**{**given, **changes})


def body(*messages: Mapping[str, Any], stream: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "model": "claude-opus-4-5-20251101",
        "max_tokens": 32000,
        "stream": stream,
        "tools": [{"name": "Bash"}],
        "messages": list(messages) or [user("go")],
        **more,
    }


def user(*content: str | Mapping[str, Any]) -> dict[str, Any]:
    blocks = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
    return {"role": "user", "content": blocks}


def assistant(*content: str | Mapping[str, Any]) -> dict[str, Any]:
    return {**user(*content), "role": "assistant"}


def call(name: str = "Bash", call_id: str = "toolu_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def result(call_id: str = "toolu_1", *, is_error: bool = False) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "out", "is_error": is_error}


def client(server: RehearsalServer, request: SessionRequest | None = None) -> httpx.AsyncClient:
    """A client that speaks as the CLI of `request`."""
    environment = server.endpoint.environment(request or session_request())
    headers = {"x-api-key": environment["ANTHROPIC_API_KEY"]}
    return httpx.AsyncClient(base_url=environment["ANTHROPIC_BASE_URL"], headers=headers, trust_env=False, timeout=30)


def parse(stream: str) -> list[dict[str, Any]]:
    """The events of a `text/event-stream`."""
    return [json.loads(chunk.split("data: ", 1)[1]) for chunk in stream.strip().split("\n\n")]


def text_of(events: Sequence[Mapping[str, Any]]) -> str:
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)


def check_structured_answers(checked: Scenario) -> None:
    """Every structured answer fits the model its role is asked for, placeholders filled in."""
    for entry in checked.answers:
        model = MODELS.get(entry.role) or MODELS.get(f"{entry.role}/{entry.phase}") or Draft
        for turn in entry.turns:
            if turn.tool == "StructuredOutput":
                model.model_validate(turn.filled({"subject": "slug", "directory": "/p"}).input)
