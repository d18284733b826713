import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents import claude, gate
from orchestrator_tui.agents.base import (
    AgentOutput,
    ApiRetried,
    CalledTool,
    Said,
    SessionRequest,
    TextDelta,
    ToolReturned,
)
from orchestrator_tui.agents.claude import ClaudeRuntime
from orchestrator_tui.agents.decision import Decision
from orchestrator_tui.agents.environment import RUN_ID, THIS_RUN, AccountEndpoint
from orchestrator_tui.agents.gate import ToolCall
from orchestrator_tui.agents.prices import least_cost
from orchestrator_tui.domain.errors import AgentFailed, CredentialsMissing
from tests.agents.support import SCHEMA, cli_pid, end_of, environments_of, paths_in, rehearsed, request_in

STALL = {
    "say": "Now I wait for a long time.",
    "fault": {"kind": "stall", "seconds": 600, "after_deltas": 1, "times": 9},
}
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def bash(command: str) -> dict[str, Any]:
    return {"tool": "Bash", "input": {"command": command}}


async def seen(file: Path) -> None:
    while not file.exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)


def returned(outputs: list[AgentOutput]) -> list[ToolReturned]:
    return [output for output in outputs if isinstance(output, ToolReturned)]


async def test_a_session_says_what_it_does_and_ends_once(tmp_path: Path) -> None:
    turns = [
        {"say": "I write it.", "tool": "Write", "input": {"file_path": "${directory}/a.txt", "content": "hello\n"}},
        {"tool": "Edit", "input": {"file_path": "${directory}/a.txt", "old_string": "hello", "new_string": "bye"}},
        bash("cat a.txt"),
        {"structured": {"status": "done"}},
    ]
    async with rehearsed(tmp_path, turns, output_schema=SCHEMA) as rig:
        outputs = await rig.turn()
    end = end_of(outputs)
    assert end.structured == {"status": "done"} and end.error_kind is None and end.cli_session_id
    assert [output.tool for output in outputs if isinstance(output, CalledTool)] == [
        "Write", "Edit", "Bash", "StructuredOutput",
    ]  # fmt: skip
    assert not any(output.is_error for output in returned(outputs)) and returned(outputs)[2].output == "bye"
    assert "".join(output.text for output in outputs if isinstance(output, TextDelta)) == "I write it."
    assert [output.text for output in outputs if isinstance(output, Said)] == ["I write it."]


async def test_usage_is_that_of_the_whole_session(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, [{"say": "one"}]) as rig:
        first, second = end_of(await rig.turn()), end_of(await rig.turn())
    assert (first.usage.input_tokens, first.usage.output_tokens) == (100, 10) and first.usage.cost_usd > 0
    assert (second.usage.input_tokens, second.usage.output_tokens) == (200, 20)
    tokens = replace(first.usage, cost_usd=0.0)
    assert first.usage.cost_usd == pytest.approx(least_cost(tokens, "claude-opus-4-5-20251101"))
    assert second.usage.cost_usd == pytest.approx(2 * first.usage.cost_usd)
    assert first.text == second.text == "one"


async def test_what_is_outside_the_project_stays_out_of_reach(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "link").symlink_to(tmp_path)
    (tmp_path / "secret").write_text("planted secret")
    refused = [
        {"tool": "Read", "input": {"file_path": str(tmp_path / "secret")}},
        {"tool": "Read", "input": {"file_path": "${directory}/link/secret"}},
        {"tool": "Write", "input": {"file_path": "${directory}/link/new", "content": "x"}},
        {"tool": "Write", "input": {"file_path": "${directory}/.git/config", "content": "x"}},
        {"tool": "Glob", "input": {"pattern": "../*"}},
        {"tool": "Grep", "input": {"pattern": "planted", "path": str(tmp_path)}},
        bash(f"cat {tmp_path}/secret"),
        bash("python3 -c 'print(1)'"),
        bash("git push --force"),
        {"tool": "Bash", "input": {"command": "ls", "run_in_background": True}},
        {"tool": "WebFetch", "input": {"url": "http://127.0.0.1", "prompt": "x"}},
    ]
    async with rehearsed(tmp_path, refused) as rig:
        answers = returned(await rig.turn())
    assert len(answers) == len(refused) and all(answer.is_error for answer in answers)
    assert not any("planted" in answer.output for answer in answers)
    assert not (tmp_path / "new").exists() and not (project / ".git").exists()
    assert "outside the project" in answers[0].output and "history" in answers[8].output


