"""Detects agents that are stuck; pure: fed with what they do, it says which pattern has repeated too often."""

import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

ANSWER_TOOL = "StructuredOutput"
"""What an agent answers with; whoever asks counts how often that does not fit."""
_LONGEST = 20_000
_LEAST_ERROR = 12
"""Characters of an error that says anything; an exit code alone does not."""
_VARYING = (
    (re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]"), ""),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\b"), "<time>"),
    (
        re.compile(r"(?:~|\.{1,2})?(?:/[\w.@+~-]+)+/?|\b[A-Z]:(?:\\[\w.@+~-]+)+|(?<![\w.-])[\w.-]+(?:/[\w.@+~-]+)+"),
        "<path>",
    ),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?:req|msg|toolu)_\w+"), "<id>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
    (re.compile(r"\s+"), " "),
)
_CLI_SHELL_SECONDS, _CLI_SHELL_MOST_SECONDS = 120.0, 600.0
"""How long the CLI lets a shell command run when it is told nothing, and at most."""
_GRACE_SECONDS = 30.0


def normalized(text: str) -> str:
    """`text` without what differs between two occurrences of one error: numbers, paths, ids, hex, times, colours."""
    text = text[-_LONGEST:]
    for pattern, instead in _VARYING:
        text = pattern.sub(instead, text)
    return text.strip().casefold()


def signature(text: str) -> str:
    """A short name for an error, the same for all that differ in what `normalized` leaves out only."""
    return sha256(normalized(text).encode()).hexdigest()[:16]


def repeated(signatures: Iterable[str]) -> int:
    """How many of the last in a row are the same."""
    count, last = 0, None
    for one in reversed(list(signatures)):
        if last is not None and one != last:
            break
        count, last = count + 1, one
    return count


def bounces(outcomes: Iterable[bool]) -> int:
    """How often something that was done was found failing again; `outcomes` in order, True for done."""
    count, was_done = 0, False
    for is_done in outcomes:
        count += was_done and not is_done
        was_done = is_done
    return count


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """How often is too often; see `ErrorRecoverySettings`."""

    same_error: int = 3
    same_call: int = 4
    alternation: int = 6
    talk: int = 3


class Pattern(StrEnum):
    SAME_ERROR = "same_error"
    SAME_CALL = "same_call"
    ALTERNATION = "alternation"
    TALK = "talk"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A pattern that repeated too often; `text` says which, for people and for the agent itself."""

    pattern: Pattern
    text: str


@dataclass(frozen=True, slots=True)
class _Call:
    tool: str
    key: str
    shown: str


class StuckDetector:
    """Watches one session. What it has found is counted anew from then on."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._limits = thresholds
        self._open: dict[str, _Call] = {}
        self._steps: deque[tuple[_Call, str]] = deque(maxlen=max(thresholds.alternation, thresholds.same_call))
        self._errors: Counter[tuple[str, str]] = Counter()
        self._errors_in_a_row: deque[tuple[str, str] | None] = deque(maxlen=thresholds.same_error)
        self._silent_turns = 0
        self._called = False

    def begin_turn(self) -> None:
        """Something is said to the agent."""
        self._open.clear()
        self._called = False

    def called(self, call_id: str, tool: str, arguments: Mapping[str, Any]) -> None:
        """A call begins."""
        key = f"{tool} {json.dumps(arguments, sort_keys=True, default=str)}"
        self._open[call_id] = _Call(tool, key, _shown(tool, arguments))
        self._called = True

    def returned(self, call_id: str, output: str, *, is_error: bool) -> Finding | None:
        """A call has its result."""
        call = self._open.pop(call_id, None)
        if call is None or call.tool == ANSWER_TOOL:
            return None
        self._steps.append((call, signature(output)))
        return self._found(self._same_call() or self._alternation() or self._error(call, output, is_error))

    def end_turn(self) -> Finding | None:
        """The agent has said its last word of a turn."""
        self._silent_turns = 0 if self._called else self._silent_turns + 1
        if self._silent_turns < self._limits.talk:
            return None
        text = f"It answered {self._silent_turns} times in a row with words alone and used no tool."
        return self._found(Finding(pattern=Pattern.TALK, text=text))

    def _found(self, finding: Finding | None) -> Finding | None:
        if finding is not None:
            self._steps.clear()
            self._errors.clear()
            self._errors_in_a_row.clear()
            self._silent_turns = 0
        return finding

    def _same_call(self) -> Finding | None:
        last = list(self._steps)[-self._limits.same_call :]
        if len(last) < self._limits.same_call or len({(call.key, answer) for call, answer in last}) > 1:
            return None
        text = f"It made the same call {len(last)} times and got the same answer: {last[-1][0].shown}"
        return Finding(pattern=Pattern.SAME_CALL, text=text)

    def _alternation(self) -> Finding | None:
        last = [(call.key, answer) for call, answer in list(self._steps)[-self._limits.alternation :]]
        if len(last) < self._limits.alternation or last[0] == last[1] or last != (last[:2] * len(last))[: len(last)]:
            return None
        one, other = self._steps[-2][0].shown, self._steps[-1][0].shown
        text = f"It went back and forth between two calls, {len(last)} long: {one} and {other}"
        return Finding(pattern=Pattern.ALTERNATION, text=text)

    def _error(self, call: _Call, output: str, is_error: bool) -> Finding | None:
        """The same call failing alike, whatever came in between; or any calls of a tool failing alike in a row."""
        if not is_error:
            self._errors_in_a_row.append(None)
            return None
        name = signature(output)
        self._errors[call.key, name] += 1
        says_something = len(normalized(output).replace("exit code <n>", "").strip()) >= _LEAST_ERROR
        self._errors_in_a_row.append((call.tool, name) if says_something else None)
        row = list(self._errors_in_a_row)
        in_a_row = len(row) == self._limits.same_error and None not in row and len(set(row)) == 1
        if not in_a_row and self._errors[call.key, name] < self._limits.same_error:
            return None
        error = next((line.strip() for line in output.splitlines() if line.strip()), "")[:200]
        text = f"The same error came {self._limits.same_error} times: {call.shown}: {error}"
        return Finding(pattern=Pattern.SAME_ERROR, text=text)


def _shown(tool: str, arguments: Mapping[str, Any]) -> str:
    for name in ("command", "file_path", "pattern", "path"):
        if isinstance(value := arguments.get(name), str):
            return f"{tool} `{' '.join(value.split())[:160]}`"
    return tool


def patience(stall_seconds: float, running: Iterable[tuple[str, Mapping[str, Any]]]) -> float:
    """Seconds of silence after which a session has stalled, while the calls `running` (tool and arguments) have no
    result: a shell command that says nothing is no stall before its own time is over."""
    limits = [_shell_seconds(arguments) + _GRACE_SECONDS for tool, arguments in running if tool == "Bash"]
    return max([stall_seconds, *limits])


def _shell_seconds(arguments: Mapping[str, Any]) -> float:
    given = arguments.get("timeout")
    if isinstance(given, int | float) and not isinstance(given, bool) and given > 0:
        return min(given / 1000, _CLI_SHELL_MOST_SECONDS)
    return _CLI_SHELL_SECONDS
