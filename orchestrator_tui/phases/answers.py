"""The structured answers agents give, as pydantic models: their JSON schema is the contract of each prompt."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ShortText = Annotated[str, Field(min_length=1, max_length=300)]
LongText = Annotated[str, Field(min_length=1, max_length=6000)]
Priority = Annotated[int, Field(ge=1, le=4, description="1 urgent, 2 high, 3 normal, 4 low")]
Ref = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="short name, lower case, dashes")]


class Answer(BaseModel):
    """A structured answer; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(Answer):
    """One thing a planner found."""

    kind: Literal[
        "requirement", "use_case", "constraint", "risk", "out_of_scope",
        "stack", "component", "data_model", "decision", "operation", "testing",
    ]  # fmt: skip
    title: ShortText
    detail: LongText
    priority: Priority = 3


class Draft(Answer):
    """What one planner of a swarm answers."""

    summary: LongText
    points: Annotated[list[Point], Field(min_length=1, max_length=80)]
    open_questions: list[ShortText] = []


class Requirement(Answer):
    title: ShortText
    detail: LongText
    kind: Literal["functional", "constraint", "quality"] = "functional"
    priority: Priority = 3
    acceptance: list[ShortText] = []
    raised_by: list[ShortText] = []


class Risk(Answer):
    risk: ShortText
    answer: LongText


class Requirements(Answer):
    """The requirements document of the ideation phase."""

    summary: LongText
    users: list[ShortText]
    requirements: Annotated[list[Requirement], Field(min_length=1, max_length=200)]
    risks: list[Risk] = []
    out_of_scope: list[ShortText] = []
    assumptions: list[ShortText] = []
    open_questions: list[ShortText] = []


class StackChoice(Answer):
    area: ShortText
    choice: ShortText
    reason: LongText


class Component(Answer):
    name: ShortText
    responsibility: LongText
    depends_on: list[ShortText] = []


class ModelField(Answer):
    name: ShortText
    type: ShortText
    meaning: ShortText


class DataModel(Answer):
    name: ShortText
    purpose: LongText
    fields: list[ModelField]


class Decision(Answer):
    decision: ShortText
    reason: LongText
    alternatives: list[ShortText] = []


class Architecture(Answer):
    """The architecture document."""

    summary: LongText
    stack: Annotated[list[StackChoice], Field(min_length=1)]
    components: Annotated[list[Component], Field(min_length=1)]
    data_models: list[DataModel] = []
    decisions: list[Decision] = []
    testing: LongText
    operations: LongText


class PlannedItem(Answer):
    """A work item as a planner writes it; `parent` and `depends_on` name other items by `ref`."""

    ref: Ref
    title: ShortText
    description: LongText
    acceptance: Annotated[list[ShortText], Field(min_length=1, max_length=20)]
    priority: Priority = 3
    labels: list[ShortText] = []
    parent: Ref | None = None
    depends_on: list[Ref] = []
    touches: list[ShortText] = []


class Breakdown(Answer):
    """One pass of the task breakdown; `complete` says that nothing is missing any more."""

    items: Annotated[list[PlannedItem], Field(max_length=100)]
    complete: bool
    note: Annotated[str, Field(max_length=2000)] = ""


class Initialized(Answer):
    """What the initializer made. `verify_command` is one shell line, run in the project folder; 0 means good."""

    summary: LongText
    verify_command: Annotated[str, Field(min_length=1, max_length=500)]


class WorkDone(Answer):
    """How a work item ended. `notes` are for whoever works next."""

    status: Literal["done", "blocked"]
    summary: LongText
    notes: Annotated[str, Field(max_length=4000)] = ""


class TestCase(Answer):
    __test__ = False

    title: ShortText
    kind: Literal["unit", "integration", "end_to_end", "performance", "manual"]
    steps: LongText
    expected: LongText


class TestPlan(Answer):
    __test__ = False

    summary: LongText
    cases: Annotated[list[TestCase], Field(min_length=1, max_length=200)]


class Failure(Answer):
    """Something that does not work; it becomes a work item."""

    ref: Ref
    title: ShortText
    description: LongText
    acceptance: Annotated[list[ShortText], Field(min_length=1, max_length=20)]
    priority: Priority = 2


class TestReport(Answer):
    __test__ = False

    summary: LongText
    passed: Annotated[int, Field(ge=0)]
    failed: Annotated[int, Field(ge=0)]
    failures: list[Failure] = []


class Deployed(Answer):
    """What the deployer made; `files` are paths inside the project."""

    summary: LongText
    files: Annotated[list[ShortText], Field(min_length=1)]
    run_instructions: LongText
    release_notes: LongText


def planned_items(content: Mapping[str, Any]) -> list[PlannedItem]:
    """The items of a stored breakdown."""
    return [PlannedItem.model_validate(item) for item in content.get("items", ())]


def parents_first(planned: Iterable[PlannedItem]) -> list[PlannedItem]:
    """The items in their order, but none before its parent."""
    by_ref = {item.ref: item for item in planned}
    placed: dict[str, PlannedItem] = {}
    for item in by_ref.values():
        line = [item]
        while line[-1].parent is not None and line[-1].parent not in placed:
            line.append(by_ref[line[-1].parent])
        placed.update({ancestor.ref: ancestor for ancestor in reversed(line)})
    return list(placed.values())
