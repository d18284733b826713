"""The tools and words of a session, through the real CLI."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.base import AgentOutput, PermissionAsk, ToolReturned
from orchestrator_tui.agents.decision import Decision, allow, ask, deny
from orchestrator_tui.agents.discreet import DiscreetCounsel
from orchestrator_tui.agents.rehearsal import server
from orchestrator_tui.agents.rehearsal.model import decide
from orchestrator_tui.config.secrets import mask_tokens
from orchestrator_tui.domain.errors import ToolRefused
from tests.agents.support import SCHEMA, end_of, rehearsed


@dataclass
class Listening:
    """A counsel that remembers what it was asked; `words` are handed over one a step."""

    words: list[str] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    decision: Decision = field(default_factory=allow)

    @property
    def patience_seconds(self) -> float:
        return 5.0

    def next_words(self, call_id: str) -> str:
        return self.words.pop(0) if self.words else ""

    async def permit(self, ask: PermissionAsk) -> Decision:
        self.asked.append(ask)
        return self.decision

    async def ask_user(self, question: str, choices: Sequence[str]) -> str:
        self.asked.append((question, tuple(choices)))
        return "Take the blue one."

    async def read_work_item(self, key: str) -> str:
        raise ToolRefused(f"There is no {key}.")

    async def comment_on_work_item(self, key: str, text: str) -> str:
        self.asked.append((key, text))
        return "Noted."

    async def report_progress(self, text: str) -> str:
        self.asked.append(text)
        return "Told."


def own(name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": f"mcp__orchestrator__{name}", "input": arguments}


def bash(command: str) -> dict[str, Any]:
    return {"tool": "Bash", "input": {"command": command}}


def results(outputs: Sequence[AgentOutput]) -> list[str]:
    return [output.output for output in outputs if isinstance(output, ToolReturned)]


async def test_an_agent_asks_and_reports_and_is_told_what_does_not_fit(tmp_path: Path) -> None:
    counsel = Listening()
    turns = [
        own("ask_user", question="Blue\x1b[2J or red?", choices=["blue", "red"]),
        own("report_progress", text="half\nway"),
        own("comment_on_work_item", key="TASK-1", text="Look here."),
        own("read_work_item", key="TASK-9"),
        own("ask_user", question="   "),
        {"structured": {"status": "done"}},
    ]
    async with rehearsed(tmp_path, turns, output_schema=SCHEMA, counsel=counsel) as rig:
        outputs = await rig.turn()
    assert end_of(outputs).structured == {"status": "done"}
    assert counsel.asked == [("Blue[2J or red?", ("blue", "red")), "half way", ("TASK-1", "Look here.")]
    said = results(outputs)
    assert said[0] == "Take the blue one." and "There is no TASK-9." in said[3] and "question is missing" in said[4]


async def test_words_reach_the_model_with_its_next_result_and_no_turn_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def listen(scenario: Any, session: Any, body: Any) -> Any:
        heard.append(json.dumps(body["messages"]))
        return decide(scenario, session, body)

    monkeypatch.setattr(server, "decide", listen)
    turns = [bash("ls"), bash("ls"), {"structured": {"status": "early"}}, {"structured": {"status": "late"}}]
    counsel = Listening(words=["PURPLE", "", "LAST"])
    async with rehearsed(tmp_path, turns, output_schema=SCHEMA, counsel=counsel) as rig:
        outputs = await rig.turn()
    assert end_of(outputs).structured == {"status": "late"}
    assert ["PURPLE" in said for said in heard] == [False, True, True, True]
    assert ["LAST" in said for said in heard] == [False, False, False, True]


async def test_a_command_left_to_a_person_runs_only_when_allowed(tmp_path: Path) -> None:
    counsel = Listening(decision=deny("Not on a Sunday."))

    def judge(call: gate.ToolCall) -> Decision:
        return ask("it reaches the network", "touch a.txt") if call.tool == "Bash" else gate.judge(call)

    turns = [bash("touch a.txt"), {"structured": {"status": "done"}}]
    async with rehearsed(tmp_path, turns, output_schema=SCHEMA, counsel=counsel, judge=judge) as rig:
        outputs = await rig.turn()
        assert results(outputs)[0].endswith("Not on a Sunday.") and not (rig.project / "a.txt").exists()
        counsel.decision = allow()
        await rig.turn()
        assert (rig.project / "a.txt").exists()
    assert counsel.asked == 2 * [
        PermissionAsk(command="touch a.txt", reason="it reaches the network", pattern="touch a.txt")
    ]


async def test_nobody_is_told_a_credential_and_none_is_allowed_for_good() -> None:
    counsel, key = Listening(), "ghp_" + "aB3d" * 9
    discreet = DiscreetCounsel(counsel, mask_tokens)
    await discreet.ask_user(f"Use {key}?", [key, "no"])
    await discreet.comment_on_work_item("TASK-1", f"It is {key}.")
    await discreet.report_progress(key)
    assert counsel.asked == [("Use ***?", ("***", "no")), ("TASK-1", "It is ***."), "***"]
    decision = await discreet.permit(PermissionAsk(command=f"curl -u {key} x", reason="It is outside.", pattern="curl"))
    assert not decision.allowed and "credential" in decision.reason and len(counsel.asked) == 3
    assert (await discreet.permit(PermissionAsk(command="curl x", reason="", pattern="curl x"))).allowed
