from pathlib import Path

from orchestrator_tui.agents.gate import FILE_TOOLS, ToolCall, hook_answer
from orchestrator_tui.agents.project_rules import ProjectRules
from orchestrator_tui.config.settings import PermissionSettings
from orchestrator_tui.domain.worktrees import worktree_folder


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


def test_the_rules_of_a_project_hold_in_its_worktrees(tmp_path: Path) -> None:
    worktree = worktree_folder(tmp_path, "TASK-1")
    worktree.mkdir(parents=True)
    rules = ProjectRules()
    rules.set(tmp_path, PermissionSettings(deny=("make *",)))
    assert not rules.judge(bash(worktree, "make all")).allowed
    assert rules.judge(bash(worktree, "ls")).allowed
    for place in (tmp_path / "verify.sh", worktree.parent / "TASK-2" / "a.txt", tmp_path / ".git" / "config"):
        assert not rules.judge(bash(worktree, f"cat {place}")).allowed


def test_what_is_asked_is_no_permission_for_the_cli(tmp_path: Path) -> None:
    decision = ProjectRules().judge(bash(tmp_path, "npm ci"))
    answer = hook_answer(decision)["hookSpecificOutput"]
    assert decision.pattern == "npm ci" and answer["permissionDecision"] == "deny"
    assert "install" in answer["permissionDecisionReason"]
