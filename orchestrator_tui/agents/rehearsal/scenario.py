"""A rehearsal's script: loaded from TOML, checked as a whole, then asked which turns a session plays."""

import json
import re
import stat
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator_tui.agents.base import SessionRequest
from orchestrator_tui.agents.rehearsal.problems import entry_name, explain
from orchestrator_tui.agents.rehearsal.schema import (
    ANY,
    AnswerTable,
    Fault,
    PaceTable,
    ScenarioTable,
    StatusFault,
    TurnTable,
    UsageTable,
)
from orchestrator_tui.domain.errors import ScenarioBroken
from orchestrator_tui.domain.statuses import PhaseName

SCENARIO_FILE = "scenario.toml"
STRUCTURED_TOOL = "StructuredOutput"
_PLACEHOLDER = re.compile(r"\$\{([a-z_][a-z0-9_]*)\}")
_SHIPPED = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One answer of the model: faults first, each as often as it says, then text and a tool call.

    Attributes:
        verbatim: keys of `input` whose text comes from a file and is never filled in.
    """

    say: str | None = None
    tool: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    verbatim: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()

    def filled(self, values: Mapping[str, str]) -> "Turn":
        """The turn with `${name}` replaced for every name in `values`; other `${…}` stay as they are."""
        given = {k: v if k in self.verbatim else _fill(v, values) for k, v in self.input.items()}
        return replace(self, say=None if self.say is None else _fill(self.say, values), input=given)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the sessions answer that fit `phase`, `role`, `subject` and `attempt`; "*" (or None) fits all."""

    phase: PhaseName
    role: str
    subject: str
    attempt: int | None
    captures: Mapping[str, re.Pattern[str]]
    turns: tuple[Turn, ...]

    def fits(self, phase: PhaseName, role: str, subject: str, attempt: int) -> bool:
        """Whether a session with these marks plays this answer, unless another fits better."""
        return (
            self.phase is phase
            and self.role in (ANY, role)
            and self.subject in (ANY, subject)
            and self.attempt in (None, attempt)
        )

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """The more specific of two answers has the greater one."""
        return self.subject != ANY, self.attempt is not None, self.role != ANY


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A loaded scenario; `source` is the file it came from, for messages."""

    name: str
    title: str
    idea: str
    project_name: str
    pace: PaceTable
    usage: UsageTable
    answers: tuple[Answer, ...]
    source: str

    @property
    def has_usage_limit(self) -> bool:
        """Whether a turn plays a subscription's usage limit."""
        faults = (fault for answer in self.answers for turn in answer.turns for fault in turn.faults)
        return any(isinstance(fault, StatusFault) and fault.resets_in is not None for fault in faults)

    def find(self, phase: PhaseName, role: str, subject: str, attempt: int) -> Answer | None:
        """The most specific answer that fits, the first of equals; None when there is none."""
        fitting = [answer for answer in self.answers if answer.fits(phase, role, subject, attempt)]
        return max(fitting, key=lambda answer: answer.rank, default=None)

    def turns(self, request: SessionRequest, prompt_number: int) -> tuple[Turn, ...]:
        """What the session plays after its prompt number `prompt_number` (from 1), filled in.

        Raises:
            ScenarioBroken: no answer fits, or a capture finds nothing in the session's prompt.
        """
        attempt = request.attempt + prompt_number - 1
        answer = self.find(request.phase, request.role, request.subject, attempt)
        repeated = request.role == "developer" and attempt > 1 and (answer is None or answer.attempt is None)
        if repeated:
            answer = self._latest(request.phase, request.role, request.subject, attempt - 1)
        if answer is None:
            raise ScenarioBroken(f"the scenario {self.name} has no answer for {_place(request, attempt)}")
        turns = _repair(answer.turns) if repeated else answer.turns
        values = self._values(answer, request, attempt)
        return tuple(turn.filled(values) for turn in turns)

    def _latest(self, phase: PhaseName, role: str, subject: str, attempt: int) -> Answer | None:
        """What such a session plays in the last attempt up to this one that has an answer of its own, so that what a
        second try has mended stays mended in a third; None when nothing fits."""
        fitting = [one for one in self.answers if one.fits(phase, role, subject, min(one.attempt or 1, attempt))]
        return max(fitting, key=lambda one: (one.subject != ANY, one.attempt or 0, one.role != ANY), default=None)

    def _values(self, answer: Answer, request: SessionRequest, attempt: int) -> Mapping[str, str]:
        values = {"directory": str(request.directory), "subject": request.subject}
        for name, pattern in answer.captures.items():
            found = pattern.search(request.prompt)
            if found is None or found[1] is None:
                raise ScenarioBroken(
                    f"the scenario {self.name} looks for {name} in the prompt of {_place(request, attempt)}: "
                    f"{pattern.pattern} matches nothing"
                )
            values[name] = found[1]
        return values


def load_scenario(path: Path) -> Scenario:
    """The scenario in `path`, a `scenario.toml` or its folder, with every file it names read.

    Raises:
        ScenarioBroken: names the file, the entry and what was expected.
    """
    file = path
    try:
        file = path / SCENARIO_FILE if path.is_dir() else path
        data = tomllib.loads(_read_regular(file))
    except FileNotFoundError as error:
        raise ScenarioBroken(f"{file}: there is no such file.", hint=_hint()) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioBroken(f"{file}: cannot be read: {_reason(error)}.", hint=_hint()) from error
    except tomllib.TOMLDecodeError as error:
        raise ScenarioBroken(f"{file}: not TOML: {error}.") from error
    return scenario_from(data, folder=file.parent, source=str(file))


