"""Finds the project a person means: by number, id, start of an id, slug, or name."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, or_, select

from orchestrator_tui.database import rows
from orchestrator_tui.database.columns import is_id, storable
from orchestrator_tui.database.models import projects
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.domain.errors import ProjectNotFound
from orchestrator_tui.domain.records import Project

SHOWN = 8
_NUMBER = re.compile(r"[0-9]{1,9}")
_ID_START = re.compile(r"[0-9a-f-]{4,36}")


async def find_project(runner: Runner, reference: str) -> Project:
    """The project `reference` names; a number is looked for before a slug or name, those before the start of an id.

    Raises:
        ProjectNotFound: none or several fit; names those there are.
    """
    wanted = storable(reference.strip().lower())
    for condition in _conditions(wanted):
        found = await _matching(runner, condition)
        if len(found) == 1:
            return found[0]
        if found:
            raise ProjectNotFound(f"'{wanted}' fits several projects: {_named(found)}.", hint="Use the number.")
    raise ProjectNotFound(f"There is no project '{wanted}'.", hint=await _existing(runner))


def _conditions(wanted: str) -> Sequence[ColumnElement[bool]]:
    if is_id(wanted):
        return [projects.c.id == wanted]
    conditions: list[ColumnElement[bool]] = []
    if _NUMBER.fullmatch(wanted):
        conditions.append(projects.c.number == int(wanted))
    conditions.append(or_(projects.c.slug == wanted, func.lower(projects.c.name) == wanted))
    if _ID_START.fullmatch(wanted):
        conditions.append(cast(projects.c.id, String).startswith(wanted))
    return conditions


async def _matching(runner: Runner, condition: ColumnElement[Any]) -> Sequence[Project]:
    query = select(projects).where(condition).order_by(projects.c.number).limit(SHOWN)
    return [rows.project(row) for row in await runner.run(query)]


async def _existing(runner: Runner) -> str:
    newest = select(projects).order_by(projects.c.number.desc()).limit(SHOWN + 1)
    found = [rows.project(row) for row in await runner.run(newest)]
    if not found:
        return "There are no projects yet."
    more = "…, " if len(found) > SHOWN else ""
    return f"Projects: {more}{_named(found[:SHOWN][::-1])}."


def _named(found: Sequence[Project]) -> str:
    return ", ".join(f"{project.number} {project.slug}" for project in found)
