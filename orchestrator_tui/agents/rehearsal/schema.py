"""The tables of a `scenario.toml`, as pydantic models; every error they find names the place in the file."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator_tui.domain.statuses import PhaseName

ANY = "*"
ROLES: Mapping[PhaseName, tuple[str, ...]] = {
    PhaseName.IDEATION: ("requirements", "feasibility", "risks", "aggregator", "analyst"),
    PhaseName.ARCHITECTURE: ("system_design", "data_models", "operations", "aggregator", "architect"),
    PhaseName.TASK_BREAKDOWN: ("planner",),
    PhaseName.INITIALIZE: ("initializer",),
    PhaseName.IMPLEMENT: ("developer", "repairer"),
    PhaseName.TESTING: ("test_planner", "tester"),
    PhaseName.DEPLOY: ("deployer",),
}

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Text = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A table of the file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StatusFault(Table):
    """An HTTP error instead of an answer, `times` times; `retry_after` (seconds) becomes the header of that name.

    With `resets_in` (seconds) it is the usage limit of a subscription that resets so long after the answer.
    `message` is the error's text, such as `prompt is too long: 210000 tokens > 200000 maximum`.
    """

    kind: Literal["status"]
    status: Annotated[int, Field(ge=400, le=599)]
    times: Count = 1
    retry_after: Seconds | None = None
    resets_in: Seconds | None = None
    message: Text | None = None

    @model_validator(mode="after")
    def _only_a_429_resets(self) -> "StatusFault":
        if self.resets_in is not None and self.status != 429:
            raise ValueError("resets_in needs status = 429")
        return self


class StallFault(Table):
    """Silence for `seconds`: before the first byte, or after `after_deltas` deltas; then the answer goes on."""

    kind: Literal["stall"]
    seconds: Seconds
    after_deltas: NotNegative | None = None
    times: Count = 1


class CutFault(Table):
    """The connection breaks after `after_deltas` deltas."""

    kind: Literal["cut"]
    after_deltas: NotNegative = 0
    times: Count = 1


class GarbageFault(Table):
    """A stream that is not well-formed."""

    kind: Literal["garbage"]
    times: Count = 1


class FloodFault(Table):
    """`deltas` deltas of `characters` characters as fast as they go, before the rest of the turn."""

    kind: Literal["flood"]
    deltas: Annotated[int, Field(ge=1, le=1_000_000)]
    characters: Annotated[int, Field(ge=1, le=10_000)] = 40


Fault = Annotated[
    StatusFault | StallFault | CutFault | GarbageFault | FloodFault,
    Field(discriminator="kind"),
]


class TurnTable(Table):
    """One answer of the Messages API: text, then a tool call or the structured answer; or only a fault."""

    say: Text | None = None
    tool: Text | None = None
    input: dict[str, Any] = {}
    input_files: dict[str, Text] = {}
    structured: dict[str, Any] | None = None
    structured_file: Text | None = None
    fault: Fault | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "TurnTable":
        ends = [name for name in ("tool", "structured", "structured_file") if getattr(self, name) is not None]
        if len(ends) > 1:
            raise ValueError(f"expected one of tool, structured, structured_file, found {' and '.join(ends)}")
        if not ends and self.say is None and self.fault is None:
            raise ValueError("expected at least one of say, tool, structured, structured_file, fault")
        if (self.input or self.input_files) and self.tool is None:
            raise ValueError("input and input_files need a tool")
        if double := sorted(self.input.keys() & self.input_files.keys()):
            raise ValueError(f"{', '.join(double)} stands in both input and input_files")
        return self


class AnswerTable(Table):
    """What one kind of session answers, turn by turn."""

    phase: PhaseName
    role: str
    subject: str = ANY
    attempt: Annotated[int, Field(ge=1)] | Literal["*"] = "*"
    captures: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")], str] = {}
    turns: Annotated[list[TurnTable], Field(min_length=1)]

    @field_validator("captures")
    @classmethod
    def _captures_are_patterns(cls, captures: dict[str, str]) -> dict[str, str]:
        for name, pattern in captures.items():
            _check_pattern(name, pattern)
        return captures

    @model_validator(mode="after")
    def _role_belongs_to_phase(self) -> "AnswerTable":
        known = ROLES[self.phase]
        if self.role not in (ANY, *known):
            raise ValueError(f'unknown role "{self.role}", {self.phase} has {", ".join(known)} (or "*")')
        return self


def _check_pattern(name: str, pattern: str) -> None:
    if name in ("directory", "subject"):
        raise ValueError(f"{name} is a placeholder of its own, choose another name")
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{name}: not a regular expression: {error}") from error
    if groups != 1:
        raise ValueError(f"{name}: expected exactly one group (…), found {groups}")


class PaceTable(Table):
    """How fast the scripted model types: characters a delta, seconds between two of them."""

    delta_characters: Annotated[int, Field(ge=1, le=10_000)] = 24
    delta_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0


class UsageTable(Table):
    """The tokens every answer reports."""

    input_tokens: NotNegative = 1200
    output_tokens: NotNegative = 300


class ScenarioTable(Table):
    """A whole `scenario.toml`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    title: Text
    idea: Text
    project_name: Text
    pace: PaceTable = PaceTable()
    usage: UsageTable = UsageTable()
    answers: Annotated[list[AnswerTable], Field(min_length=1)]