def scenario_from(data: Mapping[str, Any], *, folder: Path, source: str) -> Scenario:
    """The scenario in the tables `data`; relative paths in it are inside `folder`, `source` is for messages.

    Raises:
        ScenarioBroken: names `source`, the entry and what was expected.
    """
    try:
        table = ScenarioTable.model_validate(data)
    except ValidationError as error:
        raise ScenarioBroken(explain(error, source, data)) from error
    if not table.idea.strip():
        raise ScenarioBroken(f"{source}: idea: must not be blank.")
    reader = _Reader(folder, source)
    return Scenario(
        name=table.name,
        title=table.title,
        idea=table.idea.strip(),
        project_name=table.project_name,
        pace=table.pace,
        usage=table.usage,
        answers=tuple(reader.answer(index, answer) for index, answer in enumerate(table.answers, 1)),
        source=source,
    )


def shipped_names() -> tuple[str, ...]:
    """The scenarios that come with the program, in alphabetical order."""
    return tuple(sorted(file.parent.name for file in _SHIPPED.glob(f"*/{SCENARIO_FILE}")))


def shipped_scenario(name: str) -> Path:
    """The file of a shipped scenario.

    Raises:
        ScenarioBroken: there is none of that name; names those there are.
    """
    if name not in shipped_names():
        raise ScenarioBroken(f"There is no shipped scenario {name}.", hint=_hint())
    return _SHIPPED / name / SCENARIO_FILE


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns checked tables into answers and reads the files they name."""

    folder: Path
    source: str

    def answer(self, index: int, table: AnswerTable) -> Answer:
        entry = entry_name(index, table.model_dump(mode="json"))
        turns = [self._turn(f"{entry}, turn {number}", turn) for number, turn in enumerate(table.turns, 1)]
        return Answer(
            phase=table.phase,
            role=table.role,
            subject=table.subject,
            attempt=table.attempt if isinstance(table.attempt, int) else None,
            captures={name: re.compile(pattern) for name, pattern in table.captures.items()},
            turns=_join_faults(turns),
        )

    def _turn(self, entry: str, table: TurnTable) -> Turn:
        turn = Turn(say=table.say, faults=() if table.fault is None else (table.fault,))
        if table.structured_file is not None:
            return replace(turn, tool=STRUCTURED_TOOL, input=self._json(entry, table.structured_file))
        if table.structured is not None:
            return replace(turn, tool=STRUCTURED_TOOL, input=table.structured)
        files = {key: self._text(f"{entry}, input_files.{key}", name) for key, name in table.input_files.items()}
        return replace(turn, tool=table.tool, input={**table.input, **files}, verbatim=frozenset(files))

    def _text(self, entry: str, name: str) -> str:
        file = (self.folder / name).resolve()
        if not file.is_relative_to(self.folder.resolve()):
            raise ScenarioBroken(f"{self.source}: {entry}: {name} is outside the scenario's folder.")
        try:
            return _read_regular(file)
        except FileNotFoundError as error:
            raise ScenarioBroken(f"{self.source}: {entry}: there is no file {name}.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioBroken(f"{self.source}: {entry}: {name} cannot be read: {_reason(error)}.") from error

    def _json(self, entry: str, name: str) -> Mapping[str, Any]:
        try:
            data = json.loads(self._text(f"{entry}, structured_file", name))
        except json.JSONDecodeError as error:
            raise ScenarioBroken(f"{self.source}: {entry}: {name} is not JSON: {error}.") from error
        if not isinstance(data, dict):
            raise ScenarioBroken(f"{self.source}: {entry}: {name}: expected a JSON object.")
        return data


def _join_faults(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """A turn that is only a fault counts as no turn of its own: it comes before the next one that says something."""
    joined: list[Turn] = []
    waiting: tuple[Fault, ...] = ()
    for turn in turns:
        faults = waiting + turn.faults
        if turn.say is None and turn.tool is None:
            waiting = faults
            continue
        joined.append(replace(turn, faults=faults))
        waiting = ()
    return (*joined, Turn(say="Done.", faults=waiting)) if waiting else tuple(joined)


def _repair(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    undo = Turn(
        say="The check failed. I'll undo what I changed and do it again.",
        tool="Bash",
        input={"command": "git restore --staged --worktree ."},
    )
    return (undo, *turns)


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), value)
        case Mapping():
            return {key: _fill(item, values) for key, item in value.items()}
        case list():
            return [_fill(item, values) for item in value]
        case _:
            return value


def _place(request: SessionRequest, attempt: int) -> str:
    marks = [request.phase.value, request.role, *([request.subject] if request.subject else [])]
    return f"{'/'.join(marks)} attempt {attempt}"


def _hint() -> str:
    shipped = f"Shipped scenarios: {', '.join(shipped_names()) or 'none'}."
    own = f"For one of your own give its {SCENARIO_FILE} or the folder of it"
    return f'{shipped} {own}; to rehearse with an idea use --idea "…" --rehearsal.'


def _read_regular(file: Path) -> str:
    """The text of an ordinary file; anything else, such as a pipe, could keep the reader waiting for ever.

    Raises:
        OSError: it is not there, no ordinary file, or cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError("it is not an ordinary file")
    return file.read_text(encoding="utf-8")


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {error.start}"
    return (error.strerror or str(error)).lower()


if __name__ == "__main__":
    from orchestrator_tui.agents.rehearsal.summary import main

    sys.exit(main(sys.argv[1:]))
