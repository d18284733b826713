"""Turns one scripted answer into what the Messages API sends: a stream of events, or one message."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator_tui.agents.rehearsal.schema import FloodFault, PaceTable, UsageTable

# Arguments of a tool are not read while they are typed, so they go in larger pieces than text does.
JSON_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. `typed` marks what the model types: a delta that the scenario's pace holds back."""

    name: str
    data: Mapping[str, Any]
    typed: bool = False

    @property
    def is_delta(self) -> bool:
        return self.name == "content_block_delta"

    def encode(self) -> bytes:
        """The event as it goes over the wire (`text/event-stream`, UTF-8)."""
        data = {"type": self.name, **self.data}
        return f"event: {self.name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model makes; `id` is what its result refers to."""

    id: str
    name: str
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer of the model: a flood of text, text, a tool call; each is left out when None."""

    message_id: str
    model: str
    usage: UsageTable
    text: str | None = None
    tool: ToolCall | None = None
    flood: FloodFault | None = None

    @property
    def stop_reason(self) -> Literal["tool_use", "end_turn"]:
        return "end_turn" if self.tool is None else "tool_use"


def events(reply: Reply, pace: PaceTable) -> Iterator[Event]:
    """The events of `reply` in the order the API sends them; nothing is held in memory but the reply."""
    yield Event("message_start", {"message": _message(reply, content=[], stop_reason=None, output_tokens=1)})
    yield Event("ping", {})
    for index, (start, deltas, typed) in enumerate(_blocks(reply, pace)):
        yield Event("content_block_start", {"index": index, "content_block": start})
        for delta in deltas:
            yield Event("content_block_delta", {"index": index, "delta": delta}, typed=typed)
        yield Event("content_block_stop", {"index": index})
    usage = {"output_tokens": reply.usage.output_tokens}
    yield Event("message_delta", {"delta": {"stop_reason": reply.stop_reason, "stop_sequence": None}, "usage": usage})
    yield Event("message_stop", {})


def message(reply: Reply) -> Mapping[str, Any]:
    """`reply` as the one JSON object that answers a request without `stream`."""
    texts = ["".join(_flood_texts(reply.flood))] if reply.flood else []
    texts += [reply.text] if reply.text is not None else []
    content: list[Mapping[str, Any]] = [{"type": "text", "text": text} for text in texts]
    if reply.tool is not None:
        content.append(_tool_block(reply.tool, reply.tool.input))
    return _message(reply, content=content, stop_reason=reply.stop_reason, output_tokens=reply.usage.output_tokens)


def garbage(reply: Reply) -> Iterator[bytes]:
    """A stream that begins well and then is no stream of events any more."""
    start = Event("message_start", {"message": _message(reply, content=[], stop_reason=None, output_tokens=1)})
    yield start.encode()
    yield b'event: content_block_start\ndata: {"type": "content_block_start", "index": 0, "content_blo\n\n'
    yield b"event: content_block_delta\ndata: \xff\xfe{]}\n\n"


def error_body(status: int, text: str, request_id: str) -> Mapping[str, Any]:
    """The body of an HTTP error as the API writes it."""
    return {"type": "error", "error": {"type": _error_type(status), "message": text}, "request_id": request_id}


_Block = tuple[Mapping[str, Any], Iterator[Mapping[str, Any]], bool]


def _blocks(reply: Reply, pace: PaceTable) -> Iterator[_Block]:
    if reply.flood is not None:
        yield {"type": "text", "text": ""}, map(_text_delta, _flood_texts(reply.flood)), False
    if reply.text is not None:
        yield {"type": "text", "text": ""}, map(_text_delta, _pieces(reply.text, pace.delta_characters)), True
    if reply.tool is not None:
        typed = _pieces(json.dumps(reply.tool.input, ensure_ascii=False), JSON_CHARACTERS)
        yield _tool_block(reply.tool, {}), map(_json_delta, typed), False


def _message(
    reply: Reply, *, content: list[Mapping[str, Any]], stop_reason: str | None, output_tokens: int
) -> Mapping[str, Any]:
    return {
        "id": reply.message_id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": reply.usage.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
        },
    }


def _tool_block(tool: ToolCall, given: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "tool_use", "id": tool.id, "name": tool.name, "input": given}


def _text_delta(text: str) -> Mapping[str, Any]:
    return {"type": "text_delta", "text": text}


def _json_delta(text: str) -> Mapping[str, Any]:
    return {"type": "input_json_delta", "partial_json": text}


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _flood_texts(flood: FloodFault) -> Iterator[str]:
    for number in range(flood.deltas):
        line = f"{number} "
        yield (line * (flood.characters // len(line) + 1))[: flood.characters - 1] + "\n"


def _error_type(status: int) -> str:
    match status:
        case 401:
            return "authentication_error"
        case 402:
            return "billing_error"
        case 403:
            return "permission_error"
        case 404:
            return "not_found_error"
        case 413:
            return "request_too_large"
        case 429:
            return "rate_limit_error"
        case 504:
            return "timeout_error"
        case 529:
            return "overloaded_error"
        case _:
            return "api_error" if status >= 500 else "invalid_request_error"
