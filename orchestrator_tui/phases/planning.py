"""Ideation and architecture: planners draft, the aggregator counts votes, an agent writes the document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import PhaseSettings, SwarmPhaseSettings
from orchestrator_tui.domain import events
from orchestrator_tui.domain.records import PhaseResult
from orchestrator_tui.domain.statuses import Pattern, PhaseName, PhaseStatus
from orchestrator_tui.engine import aggregator
from orchestrator_tui.engine.swarm import SwarmAnswers, run_swarm
from orchestrator_tui.phases import documents
from orchestrator_tui.phases.answers import Architecture, Draft, Requirements
from orchestrator_tui.phases.attempts import Attempts, taken
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.services import Services, content_of

DOCUMENT_LIMIT = 12_000
"""Characters of an earlier document that go into a prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One planner of a swarm: its role, its prompt, and the focus it is given."""

    role: str
    prompt: str
    focus: str | None = None


class PlanningPhase(Phase):
    """Drafts by a swarm (or one planner), merged into one document that a person can approve."""

    output_type: ClassVar[str]
    members: ClassVar[tuple[Member, ...]]
    single_role: ClassVar[str]
    document: ClassVar[type[BaseModel]]

    def __init__(self, services: Services) -> None:
        self._services = services

    def get_prompts(self, pattern: Pattern) -> list[str]:
        names = [member.prompt for member in self.members] + ["aggregate"] if pattern is Pattern.SWARM else ["single"]
        return list(dict.fromkeys(f"{self.name}/{name}" for name in names))

    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        assert isinstance(config, SwarmPhaseSettings)
        if config.pattern is Pattern.SWARM:
            answer, notes = await self._with_swarm(input_data)
        else:
            answer, notes = await self._ask(input_data, self.single_role, "single", self.document), {}
        return PhaseResult(
            status=PhaseStatus.COMPLETED,
            output_type=self.output_type,
            content={**answer.model_dump(), **notes},
            markdown=self.markdown(answer) + missing_note(notes),
        )

    def markdown(self, answer: BaseModel) -> str:
        """The document's Markdown face."""
        raise NotImplementedError

    def variables(self, given: PhaseInput) -> dict[str, Any]:
        """What every prompt of the phase is given."""
        return {
            "idea": given.project.description,
            "feedback": given.feedback,
            "previous": self._previous(given),
        }

    def _previous(self, given: PhaseInput) -> str | None:
        if given.feedback is None or given.previous is None:
            return None
        return document_text(self.document, given.previous.content, self.markdown)

    async def _with_swarm(self, given: PhaseInput) -> tuple[BaseModel, dict[str, Any]]:
        members = {member.role: member for member in self.members}

        async def draft(role: str) -> Draft:
            member = members[role]
            extra = {"focus": member.focus} if member.focus else {}
            answer = await self._ask(given, role, member.prompt, Draft, **extra)
            assert isinstance(answer, Draft)
            return answer

        drafts = await run_swarm(list(members), draft)
        merged = aggregator.merge(_points(drafts))
        self._services.tell(
            given,
            events.SwarmMerged(
                phase=self.name,
                agreed=len(merged.agreed),
                single=len(merged.single),
                members=tuple(drafts.answers),
                missing=tuple(drafts.missing),
            ),
        )
        answer = await self._ask(
            given,
            "aggregator",
            "aggregate",
            self.document,
            agreed=[point.as_mapping() for point in merged.agreed],
            single=[point.as_mapping() for point in merged.single],
            questions=list(dict.fromkeys(q for draft in drafts.answers.values() for q in draft.open_questions)),
            missing=list(drafts.missing),
        )
        agreement = {
            "agreed": [point.as_mapping() for point in merged.agreed],
            "single": [point.as_mapping() for point in merged.single],
        }
        return answer, {"swarm": {**agreement, "members": list(drafts.answers), "missing": drafts.missing}}

    async def _ask(self, given: PhaseInput, role: str, prompt: str, answer: type[BaseModel], **extra: Any) -> BaseModel:
        text = self._services.render(self.name.value, prompt, **self.variables(given), **extra)
        task = self._services.task(given, self.name, role, text, answer, writes=False, attempt=given.round)
        if (before := await self._services.sessions.answered(task, answer)) is not None:
            return before
        return await Attempts(self._services, given, task).work(answer, taken)


class IdeationPhase(PlanningPhase):
    name = PhaseName.IDEATION
    display_name = "Ideation"
    output_type = "requirements"
    members = (
        Member(role="requirements", prompt="brainstorm", focus="requirements"),
        Member(role="feasibility", prompt="brainstorm", focus="feasibility"),
        Member(role="risks", prompt="brainstorm", focus="risks"),
    )
    single_role = "analyst"
    document = Requirements

    def markdown(self, answer: BaseModel) -> str:
        assert isinstance(answer, Requirements)
        return documents.requirements(answer)


class ArchitecturePhase(PlanningPhase):
    name = PhaseName.ARCHITECTURE
    display_name = "Architecture"
    output_type = "architecture"
    members = (
        Member(role="system_design", prompt="system_design"),
        Member(role="data_models", prompt="data_models"),
        Member(role="operations", prompt="operations"),
    )
    single_role = "architect"
    document = Architecture

    def markdown(self, answer: BaseModel) -> str:
        assert isinstance(answer, Architecture)
        return documents.architecture(answer)

    def variables(self, given: PhaseInput) -> dict[str, Any]:
        return {**super().variables(given), "requirements": requirements_text(given)}


def requirements_text(given: PhaseInput) -> str:
    """The requirements document as Markdown; the idea itself when ideation was skipped."""
    content = content_of(given, PhaseName.IDEATION)
    if not content:
        return given.project.description
    return document_text(Requirements, content, documents.requirements)[:DOCUMENT_LIMIT]


def architecture_text(given: PhaseInput) -> str:
    """The architecture document as Markdown; empty when the phase was skipped."""
    content = content_of(given, PhaseName.ARCHITECTURE)
    return document_text(Architecture, content, documents.architecture)[:DOCUMENT_LIMIT] if content else ""


def parse(model: type[Any], content: Mapping[str, Any]) -> Any:
    """A stored artifact as its model; what the engine added beside the model's fields is passed over."""
    return model.model_validate({name: content[name] for name in model.model_fields if name in content})


def document_text(model: type[Any], content: Mapping[str, Any], face: Callable[[Any], str]) -> str:
    """The Markdown of a stored artifact: the one a person edited, or the one made from its content."""
    edited = content.get("edited_markdown")
    return str(edited) if edited else face(parse(model, content))


def _points(drafts: SwarmAnswers[Draft]) -> list[aggregator.Said]:
    return [
        aggregator.Said(author=role, kind=point.kind, title=point.title, detail=point.detail, priority=point.priority)
        for role, draft in drafts.answers.items()
        for point in draft.points
    ]


def missing_note(notes: Mapping[str, Any]) -> str:
    """What a document says about planners of its swarm that failed; empty when none did."""
    missing = notes.get("swarm", {}).get("missing", {})
    if not missing:
        return ""
    lines = [f"- {role}: {reason}" for role, reason in missing.items()]
    return "\n## Planners that failed\n\n" + "\n".join(lines) + "\n"
