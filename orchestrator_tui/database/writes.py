"""What all parts of a unit of work share."""

from typing import Any

from sqlalchemy import Column, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator_tui.database.models import pipeline_states
from orchestrator_tui.database.runner import Runner


def upsert_into(runner: Runner, table: Table) -> Any:
    """An insert that can say what is to happen to a row that is there already; each database has its own."""
    dialect = postgresql if runner.connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


class Writes:
    """A part of a unit of work; `one_writer` says that the database lets only one transaction write at a time."""

    def __init__(self, runner: Runner, *, one_writer: bool) -> None:
        self._runner = runner
        self._one_writer = one_writer

    async def _next_number(self, project_id: str, column: Column[Any]) -> int:
        """One more than the highest number of the project in `column`; kept from others until the transaction ends.

        Raises:
            KeyError: no such project.
        """
        await self._keep_others_out(project_id)
        highest = select(func.max(column)).where(column.table.c.project_id == project_id)
        return ((await self._runner.run(highest)).scalar_one() or 0) + 1

    async def _keep_others_out(self, project_id: str) -> None:
        """Only one transaction at a time comes past here for a project, until it ends.

        Raises:
            KeyError: no such project.
        """
        owner = select(pipeline_states.c.id).where(pipeline_states.c.project_id == project_id)
        if (await self._runner.run(owner.with_for_update(key_share=True))).one_or_none() is None:
            raise KeyError(project_id)