async def test_a_link_that_is_exchanged_after_the_check_leads_nowhere_new(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "real").mkdir(parents=True)
    (project / "real" / "a.txt").write_text("harmless")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.txt").write_text("planted secret")
    alias = project / "alias"
    alias.symlink_to(project / "real")

    def check_then_exchange(call: ToolCall) -> Decision:
        decision = gate.judge(call)
        alias.unlink()
        alias.symlink_to(tmp_path / "outside")
        return decision

    turns = [{"tool": "Read", "input": {"file_path": "${directory}/alias/a.txt"}}]
    async with rehearsed(tmp_path, turns, judge=check_then_exchange) as rig:
        [answer] = returned(await rig.turn())
    assert "harmless" in answer.output and "planted" not in answer.output


async def test_a_call_runs_once_the_project_is_certainly_ours(tmp_path: Path) -> None:
    asked, renewed = asyncio.Event(), asyncio.Event()

    async def lease_holds() -> None:
        asked.set()
        await renewed.wait()

    made = tmp_path / "project" / "made"
    write = {"tool": "Write", "input": {"file_path": str(made), "content": "x"}}
    async with rehearsed(tmp_path, [write, {"say": "Done."}], lease_holds=lease_holds) as rig:
        turn = asyncio.create_task(rig.turn())
        await asked.wait()
        assert not made.exists()
        renewed.set()
        (answer,) = returned(await turn)
    assert not answer.is_error
    assert made.exists()


async def test_no_call_runs_whose_lease_is_not_renewed_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude, "_HOOK_SECONDS", 1.0)

    async def lease_holds() -> None:
        await asyncio.Event().wait()

    project = tmp_path / "project"
    turns: list[dict[str, Any]] = [
        {"tool": "Write", "input": {"file_path": str(project / "made"), "content": "x"}},
        bash("touch made"),
        {"say": "I give up."},
    ]
    async with rehearsed(tmp_path, turns, lease_holds=lease_holds) as rig:
        answers = returned(await rig.turn())
    assert [answer.is_error for answer in answers] == [True, True]
    assert not (project / "made").exists()


async def test_a_check_that_fails_denies(tmp_path: Path) -> None:
    def broken(call: ToolCall) -> Decision:
        raise RuntimeError("planted failure")

    turns = [{"tool": "Write", "input": {"file_path": "${directory}/a", "content": "x"}}, bash("pwd"), bash("touch b")]
    async with rehearsed(tmp_path, turns, judge=broken) as rig:
        answers = returned(await rig.turn())
        assert [answer.is_error for answer in answers] == [True, True, True]
        assert not any("planted" in answer.output for answer in answers)
        assert list(rig.project.iterdir()) == []


async def test_a_check_that_answers_nonsense_denies(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, [bash("touch a")], judge=lambda call: None) as rig:  # type: ignore[arg-type,return-value]
        assert [answer.is_error for answer in returned(await rig.turn())] == [True]
        assert list(rig.project.iterdir()) == []


async def test_settings_in_the_project_and_in_the_home_are_not_used(tmp_path: Path) -> None:
    hook = {"matcher": "", "hooks": [{"type": "command", "command": f"touch {tmp_path}/hooked"}]}
    settings = json.dumps({"hooks": {"PreToolUse": [hook], "SessionStart": [hook]}, "env": {"PLANTED": "1"}})
    for folder in (tmp_path / "project", tmp_path / "home"):
        (folder / ".claude").mkdir(parents=True)
        (folder / ".claude" / "settings.json").write_text(settings)
    environ = {**os.environ, "HOME": str(tmp_path / "home")}
    async with rehearsed(tmp_path, [bash("echo $PLANTED; pwd")], environ=environ) as rig:
        [answer] = returned(await rig.turn())
    assert answer.output == str(tmp_path / "project") and not (tmp_path / "hooked").exists()


