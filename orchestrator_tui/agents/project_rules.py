"""The rules of each project at work here, and the judge of its tool calls."""

from collections.abc import Iterable
from pathlib import Path

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.decision import Decision
from orchestrator_tui.agents.rules import NO_RULES, Rules
from orchestrator_tui.config.settings import PermissionSettings


class ProjectRules:
    """Rules by the project's directory; a change holds from the next tool call on."""

    def __init__(self) -> None:
        self._rules: dict[Path, Rules] = {}

    def set(self, directory: Path, settings: PermissionSettings, granted: Iterable[object]) -> None:
        """Take over a project's settings, and the commands that a person granted in it; what is no text is left out."""
        commands = [command for command in granted if isinstance(command, str)]
        self._rules[directory] = Rules.of(settings, commands)

    def judge(self, call: gate.ToolCall) -> Decision:
        """Whether a tool call may run in its project; it reads the file system, so it belongs in a thread."""
        return gate.judge(call, self._rules.get(call.directory, NO_RULES))
