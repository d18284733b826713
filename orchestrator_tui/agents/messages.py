"""What the messages of the SDK mean, in the words of the interface."""

from collections.abc import Iterator, Mapping
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from orchestrator_tui.agents.base import (
    AgentOutput,
    ApiRetried,
    CalledTool,
    LimitChanged,
    Said,
    TextDelta,
    ToolReturned,
    Working,
)
from orchestrator_tui.agents.turn_log import Result, TurnLog, shown_output, usage_of_models


def outputs_of(message: Message, log: TurnLog) -> Iterator[AgentOutput]:
    """What one message of the SDK means; `log` keeps what the end of the turn needs."""
    match message:
        case StreamEvent(parent_tool_use_id=None):
            yield from _streamed(message.event, log)
        case AssistantMessage(error=str(error)):
            log.api_error(error)
        case AssistantMessage():
            yield from _assistant(message, log)
        case UserMessage(content=list(blocks)):
            for block in blocks:
                if isinstance(block, ToolResultBlock):
                    yield _returned(block)
        case SystemMessage(subtype="api_retry"):
            yield _retried(message.data)
        case RateLimitEvent(rate_limit_info=limit):
            yield LimitChanged(status=limit.status, resets_at=limit.resets_at, kind=limit.rate_limit_type)
        case ResultMessage():
            yield log.ended(_result(message))


def _streamed(event: Mapping[str, Any], log: TurnLog) -> Iterator[AgentOutput]:
    log.streamed(event)
    match event:
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
            yield TextDelta(text=text)
        case {"type": "content_block_delta"}:
            yield Working()


def _assistant(message: AssistantMessage, log: TurnLog) -> Iterator[AgentOutput]:
    for block in message.content:
        match block:
            case TextBlock(text=text):
                log.said(text)
                yield Said(text=text)
            case ToolUseBlock():
                yield CalledTool(call_id=block.id, tool=block.name, arguments=block.input)


def _returned(block: ToolResultBlock) -> ToolReturned:
    return ToolReturned(call_id=block.tool_use_id, is_error=bool(block.is_error), output=shown_output(block.content))


def _retried(data: Mapping[str, Any]) -> ApiRetried:
    return ApiRetried(
        attempt=int(data.get("attempt") or 0),
        max_attempts=int(data.get("max_retries") or 0),
        delay_seconds=float(data.get("retry_delay_ms") or 0) / 1000,
        status=data.get("error_status"),
        error=str(data.get("error") or ""),
    )


def _result(message: ResultMessage) -> Result:
    return Result(
        subtype=message.subtype,
        is_error=message.is_error,
        status=message.api_error_status,
        terminal_reason=message.terminal_reason,
        text=message.result,
        errors=message.errors or (),
        structured=message.structured_output,
        usage=usage_of_models(message.model_usage or {}, message.total_cost_usd),
        cli_session_id=message.session_id,
    )


def session_id_of(message: Message) -> str | None:
    """The conversation that a message belongs to, when it says so."""
    told = message.data.get("session_id") if isinstance(message, SystemMessage) else None
    return told or getattr(message, "session_id", None)
