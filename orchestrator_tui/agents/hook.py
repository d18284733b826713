"""What happens before a tool call runs: it is judged, perhaps by a person, and a person's words go along with it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.base import Counsel, PermissionAsk, SessionRequest
from orchestrator_tui.agents.decision import Decision, Verdict, deny
from orchestrator_tui.agents.turnstile import Turnstile

logger = logging.getLogger(__name__)

Hook = Callable[[Any, str | None, Any], Awaitable[dict[str, Any]]]
"""In the form the SDK calls it: the CLI's report, the call's id, a context."""


def tools_of(request: SessionRequest) -> frozenset[str]:
    """Names of all tools a session has."""
    answer = {gate.ANSWER_TOOL} if request.output_schema is not None else set()
    counsel = gate.COUNSEL_TOOLS if request.counsel is not None else frozenset()
    return frozenset(request.tools) | answer | counsel


def make_hook(request: SessionRequest, *, judge: gate.Judge, readable: tuple[Path, ...], turnstile: Turnstile) -> Hook:
    """The session's `PreToolUse` hook. Whatever goes wrong in it is a denial."""
    tools = tools_of(request)

    async def before_tool(data: Mapping[str, Any], call_id: str | None, context: Any) -> dict[str, Any]:
        try:
            call = gate.call_from(data, directory=request.directory, tools=tools, readable=readable)
            decision = await asyncio.to_thread(judge, call)
            if decision.verdict is Verdict.ASK:
                decision = await _decided(request.counsel, call, decision)
            if not decision.allowed:
                turnstile.refuse(str(call_id))
                return gate.hook_answer(decision)
            words = request.counsel.next_words(str(call_id)) if request.counsel is not None else ""
            if words and call.tool == gate.ANSWER_TOOL:
                # After its answer the agent would hear nothing any more.
                return gate.hook_answer(deny(words))
            if call.tool in gate.COUNSEL_TOOLS:
                await turnstile.pass_by()
            else:
                await turnstile.enter(str(call_id))
            return gate.hook_answer(decision, call.arguments, words)
        except Exception:
            # The CLI runs the tool when a hook fails, so a failure must become a denial here.
            logger.exception("a tool call could not be judged, so it was denied")
            return gate.hook_answer(deny(gate.BROKEN))

    return before_tool


async def _decided(counsel: Counsel | None, call: gate.ToolCall, asked: Decision) -> Decision:
    """A person's decision about a command; a denial where nobody can be asked."""
    command = call.arguments.get("command")
    if counsel is None or call.tool != "Bash" or not isinstance(command, str):
        return deny(asked.reason)
    return await counsel.permit(PermissionAsk(command=command, reason=asked.reason, pattern=asked.pattern))
