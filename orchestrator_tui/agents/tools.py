"""The tools that this program gives its agents, as an MCP server in this process."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from claude_agent_sdk import McpSdkServerConfig, SdkMcpTool, create_sdk_mcp_server, tool

from orchestrator_tui.agents.base import Counsel
from orchestrator_tui.agents.gate import COUNSEL_SERVER
from orchestrator_tui.domain.errors import OrchestratorError, ToolRefused
from orchestrator_tui.domain.text import clean, one_line

logger = logging.getLogger(__name__)

QUESTION, COMMENT, REPORT, KEY, CHOICE = 2_000, 4_000, 500, 40, 200
"""The longest texts that are taken, in characters."""
MOST_CHOICES = 8

_KEY = {"type": "string", "description": "The item's key, such as TASK-3.", "maxLength": KEY}

Handler = Callable[[Mapping[str, Any]], Awaitable[str]]


def counsel_server(counsel: Counsel) -> McpSdkServerConfig:
    """The server with the tools of one session."""

    async def ask_user(given: Mapping[str, Any]) -> str:
        return await counsel.ask_user(_text(given, "question", QUESTION), _choices(given.get("choices")))

    async def read_work_item(given: Mapping[str, Any]) -> str:
        return await counsel.read_work_item(_line(given, "key", KEY))

    async def comment_on_work_item(given: Mapping[str, Any]) -> str:
        return await counsel.comment_on_work_item(_line(given, "key", KEY), _text(given, "text", COMMENT))

    async def report_progress(given: Mapping[str, Any]) -> str:
        return await counsel.report_progress(_line(given, "text", REPORT))

    tools = [
        _tool(
            "ask_user",
            "Ask the person in charge one question, when what is to be built depends on the answer and nothing here "
            "tells it. It may take long. The answer is the result.",
            ask_user,
            {
                "question": {
                    "type": "string",
                    "description": "One question, understandable without this conversation.",
                    "maxLength": QUESTION,
                },
                "choices": {
                    "type": "array",
                    "description": "Likely answers, the one you would take first.",
                    "items": {"type": "string", "maxLength": CHOICE},
                    "maxItems": MOST_CHOICES,
                },
            },
            required=("question",),
        ),
        _tool("read_work_item", "Read a work item of this project with its notes.", read_work_item, {"key": _KEY}),
        _tool(
            "comment_on_work_item",
            "Leave a note on a work item of this project, for whoever works on it later.",
            comment_on_work_item,
            {"key": _KEY, "text": {"type": "string", "description": "The note.", "maxLength": COMMENT}},
        ),
        _tool(
            "report_progress",
            "Tell people in one line how far you are, when a larger step is done.",
            report_progress,
            {"text": {"type": "string", "description": "One line.", "maxLength": REPORT}},
        ),
    ]
    return create_sdk_mcp_server(COUNSEL_SERVER, tools=tools)


def _tool(
    name: str,
    description: str,
    handler: Handler,
    properties: Mapping[str, Any],
    required: tuple[str, ...] | None = None,
) -> SdkMcpTool[Any]:
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }

    async def call(given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return _result(await handler(given))
        except OrchestratorError as error:
            return _result(error.line(), is_error=True)
        except Exception:
            # An agent can do without; its session must not end for it.
            logger.exception("an agent could not be answered by %s", name)
            return _result(f"{name} does not work now. Go on without it.", is_error=True)

    return tool(name, description, schema)(call)


def _result(text: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "is_error": is_error}


def _text(given: Mapping[str, Any], name: str, limit: int) -> str:
    """A text as people can be shown it.

    Raises:
        ToolRefused: there is none, or it is too long.
    """
    value = given.get(name)
    if not isinstance(value, str) or not clean(value).strip():
        raise ToolRefused(f"{name} is missing.", hint="Give it as text.")
    if len(value) > limit:
        raise ToolRefused(f"{name} has {len(value)} characters.", hint=f"At most {limit} are taken.")
    return clean(value).strip()


def _line(given: Mapping[str, Any], name: str, limit: int) -> str:
    return one_line(_text(given, name, limit), limit)


def _choices(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST_CHOICES:
        raise ToolRefused("choices is no list of texts.", hint=f"At most {MOST_CHOICES} are taken.")
    return tuple(_line({"choice": choice}, "choice", CHOICE) for choice in value)
