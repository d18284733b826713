"""Task breakdown: work items in as many passes as it takes; only what fits together is stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator_tui.backends import dependencies
from orchestrator_tui.backends.base import TOUCHES, WorkTracker
from orchestrator_tui.config.settings import BreakdownSettings, PhaseSettings
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import GaveUp, PhaseFailed
from orchestrator_tui.domain.records import Artifact, PhaseResult, Project, WorkItem
from orchestrator_tui.domain.statuses import Pattern, PhaseName, PhaseStatus, WorkItemStatus
from orchestrator_tui.domain.troubles import Trouble
from orchestrator_tui.engine import aggregator
from orchestrator_tui.engine.conversation import Conversation, Task
from orchestrator_tui.phases import documents
from orchestrator_tui.phases.answers import Breakdown, PlannedItem, parents_first, planned_items
from orchestrator_tui.phases.attempts import Attempts, Objection
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.planning import DOCUMENT_LIMIT, architecture_text, requirements_text
from orchestrator_tui.phases.services import Services

BARREN_PASSES = 2
"""Passes in a row without a new item after which the planner has nothing more to say."""


@dataclass(kw_only=True, slots=True)
class Plan:
    """The items planned so far, by `ref`; `aliases` are refs of duplicates and the item they stand for."""

    items: dict[str, PlannedItem] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def problems(self, answer: Sequence[PlannedItem]) -> list[str]:
        """What keeps a pass from being taken in, exact enough for the planner to mend it."""
        refs = [item.ref for item in answer]
        twice = sorted({ref for ref in refs if refs.count(ref) > 1})
        problems = [f"`{ref}` is used by more than one item of this answer" for ref in twice]
        problems += [
            f"`{item.ref}` is the ref of another item already, `{self.items[item.ref].title}`: give it one of its own"
            for item in answer
            if item.ref in self.items
            and aggregator.normalized(item.title) != aggregator.normalized(self.items[item.ref].title)
        ]
        trial = self.copy()
        trial.take(answer)
        edges = {item.ref: item.depends_on for item in trial.items.values()}
        parents = {item.ref: item.parent for item in trial.items.values()}
        return problems + dependencies.complaints(edges, parents, ())

    def take(self, answer: Sequence[PlannedItem]) -> int:
        """Add a pass; an item that means the same as one before is merged into it. Returns how many are new."""
        titles = {ref: item.title for ref, item in self.items.items()}
        fresh: list[PlannedItem] = []
        for item in answer:
            if item.ref in self.items or item.ref in self.aliases:
                continue
            same = aggregator.same_titles(titles, item.title)
            if same is not None:
                self.aliases[item.ref] = same
            else:
                titles[item.ref] = item.title
                fresh.append(item)
        self.items.update({item.ref: item for item in fresh})
        self.items = {ref: self._relinked(item) for ref, item in self.items.items()}
        return len(fresh)

    def copy(self) -> "Plan":
        return Plan(items=dict(self.items), aliases=dict(self.aliases))

    def _relinked(self, item: PlannedItem) -> PlannedItem:
        links = [self.aliases.get(ref, ref) for ref in item.depends_on]
        parent = self.aliases.get(item.parent, item.parent) if item.parent else None
        if links == item.depends_on and parent == item.parent:
            return item
        kept = [ref for ref in dict.fromkeys(links) if ref != item.ref]
        return item.model_copy(update={"depends_on": kept, "parent": None if parent == item.ref else parent})


class TaskBreakdownPhase(Phase):
    name = PhaseName.TASK_BREAKDOWN
    display_name = "Task breakdown"

    def __init__(self, services: Services) -> None:
        self._services = services

    def get_prompts(self, pattern: Pattern) -> list[str]:
        return ["task_breakdown/decompose", "task_breakdown/complaint"]

    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        assert isinstance(config, BreakdownSettings)
        plan = Plan()
        barren = 0
        for pass_number in range(1, config.max_passes + 1):
            answer, new = await self._pass(input_data, config, plan, pass_number)
            barren = 0 if new else barren + 1
            self._services.tell(
                input_data,
                events.PhaseProgressed(
                    phase=self.name,
                    done=len(plan.items),
                    total=config.target_items,
                    note=f"pass {pass_number}: {new} new items",
                ),
            )
            enough = len(plan.items) >= config.target_items if config.target_items else answer.complete
            if enough or barren >= BARREN_PASSES:
                break
        if not plan.items:
            raise PhaseFailed("The planner found no work items at all.")
        shortfall = _shortfall(len(plan.items), config, answer.complete)
        if shortfall:
            self._services.tell(input_data, _warning(shortfall))
        ids = {ref: new_id() for ref in plan.items}
        return PhaseResult(
            status=PhaseStatus.COMPLETED,
            output_type="work_items",
            content={
                "items": [planned.model_dump() for planned in plan.items.values()],
                "ids": ids,
                "merged": dict(plan.aliases),
                "target": config.target_items,
                "shortfall": shortfall,
            },
            markdown=preview(input_data.project, plan.items.values(), ids) + (f"\n{shortfall}\n" if shortfall else ""),
        )

    async def accept(self, artifact: Artifact, project: Project, work_tracker: WorkTracker) -> None:
        items = as_work_items(project, planned_items(artifact.content), artifact.content["ids"])
        present = {item.id for item in await all_items(work_tracker, project.id)}
        await work_tracker.create_work_items([item for item in items if item.id not in present])

    async def _pass(
        self, given: PhaseInput, config: BreakdownSettings, plan: Plan, pass_number: int
    ) -> tuple[Breakdown, int]:
        prompt = self._services.render(
            self.name.value,
            "decompose",
            requirements=requirements_text(given),
            architecture=architecture_text(given),
            target_items=config.target_items,
            per_pass=config.items_per_pass,
            pass_number=pass_number,
            planned=[{"ref": item.ref, "title": item.title} for item in plan.items.values()],
            feedback=given.feedback,
            previous=self._previous(given),
        )
        task = self._services.task(
            given,
            self.name,
            "planner",
            prompt,
            Breakdown,
            writes=False,
            subject=str(pass_number),
            attempt=given.round,
        )

        answer = await self._services.sessions.answered(task, Breakdown)
        if answer is None or plan.problems(answer.items):
            answer = await self._asked(given, task, plan)
        return answer, plan.take(answer.items)

    async def _asked(self, given: PhaseInput, task: Task, plan: Plan) -> Breakdown:
        """An answer whose links all hold; the planner gets the exact complaint until then."""

        async def fits(answer: Breakdown, conversation: Conversation) -> Objection | None:
            if not (problems := plan.problems(answer.items)):
                return None
            prompt = self._services.render("task_breakdown", "complaint", complaints=problems)
            text = "; ".join(problems)
            return Objection(trouble=Trouble.INVALID_ANSWER, problem=text, prompt=prompt, kind="complaint", output=text)

        try:
            return await Attempts(self._services, given, task).work(Breakdown, fits)
        except GaveUp as error:
            if error.trouble is not Trouble.INVALID_ANSWER:
                raise
            raise PhaseFailed(f"The planner's work items still do not fit together: {error.message}") from error

    def _previous(self, given: PhaseInput) -> str | None:
        if given.feedback is None or given.previous is None:
            return None
        content = given.previous.content
        return preview(given.project, planned_items(content), content["ids"])[:DOCUMENT_LIMIT]


async def all_items(work_tracker: WorkTracker, project_id: str, status: WorkItemStatus | None = None) -> list[WorkItem]:
    """Every item of a project, page by page."""
    found: list[WorkItem] = []
    while page := await work_tracker.list_work_items(
        project_id, status=status, after=found[-1].number if found else 0, limit=500
    ):
        found.extend(page)
    return found


def as_work_items(project: Project, planned: Iterable[PlannedItem], ids: Mapping[str, str]) -> list[WorkItem]:
    """Work items of the tracker, a parent always before its children; `ids` are by ref."""
    return [
        WorkItem(
            id=ids[item.ref],
            project_id=project.id,
            number=0,
            title=item.title,
            description=item.description,
            acceptance=tuple(item.acceptance),
            priority=item.priority,
            parent_id=ids[item.parent] if item.parent else None,
            dependencies=tuple(ids[ref] for ref in item.depends_on),
            labels=tuple(item.labels),
            metadata={"ref": item.ref, **({TOUCHES: item.touches} if item.touches else {})},
        )
        for item in parents_first(planned)
    ]


def preview(project: Project, planned: Iterable[PlannedItem], ids: Mapping[str, str]) -> str:
    """A plan as Markdown before it has become work items: numbered as they will be in an empty project."""
    items = as_work_items(project, planned, ids)
    return documents.work_items([replace(item, number=number) for number, item in enumerate(items, 1)])


def _shortfall(planned: int, config: BreakdownSettings, complete: bool) -> str:
    """What is to be said about a plan that is smaller than was asked for; empty when it is not."""
    if planned < config.target_items:
        return f"{planned} of the {config.target_items} work items asked for were planned; the planner had no more."
    if not config.target_items and not complete:
        return f"The planner was not done after {config.max_passes} passes and {planned} work items."
    return ""


def _warning(shortfall: str) -> events.ErrorOccurred:
    return events.ErrorOccurred(
        title="Work items",
        message=shortfall,
        hint="The run goes on with these. See phases.task_breakdown.target_items and max_passes.",
        phase=PhaseName.TASK_BREAKDOWN,
    )
