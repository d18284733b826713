"""The rules of each project at work here, and the judge of its tool calls."""

from pathlib import Path

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.decision import Decision
from orchestrator_tui.agents.rules import NO_RULES, Rules
from orchestrator_tui.config.settings import PermissionSettings
from orchestrator_tui.domain.worktrees import project_of


class ProjectRules:
    """Rules by the project's directory; a change holds from the next tool call on."""

    def __init__(self) -> None:
        self._rules: dict[Path, Rules] = {}

    def set(self, directory: Path, settings: PermissionSettings) -> None:
        """Take over a project's settings. What a person granted in it is looked up when it would be asked about."""
        self._rules[directory] = Rules.of(settings)

    def judge(self, call: gate.ToolCall) -> Decision:
        """Whether a tool call may run in its project; it reads the file system, so it belongs in a thread."""
        return gate.judge(call, self._rules.get(project_of(call.directory), NO_RULES))
