"""The Markdown faces of structured artifacts, for people and for prompts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.phases.answers import Architecture, Deployed, Requirements, TestPlan, TestReport

PRIORITIES = {1: "urgent", 2: "high", 3: "normal", 4: "low"}


def requirements(document: Requirements) -> str:
    """`requirements.md`."""
    lines = ["# Requirements", "", document.summary]
    lines += _section("Who it is for", document.users)
    lines += ["", "## Requirements"]
    for number, requirement in enumerate(document.requirements, 1):
        origin = f", raised by {', '.join(requirement.raised_by)}" if requirement.raised_by else ""
        lines += ["", f"### {number}. {requirement.title}"]
        lines += ["", f"*{requirement.kind}, {PRIORITIES[requirement.priority]}{origin}*", "", requirement.detail]
        lines += _bullets(requirement.acceptance)
    if document.risks:
        lines += ["", "## Risks", ""] + [f"- **{risk.risk}** {risk.answer}" for risk in document.risks]
    lines += _section("Out of scope", document.out_of_scope)
    lines += _section("Assumptions", document.assumptions)
    lines += _section("Open questions", document.open_questions)
    return _page(lines)


def architecture(document: Architecture) -> str:
    """`architecture.md`."""
    lines = ["# Architecture", "", document.summary, "", "## Stack", ""]
    lines += [f"- **{choice.area}: {choice.choice}.** {choice.reason}" for choice in document.stack]
    lines += ["", "## Components"]
    for component in document.components:
        uses = f" Uses {', '.join(component.depends_on)}." if component.depends_on else ""
        lines += ["", f"### {component.name}", "", component.responsibility + uses]
    if document.data_models:
        lines += ["", "## Data models"]
    for model in document.data_models:
        lines += ["", f"### {model.name}", "", model.purpose, ""]
        lines += [f"- `{field.name}` ({field.type}): {field.meaning}" for field in model.fields]
    if document.decisions:
        lines += ["", "## Decisions", ""]
    for decision in document.decisions:
        instead = f" Instead of: {'; '.join(decision.alternatives)}." if decision.alternatives else ""
        lines.append(f"- **{decision.decision}** {decision.reason}{instead}")
    lines += ["", "## Testing", "", document.testing, "", "## Operations", "", document.operations]
    return _page(lines)


def work_items(items: Sequence[WorkItem]) -> str:
    """`work_items.md`."""
    keys = {item.id: item.key for item in items}
    lines = ["# Work items", "", f"{len(items)} items."]
    for item in items:
        facts = [PRIORITIES[item.priority], *item.labels]
        if item.dependencies:
            facts.append("after " + ", ".join(keys.get(other, "?") for other in item.dependencies))
        if item.parent_id:
            facts.append(f"part of {keys.get(item.parent_id, '?')}")
        lines += ["", f"## {item.key} {item.title}", "", f"*{', '.join(facts)}*", "", item.description]
        lines += _bullets(item.acceptance)
    return _page(lines)


def initialization(content: Mapping[str, Any]) -> str:
    """`initialization.md`."""
    return _page(
        [
            *("# Scaffold", "", str(content["summary"]), "", "The check of this project:", ""),
            *("```sh", str(content["verify_command"]), "```"),
        ]
    )


def test_plan(plan: TestPlan) -> str:
    """`test_plan.md`."""
    lines = ["# Test plan", "", plan.summary]
    for case in plan.cases:
        lines += ["", f"## {case.title}", "", f"*{case.kind}*", "", case.steps, "", f"Expected: {case.expected}"]
    return _page(lines)


def test_report(report: TestReport, round_number: int) -> str:
    """`test_report.md`."""
    lines = [f"# Test report, round {round_number}", "", report.summary, ""]
    lines += [f"{report.passed} passed, {report.failed} failed."]
    for failure in report.failures:
        lines += ["", f"## {failure.title}", "", failure.description, *_bullets(failure.acceptance)]
    return _page(lines)


def deployment(document: Deployed, checks: Sequence[str]) -> str:
    """`deployment.md`."""
    lines = ["# Deployment", "", document.summary]
    lines += _section("Files", [f"`{name}`" for name in document.files])
    lines += ["", "## How to run it", "", document.run_instructions]
    lines += ["", "## Release notes", "", document.release_notes]
    lines += _section("What was checked", checks)
    return _page(lines)


def _section(title: str, entries: Iterable[str]) -> list[str]:
    bullets = _bullets(entries)
    return ["", f"## {title}", *bullets] if bullets else []


def _bullets(entries: Iterable[str]) -> list[str]:
    lines = [f"- {entry}" for entry in entries]
    return ["", *lines] if lines else []


def _page(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip() + "\n"
