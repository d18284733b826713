"""The real CLI against the rehearsal's server: what it sends is what the counting of turns relies on."""

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookContext,
    HookInput,
    HookJSONOutput,
    HookMatcher,
    Message,
    RateLimitEvent,
    ResultMessage,
    StreamEvent,
    SystemMessage,
)

from orchestrator_tui.agents.rehearsal.server import RehearsalServer
from orchestrator_tui.phases.answers import WorkDone
from tests.rehearsal.support import DONE, answer, scenario, session_request

WRITE = {
    "say": "A file, as it was asked for.",
    "tool": "Write",
    "input": {"file_path": "${directory}/a.py", "content": "x = 1\n"},
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SDK hands the whole environment on to the CLI, so nothing of it may stay."""
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


async def allow(given: HookInput, call_id: str | None, context: HookContext) -> HookJSONOutput:
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}}


@asynccontextmanager
async def session(server: RehearsalServer, folder: Path, **env: str) -> AsyncIterator[ClaudeSDKClient]:
    project = folder / "project"
    project.mkdir()
    request = session_request(directory=project, output_schema=WorkDone.model_json_schema())
    environment = {**server.endpoint.environment(request), "CLAUDE_CONFIG_DIR": str(folder / "cli"), **env}
    options = ClaudeAgentOptions(
        model=request.model,
        cwd=project,
        env=environment,
        setting_sources=[],
        tools=list(request.tools),
        system_prompt=request.system_prompt,
        include_partial_messages=True,
        output_format={"type": "json_schema", "schema": request.output_schema},
        hooks={"PreToolUse": [HookMatcher(hooks=[allow])]},
    )
    async with ClaudeSDKClient(options) as cli:
        yield cli


async def say(cli: ClaudeSDKClient, prompt: str) -> tuple[list[Message], ResultMessage]:
    await cli.query(prompt)
    messages = [message async for message in cli.receive_response()]
    assert isinstance(messages[-1], ResultMessage)
    return messages, messages[-1]


def streamed_text(messages: Sequence[Message]) -> str:
    events: list[dict[str, Any]] = [message.event for message in messages if isinstance(message, StreamEvent)]
    return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")


async def test_tools_run_and_a_second_prompt_is_a_second_attempt(tmp_path: Path) -> None:
    command = {"tool": "Bash", "input": {"command": "echo 'x = 2' > a.py"}}
    again = {"structured": {"status": "done", "summary": "second"}}
    script = scenario(answer(WRITE, DONE, attempt=1), answer(command, again, attempt=2))
    async with RehearsalServer(script) as server, session(server, tmp_path) as cli:
        messages, ended = await say(cli, "Write the module.")
        assert streamed_text(messages) == WRITE["say"]
        assert (tmp_path / "project" / "a.py").read_text() == "x = 1\n"
        assert ended.structured_output == DONE["structured"]
        _, ended = await say(cli, "The check failed.")
        assert (tmp_path / "project" / "a.py").read_text() == "x = 2\n"
        assert ended.structured_output == again["structured"]
        assert [record.kind for record in server.requests] == ["turn"] * 4


async def test_an_answer_that_does_not_fit_is_followed_by_the_next_turn(tmp_path: Path) -> None:
    wrong = {"structured": {"status": "perhaps"}}
    async with RehearsalServer(scenario(answer(wrong, DONE))) as server, session(server, tmp_path) as cli:
        _, ended = await say(cli, "Write the module.")
        assert ended.structured_output == DONE["structured"]
        assert len(server.requests) == 2


async def test_a_script_that_ends_without_the_answer_ends_the_session_without_it(tmp_path: Path) -> None:
    async with RehearsalServer(scenario(answer(WRITE))) as server, session(server, tmp_path) as cli:
        _, ended = await say(cli, "Write the module.")
        assert (ended.is_error, ended.structured_output) == (False, None)
        assert [record.kind for record in server.requests] == ["turn", "done", "done"]


async def test_the_cli_outlives_an_overload_a_cut_and_garbage(tmp_path: Path) -> None:
    faults = [{"kind": "status", "status": 529}, {"kind": "cut", "after_deltas": 1}, {"kind": "garbage"}]
    script = scenario(answer(*({"fault": fault} for fault in faults), WRITE, DONE), pace={"delta_characters": 8})
    async with RehearsalServer(script) as server, session(server, tmp_path) as cli:
        messages, ended = await say(cli, "Write the module.")
        assert ended.structured_output == DONE["structured"]
        retries = [message for message in messages if isinstance(message, SystemMessage) and "retry" in message.subtype]
        assert retries[0].data["error_status"] == 529
        assert [record.kind for record in server.requests] == ["status 529", "cut", "garbage", "turn", "turn"]


async def test_a_usage_limit_is_told_with_the_time_it_resets(tmp_path: Path) -> None:
    limit = {"fault": {"kind": "status", "status": 429, "resets_in": 3600}}
    async with RehearsalServer(scenario(answer(limit, DONE))) as server, session(server, tmp_path) as cli:
        started = time.time()
        messages, ended = await say(cli, "Write the module.")
        told = [message.rate_limit_info for message in messages if isinstance(message, RateLimitEvent)]
        assert [(info.status, info.rate_limit_type) for info in told] == [("rejected", "five_hour")]
        assert (told[0].resets_at or 0) >= started + 3600
        assert (ended.is_error, ended.api_error_status) == (True, 429)
        _, ended = await say(cli, "Go on.")
        assert ended.structured_output == DONE["structured"]


async def test_a_session_nobody_wrote_an_answer_for_ends_with_the_reason(tmp_path: Path) -> None:
    script = scenario(answer(DONE, role="repairer"))
    async with RehearsalServer(script) as server, session(server, tmp_path) as cli:
        _, ended = await say(cli, "Write the module.")
        assert ended.is_error
        assert "no answer for implement/developer/slug attempt 1" in (ended.result or "")
        assert {record.kind for record in server.requests} == {"no answer"}