@linux_only
async def test_nothing_of_the_parents_environment_reaches_the_cli_or_its_tools(tmp_path: Path) -> None:
    planted = {
        "ANTHROPIC_API_KEY": "planted", "ANTHROPIC_BASE_URL": "http://planted", "CLAUDE_CODE_OAUTH_TOKEN": "planted",
        "AWS_SECRET_ACCESS_KEY": "planted", "HTTP_PROXY": "http://planted:1", "https_proxy": "http://planted:1",
        "CLAUDE_CONFIG_DIR": "/planted", "LD_LIBRARY_PATH": "/planted", "PLANTED": "planted", "HOME": "/planted",
    }  # fmt: skip
    project = tmp_path / "project"
    project.mkdir()
    (project / "show.py").write_text("import json, os; json.dump(dict(os.environ), open('part', 'w'))")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in planted.items():
            patch.setenv(name, value)
        async with rehearsed(tmp_path, [bash("python3 show.py && mv part shown.json"), STALL]) as rig:
            turn = asyncio.create_task(rig.turn())
            await seen(project / "shown.json")
            of_cli = environments_of(rig.request.agent_id)[cli_pid(rig.request.agent_id)]
            await rig.session.interrupt()
            await turn
    of_tool = json.loads((project / "shown.json").read_text())
    for environment in (of_cli, of_tool):
        assert not [name for name, value in environment.items() if "planted" in value]
        assert environment[RUN_ID] == THIS_RUN
    assert not [name for name in of_tool if name.startswith("ANTHROPIC_") or "TOKEN" in name]
    assert of_cli["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
    assert set(of_cli) <= {
        "PATH", "HOME", "LANG", "LANGUAGE", "TERM", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL", "PWD",
        "NO_PROXY", "no_proxy", "GIT_CEILING_DIRECTORIES",
        "GIT_TERMINAL_PROMPT", "DISABLE_AUTOUPDATER", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL",
        *(name for name in of_cli if name.startswith(("CLAUDE_", "ORCHESTRATOR_", "LC_"))),
    }  # fmt: skip


async def test_an_interrupt_ends_the_turn_and_the_session_goes_on(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, [STALL]) as rig:
        outputs = []
        async for output in rig.session.turn("Do it."):
            outputs.append(output)
            if isinstance(output, TextDelta):
                await rig.session.interrupt()
        assert end_of(outputs).error_kind == "interrupted"
        again = []
        async for output in rig.session.turn("Go on."):
            again.append(output)
            if isinstance(output, TextDelta):
                await rig.session.interrupt()
        assert end_of(again).error_kind == "interrupted"


async def test_an_interrupt_stops_a_running_tool(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, [bash("touch started && sleep 50")]) as rig:
        turn = asyncio.create_task(rig.turn())
        await seen(rig.project / "started")
        async with asyncio.timeout(10):
            await rig.session.interrupt()
            assert end_of(await turn).error_kind == "interrupted"


@linux_only
async def test_a_killed_cli_ends_the_turn_with_process(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, [STALL]) as rig:
        outputs = []
        async for output in rig.session.turn("Do it."):
            outputs.append(output)
            if isinstance(output, TextDelta):
                os.kill(cli_pid(rig.request.agent_id), signal.SIGKILL)
        end = end_of(outputs)
        assert end.error_kind == "process" and end.error and end.usage.input_tokens == 100
        assert end.usage.cost_usd == pytest.approx(100 * 5 / 1e6)
        assert end_of(await rig.turn()).error_kind == "process"


@linux_only
async def test_leaving_a_session_ends_all_its_processes(tmp_path: Path) -> None:
    left_behind = bash("nohup sleep 50 > /dev/null 2>&1 & touch up && sleep 50")
    async with rehearsed(tmp_path, [left_behind], agent_id="agent-leaving") as rig:
        turn = asyncio.create_task(rig.turn())
        await seen(rig.project / "up")
        assert len(environments_of("agent-leaving")) > 1
    assert not environments_of("agent-leaving")
    assert end_of(await turn).error_kind in ("interrupted", "process")


@linux_only
async def test_cancelling_a_turn_leaves_no_process(tmp_path: Path) -> None:
    talking = asyncio.Event()

    async def talk() -> None:
        async with rehearsed(tmp_path, [STALL], agent_id="agent-cancelled") as rig:
            async for _ in rig.session.turn("Do it."):
                talking.set()

    task = asyncio.create_task(talk())
    await talking.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled() and not environments_of("agent-cancelled")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "rate_limit"),
        (529, "server_error"),
        (500, "server_error"),
        (401, "authentication_failed"),
        (400, "invalid_request"),
    ],
)
async def test_errors_of_the_api_end_the_turn_with_their_kind(tmp_path: Path, status: int, kind: str) -> None:
    fault = {"say": "never", "fault": {"kind": "status", "status": status, "times": 50}}
    async with rehearsed(tmp_path, [fault]) as rig:
        end = end_of(await rig.turn())
    assert (end.error_kind, end.status) == (kind, status) and end.error


