"""Changes that a command line makes to a project it goes on with: kept with the project, for every later process."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.domain.commands import SetLimit, SetPriority
from orchestrator_tui.domain.limits import OF_PROJECT, Resource, Scope

BY = "command line"
SECTIONS = ("limits", "agent", "cluster")


def given_changes(project_id: str, overrides: Mapping[str, Any]) -> Iterator[SetLimit | SetPriority]:
    """What `--set limits.…`, `--set agent.max_sessions` and `--set cluster.priority` ask for; `overrides` are valid
    settings."""
    given = SettingsModel.model_validate({name: overrides[name] for name in SECTIONS if name in overrides})
    sessions = (Scope.PROJECT, Resource.SESSIONS)
    named = {
        (scope, resource)
        for scope in OF_PROJECT
        for resource in Resource
        if resource.value in overrides.get("limits", {}).get(scope.value, {})
    }
    for scope, resource in sorted(named):
        amount = given.limits.of(scope).of(resource)
        yield SetLimit(project_id=project_id, scope=scope, resource=resource, amount=amount, by=BY)
    if "max_sessions" in overrides.get("agent", {}) and sessions not in named:
        amount = float(given.agent.max_sessions)
        yield SetLimit(project_id=project_id, scope=Scope.PROJECT, resource=Resource.SESSIONS, amount=amount, by=BY)
    if "priority" in overrides.get("cluster", {}):
        yield SetPriority(project_id=project_id, priority=given.cluster.priority, by=BY)
