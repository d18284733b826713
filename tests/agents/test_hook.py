import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.base import PermissionAsk
from orchestrator_tui.agents.decision import Decision, allow, ask, deny
from orchestrator_tui.agents.grants import granted
from orchestrator_tui.agents.hook import make_hook
from orchestrator_tui.agents.turnstile import Turnstile
from tests.agents.support import SCHEMA, request_in
from tests.agents.test_counsel import Listening


class Broken(Listening):
    async def permit(self, ask: PermissionAsk) -> Decision:
        raise TimeoutError


async def at_once() -> None:
    """The lease holds."""


async def answered(project: Path, decision: Decision, *, tool: str = "Bash", **request: Any) -> dict[str, Any]:
    """What the hook says when the policy decides so."""
    hook = make_hook(
        request_in(project, output_schema=SCHEMA, **request),
        judge=lambda call: decision,
        readable=(),
        turnstile=Turnstile(at_once),
    )
    arguments = {"command": "curl x"} if tool == "Bash" else {}
    said = await hook({"tool_name": tool, "tool_input": arguments, "cwd": str(project)}, "call-1", None)
    answer: dict[str, Any] = json.loads(json.dumps(said))["hookSpecificOutput"]
    return answer


@pytest.mark.parametrize(
    ("counsel", "tool"),
    [
        (None, "Bash"),
        (Broken(), "Bash"),
        (Listening(decision=deny("no")), "Bash"),
        (Listening(decision=ask("still unsure")), "Bash"),
        (Listening(), "Write"),
    ],
    ids=["nobody to ask", "breaks", "denies", "does not decide", "no command"],
)
async def test_what_is_left_to_a_person_runs_only_on_a_clear_yes(
    tmp_path: Path, counsel: Listening | None, tool: str
) -> None:
    said = await answered(tmp_path, ask("it reaches the network"), tool=tool, counsel=counsel)
    assert said["permissionDecision"] == "deny" and said["permissionDecisionReason"]


async def test_a_person_s_yes_lets_it_run(tmp_path: Path) -> None:
    said = await answered(tmp_path, ask("it reaches the network"), counsel=Listening())
    assert said["permissionDecision"] == "allow"


async def test_words_go_along_with_a_call_that_runs_and_hold_an_answer_back(tmp_path: Path) -> None:
    ran = await answered(tmp_path, allow(), counsel=Listening(words=["use tabs"]))
    assert (ran["permissionDecision"], ran["additionalContext"]) == ("allow", "use tabs")
    held = await answered(tmp_path, allow(), tool=gate.ANSWER_TOOL, counsel=Listening(words=["use tabs"]))
    assert (held["permissionDecision"], held["permissionDecisionReason"]) == ("deny", "use tabs")
    kept = Listening(words=["use tabs"])
    await answered(tmp_path, deny("no"), counsel=kept)
    assert kept.words == ["use tabs"], "a call that does not run carries nothing"


async def test_the_program_s_own_tools_are_there_only_with_a_counsel(tmp_path: Path) -> None:
    for counsel, verdict in ((None, "deny"), (Listening(), "allow")):
        request = request_in(tmp_path, counsel=counsel)
        hook = make_hook(request, judge=gate.judge, readable=(), turnstile=Turnstile(at_once))
        asked = {"tool_name": "mcp__orchestrator__ask_user", "tool_input": {"question": "x"}, "cwd": str(tmp_path)}
        assert (await hook(asked, "1", None))["hookSpecificOutput"]["permissionDecision"] == verdict
        other = {**asked, "tool_name": "mcp__other__ask_user"}
        assert (await hook(other, "1", None))["hookSpecificOutput"]["permissionDecision"] == "deny"


async def test_a_call_that_changes_anything_waits_until_the_project_is_certainly_ours(tmp_path: Path) -> None:
    renewed = asyncio.Event()

    async def lease_holds() -> None:
        await renewed.wait()

    hook = make_hook(request_in(tmp_path), judge=lambda call: allow(), readable=(), turnstile=Turnstile(lease_holds))
    call = {"tool_name": "Bash", "tool_input": {"command": "touch x"}, "cwd": str(tmp_path)}
    waiting = asyncio.ensure_future(hook(call, "1", None))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    renewed.set()
    assert (await waiting)["hookSpecificOutput"]["permissionDecision"] == "allow"


@pytest.mark.parametrize(
    ("command", "is_granted"),
    [
        ("npm  run\tbuild", True),
        ("  npm run build ", True),
        ("npm run build x", False),
        ("npm run", False),
        ("npm run build; rm x", False),
        ("npm run build\nrm x", False),
        ("npm run\nbuild", False),
        ('npm run "build"', False),
        ("", False),
    ],
)
def test_a_command_is_granted_when_it_is_the_very_one(command: str, is_granted: bool) -> None:
    assert granted(command, ["ls", "npm run build"]) is is_granted


@pytest.mark.parametrize(
    ("one", "other"),
    [('echo "a  b"', 'echo "a b"'), ("echo 'a  b'", "echo 'a b'"), ("a\\  b", "a\\ b"), ('"a\\"  b"', '"a\\" b"')],
)
def test_blanks_that_are_part_of_a_word_count(one: str, other: str) -> None:
    assert granted(one, [one]) and not granted(one, [other]) and not granted(other, [one])


def test_nothing_is_granted_by_an_empty_pattern() -> None:
    assert not granted("ls", ["", " "]) and not granted("", [""])