async def test_an_error_that_passes_is_told_and_retried(tmp_path: Path) -> None:
    fault = {"say": "fine", "fault": {"kind": "status", "status": 529, "times": 1}}
    async with rehearsed(tmp_path, [fault], api_retries=2) as rig:
        outputs = await rig.turn()
    [retry] = [output for output in outputs if isinstance(output, ApiRetried)]
    assert (retry.attempt, retry.max_attempts, retry.status) == (1, 2, 529) and retry.delay_seconds > 0
    assert end_of(outputs).error_kind is None and end_of(outputs).text == "fine"


async def test_too_many_turns_and_too_much_money_have_kinds_of_their_own(tmp_path: Path) -> None:
    turns = [bash("pwd"), bash("ls"), bash("pwd"), {"say": "done"}]
    async with rehearsed(tmp_path, turns, max_turns=1) as rig:
        assert end_of(await rig.turn()).error_kind == "max_turns"
    async with rehearsed(tmp_path, turns, max_budget_usd=0.000001) as rig:
        assert end_of(await rig.turn()).error_kind == "max_budget"


async def test_a_flood_of_deltas_costs_nobody_a_message(tmp_path: Path) -> None:
    flood = {"say": "end", "fault": {"kind": "flood", "deltas": 3000, "characters": 10}}
    async with rehearsed(tmp_path, [flood]) as rig:
        outputs = []
        async for output in rig.session.turn("Do it."):
            await asyncio.sleep(0.01)
            outputs.append(output)
    text = "".join(output.text for output in outputs if isinstance(output, TextDelta))
    assert len(text) >= 30_000 and len(outputs) < 1000 and end_of(outputs).error_kind is None


async def test_a_folder_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed, match="is not a folder") as failure:
        async with rehearsed(tmp_path, [STALL], directory=tmp_path / "missing"):
            pass
    assert failure.value.kind == "process"


async def test_a_session_without_credentials_does_not_start(tmp_path: Path) -> None:
    runtime = ClaudeRuntime(AccountEndpoint({}), paths=paths_in(tmp_path), parent_environ={}, api_retries=0)
    with pytest.raises(CredentialsMissing):
        async with runtime.session(request_in(tmp_path)):
            pass
    assert not runtime.scripted


@dataclass
class Listener:
    """A model that takes one request and refuses it; `bodies` holds what was asked."""

    url: str
    bodies: list[bytes]
    scripted: bool = True
    account: str = ""

    def environment(self, request: SessionRequest) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": "any"}


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    bodies: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        bodies.append(await reader.readexactly(int(length[1]) if length else 0))
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield Listener(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", bodies)


@pytest.mark.parametrize("prompt", ["Look at @{file} now.", "/compact", "@{file}", "/init {file}"])
async def test_a_prompt_reaches_the_model_word_for_word(tmp_path: Path, prompt: str) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("planted content")
    prompt = prompt.format(file=file)
    async with listening() as endpoint:
        runtime = ClaudeRuntime(endpoint, paths=paths_in(tmp_path), parent_environ=os.environ, api_retries=0)
        async with runtime.session(request_in(tmp_path)) as session:
            end = end_of([output async for output in session.turn(prompt)])
        assert end.error_kind == "invalid_request"
        asked = b"".join(endpoint.bodies).decode()
    assert json.dumps(prompt)[1:-1] in asked and "planted content" not in asked
