"""Where a conversation stands, counted in the messages of one request; nothing is remembered between requests."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from orchestrator_tui.agents.base import SessionRequest
from orchestrator_tui.agents.rehearsal.scenario import STRUCTURED_TOOL

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_CUT_SHORT = "[Request interrupted by user]"
_NOTHING_SAID = "No response requested."
_RESULT_LOST = "[Tool call interrupted: the session ended before"
_READ_FIRST = re.compile(r"File has (?:not been read yet|been modified since read)")
_OF_THE_CLI = ("[structured-output-enforce]", "[Request interrupted by user")


@dataclass(frozen=True, slots=True)
class Position:
    """What the model is to say next.

    Attributes:
        prompt: number of the prompt it answers, from 1.
        turn: how many answers it has given to that prompt, from start to end.
        answered: whether the structured answer was taken since that prompt.
        read_first: the file that it has to read before it writes it.
    """

    prompt: int
    turn: int
    answered: bool
    read_first: str | None = None


def position(messages: Sequence[Mapping[str, Any]]) -> Position:
    """The position after `messages`, the history as the Messages API is sent it.

    What the CLI (2.1.330) was seen to write into the history, and what it counts as here:

    - The first user message opens with text blocks of `<system-reminder>…`, the prompt comes last; reminders are
      also appended to the text of tool results. A user message of nothing but reminders is no prompt.
    - After a structured answer it took, the CLI asks nothing more: the turn is over. The next prompt then comes in
      the same user message as that call's `tool_result`, as a text block after it. It is a prompt.
    - A structured answer that does not fit the schema comes back as an error result, and the next request follows
      at once: the model plays its next turn.
    - An answer without a tool call while a structured one is due brings the message `[structured-output-enforce]
      You MUST call the StructuredOutput tool …`, once. It is the CLI's own and no prompt.
    - What a person says while a tool runs comes inside the tool's result, in a reminder. No prompt.
    - After an interruption, the next prompt shares its message with `[Request interrupted by user…]`, behind the
      cancelled call's result if there was one. No prompt either: the model carries on, with the same turn when it was
      interrupted while it spoke (the half sentence stays in the history), with the next one when a tool was running.
    - A conversation taken up by another process gets an answer `No response requested.`, which nobody gave, before
      its next prompt, unless it ended with the model's own words. Right behind an accepted structured answer the prompt
      is one; elsewhere, also behind a prompt in that answer's message, the turn was cut short and the model carries on.
      A call whose result got lost with the process has `[Tool call interrupted: the session ended before …` for a
      result, and is played again.
    - A file that was written by a call whose result got lost is refused to the call that is played again, with `File
      has been modified since read…`. The model then reads it, which is no turn, and plays the call once more.
    """
    prompts = _prompts(messages)
    since = messages[prompts[-1] + 1 :] if prompts else messages
    return Position(
        prompt=max(1, len(prompts)),
        turn=_finished_answers(since),
        answered=any(_accepted(message, _structured_calls(since)) for message in since),
        read_first=_unread(messages[-2:]),
    )


def is_side_request(body: Mapping[str, Any], request: SessionRequest) -> bool:
    """Whether the CLI asks for something of its own (a title, a quota check) and not for the session's next turn."""
    if body.get("max_tokens") == 1:
        return True
    expects_tools = bool(request.tools) or request.output_schema is not None
    return expects_tools and not body.get("tools")


def _prompts(messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """Where in `messages` the prompts are."""
    calls = _structured_calls(messages)
    return [
        index
        for index, message in enumerate(messages)
        if _is_prompt(message, calls) and not _carries_on(messages[:index], calls)
    ]


def _carries_on(before: Sequence[Mapping[str, Any]], structured_calls: Set[str]) -> bool:
    """Whether what a person says after `before` takes up a turn that ended with its process."""
    if len(before) < 2 or not _says_nothing(before[-1]):
        return False
    # An accepted answer's message may hold the next prompt, too: then it was that one's turn that ended.
    return not _accepted(before[-2], structured_calls) or _is_prompt(before[-2], structured_calls)


def _says_nothing(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "assistant" and list(_texts(_blocks(message))) == [_NOTHING_SAID]


def _is_prompt(message: Mapping[str, Any], structured_calls: Set[str]) -> bool:
    if message.get("role") != "user":
        return False
    blocks = _blocks(message)
    if any(block.get("type") == "tool_result" for block in blocks) and not _accepted(message, structured_calls):
        return False
    said = [text for text in (_REMINDER.sub("", text).strip() for text in _texts(blocks)) if text]
    return bool(said) and not any(text.startswith(_OF_THE_CLI) for text in said)


def _finished_answers(messages: Sequence[Mapping[str, Any]]) -> int:
    around = zip([{}, *messages], messages, [*messages[1:], {}], strict=False)
    return sum(
        message.get("role") == "assistant"
        and not _says_nothing(message)
        and not _is_cut_short(after)
        and not _wants_reading(after)
        and not _wants_reading(before)
        for before, message, after in around
    )


def _wants_reading(message: Mapping[str, Any]) -> bool:
    """Whether the CLI refused to write a file that the model has not read as it is."""
    return any(
        block.get("type") == "tool_result" and block.get("is_error") and _READ_FIRST.search(str(block.get("content")))
        for block in _blocks(message)
    )


def _unread(last: Sequence[Mapping[str, Any]]) -> str | None:
    """The file of the call that was just refused because of that."""
    if len(last) < 2 or not _wants_reading(last[1]):
        return None
    inputs = [block.get("input") or {} for block in _blocks(last[0]) if block.get("type") == "tool_use"]
    return next((str(given["file_path"]) for given in inputs if "file_path" in given), None)


def _is_cut_short(after: Mapping[str, Any]) -> bool:
    """Whether the answer before the message `after` was never finished, or the result of its call got lost."""
    blocks = _blocks(after)
    lost = (
        str(block.get("content")).startswith(_RESULT_LOST) for block in blocks if block.get("type") == "tool_result"
    )
    return any(text.startswith(_CUT_SHORT) for text in _texts(blocks)) or any(lost)


def _structured_calls(messages: Iterable[Mapping[str, Any]]) -> Set[str]:
    return {
        str(block.get("id"))
        for message in messages
        for block in _blocks(message)
        if block.get("type") == "tool_use" and block.get("name") == STRUCTURED_TOOL
    }


def _accepted(message: Mapping[str, Any], structured_calls: Set[str]) -> bool:
    """Whether `message` tells that the CLI took one of `structured_calls`."""
    return any(
        block.get("type") == "tool_result"
        and block.get("tool_use_id") in structured_calls
        and not block.get("is_error")
        for block in _blocks(message)
    )


def _texts(blocks: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (str(block.get("text", "")) for block in blocks if block.get("type") == "text")


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    match message.get("content"):
        case str() as text:
            return [{"type": "text", "text": text}]
        case list() as blocks:
            return [block for block in blocks if isinstance(block, Mapping)]
        case _:
            return []
