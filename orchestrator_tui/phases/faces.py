"""The Markdown face of any stored artifact, whichever round it is of: its file holds only the newest one."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from orchestrator_tui.domain.records import Artifact, Project
from orchestrator_tui.phases import documents
from orchestrator_tui.phases.answers import Architecture, Deployed, Requirements, TestPlan, TestReport, planned_items
from orchestrator_tui.phases.planning import document_text, missing_note, parse
from orchestrator_tui.phases.task_breakdown import preview

Face = Callable[[Project, Artifact], str]


def artifact_markdown(project: Project, artifact: Artifact) -> str:
    """The artifact as people read it; what this version has no form for is shown as it is stored."""
    face = FACES.get(artifact.output_type, _as_stored)
    try:
        return face(project, artifact)
    except (ValidationError, KeyError, TypeError, ValueError):
        return _as_stored(project, artifact)


def _requirements(project: Project, artifact: Artifact) -> str:
    return _document(Requirements, artifact, documents.requirements)


def _architecture(project: Project, artifact: Artifact) -> str:
    return _document(Architecture, artifact, documents.architecture)


def _document(model: type[Any], artifact: Artifact, face: Callable[[Any], str]) -> str:
    """A text edited by a person already holds the note on what was missing."""
    text = document_text(model, artifact.content, face)
    return text if artifact.content.get("edited_markdown") else text + missing_note(artifact.content)


def _work_items(project: Project, artifact: Artifact) -> str:
    content = artifact.content
    shortfall = content.get("shortfall")
    return preview(project, planned_items(content), content["ids"]) + (f"\n{shortfall}\n" if shortfall else "")


def _initialization(project: Project, artifact: Artifact) -> str:
    return documents.initialization(artifact.content)


def _implementation(project: Project, artifact: Artifact) -> str:
    content = artifact.content
    blocked = f" {content['blocked']} are blocked." if content.get("blocked") else ""
    return f"# Implementation\n\n{content['done']} of {content['total']} work items are done.{blocked}\n"


def _test_plan(project: Project, artifact: Artifact) -> str:
    return documents.test_plan(parse(TestPlan, artifact.content))


def _test_report(project: Project, artifact: Artifact) -> str:
    return documents.test_report(parse(TestReport, artifact.content), int(artifact.content.get("round", 1)))


def _deployment(project: Project, artifact: Artifact) -> str:
    return documents.deployment(parse(Deployed, artifact.content), artifact.content.get("checks", ()))


def _as_stored(project: Project, artifact: Artifact) -> str:
    title = artifact.output_type.replace("_", " ").capitalize()
    stored = json.dumps(artifact.content, indent=2, ensure_ascii=False, default=str)
    return f"# {title}\n\n~~~~json\n{stored}\n~~~~\n"


FACES: Mapping[str, Face] = {
    "requirements": _requirements,
    "architecture": _architecture,
    "work_items": _work_items,
    "initialization": _initialization,
    "implementation": _implementation,
    "test_plan": _test_plan,
    "test_report": _test_report,
    "deployment": _deployment,
}
