from pathlib import Path

from orchestrator_tui.agents.gate import FILE_TOOLS, ToolCall, hook_answer
from orchestrator_tui.agents.project_rules import ProjectRules
from orchestrator_tui.config.settings import PermissionSettings


def bash(directory: Path, command: str) -> ToolCall:
    tools = frozenset({*FILE_TOOLS, "Bash"})
    return ToolCall(tool="Bash", arguments={"command": command}, directory=directory, here=directory, tools=tools)


def test_each_project_has_its_own_rules(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    rules = ProjectRules()
    rules.set(one, PermissionSettings(allow=("npm ci",), deny=("make *",)))
    assert rules.judge(bash(one, "npm ci")).allowed and not rules.judge(bash(other, "npm ci")).allowed
    assert not rules.judge(bash(one, "make")).allowed and rules.judge(bash(other, "make")).allowed
    rules.set(one, PermissionSettings())
    assert not rules.judge(bash(one, "npm ci")).allowed


def test_what_is_asked_is_no_permission_for_the_cli(tmp_path: Path) -> None:
    decision = ProjectRules().judge(bash(tmp_path, "npm ci"))
    answer = hook_answer(decision)["hookSpecificOutput"]
    assert decision.pattern == "npm ci" and answer["permissionDecision"] == "deny"
    assert "install" in answer["permissionDecisionReason"]
