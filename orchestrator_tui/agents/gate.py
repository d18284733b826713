"""Decides every tool call of a session: which tools it has, which files they reach, which commands Bash may run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orchestrator_tui.agents import policy, sandbox
from orchestrator_tui.agents.decision import Decision, allow, deny
from orchestrator_tui.agents.rules import NO_RULES, Rules

FILE_TOOLS = frozenset({"Read", "Write", "Edit", "Glob", "Grep"})
ANSWER_TOOL = "StructuredOutput"
COUNSEL_SERVER = "orchestrator"
COUNSEL_TOOLS = frozenset(
    f"mcp__{COUNSEL_SERVER}__{name}"
    for name in ("ask_user", "read_work_item", "comment_on_work_item", "report_progress")
)
"""Tools of this program's own; they check their arguments themselves, and touch no file."""
BROKEN = "The check of this tool call failed, so it was not run. Try it another way, or leave it out."


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool call before it runs.

    Attributes:
        here: the folder the session's shell stands in.
        tools: names of the tools the session has. readable: folders outside of `directory` that may be read.
    """

    tool: str
    arguments: Mapping[str, Any]
    directory: Path
    here: Path
    tools: frozenset[str]
    readable: tuple[Path, ...] = ()


Judge = Callable[[ToolCall], Decision]


def judge(call: ToolCall, rules: Rules = NO_RULES) -> Decision:
    """Whether a tool call may run, by the project's `rules`; it reads the file system, so it belongs in a thread."""
    if call.tool not in call.tools:
        return deny(f"This session has no tool {call.tool}. It has: {', '.join(sorted(call.tools))}.")
    if call.tool == ANSWER_TOOL:
        return allow("the answer")
    if call.tool in COUNSEL_TOOLS:
        return allow("a tool of the program that runs the session")
    if call.tool in FILE_TOOLS:
        boundary = sandbox.Boundary.around(call.directory, call.readable)
        return sandbox.decide(call.tool, call.arguments, boundary, call.here)
    if call.tool == "Bash":
        return _judge_bash(call, rules)
    return deny(f"{call.tool} is not allowed. Use Read, Write, Edit, Glob, Grep or Bash.")


def _judge_bash(call: ToolCall, rules: Rules) -> Decision:
    if call.arguments.get("run_in_background"):
        return deny("Nothing may run in the background. Run it in the foreground, with a time limit.")
    if call.arguments.get("dangerouslyDisableSandbox"):
        return deny("The sandbox stays on. Leave dangerouslyDisableSandbox out.")
    command = call.arguments.get("command")
    if not isinstance(command, str):
        return deny("The command is missing. Give it as text.")
    return policy.decide(command, directory=call.directory, here=call.here, rules=rules)


def call_from(
    data: Mapping[str, Any], *, directory: Path, tools: frozenset[str], readable: tuple[Path, ...]
) -> ToolCall:
    """A tool call as the CLI's hook reports it.

    Raises:
        KeyError, TypeError: the report is not what is expected.
    """
    tool, arguments, here = data["tool_name"], data["tool_input"], data.get("cwd") or str(directory)
    if not isinstance(tool, str) or not isinstance(arguments, Mapping) or not isinstance(here, str):
        raise TypeError("a tool call of an unknown form")
    return ToolCall(
        tool=tool, arguments=arguments, directory=directory, here=Path(here), tools=tools, readable=readable
    )


def hook_answer(
    decision: Decision, arguments: Mapping[str, Any] = MappingProxyType({}), words: str = ""
) -> dict[str, Any]:
    """A decision in the form the CLI's `PreToolUse` hook must answer; in any other form it would let the tool run.

    `arguments` are the call's: the file of an allowed one is replaced by what its path was found to lead to. `words`
    reach the model together with the tool's result.
    """
    answer: dict[str, Any] = {
        "hookEventName": "PreToolUse",
        "permissionDecision": "allow" if decision.allowed else "deny",
        "permissionDecisionReason": decision.reason,
    }
    if decision.allowed and decision.place is not None:
        answer["updatedInput"] = {**arguments, "file_path": str(decision.place)}
    if words:
        answer["additionalContext"] = words
    return {"hookSpecificOutput": answer}
