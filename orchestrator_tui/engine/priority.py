"""The priority of a project: which one holds, and how a person changes it."""

from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import SetPriority
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.priority import HIGHEST, LOWEST, own_priority
from orchestrator_tui.domain.records import Project
from orchestrator_tui.engine.seats import tell_given


def priority_of(project: Project, settings: SettingsModel) -> int:
    """The priority that is kept with a project, else that of the settings."""
    own = own_priority(project)
    return settings.cluster.priority if own is None else own


async def set_priority(store: Store, command: SetPriority, settings: SettingsModel) -> None:
    """Keep a changed priority with its project, and with those of its sessions that wait for a seat; nothing is told
    when it was that already.

    Raises:
        SettingsError: it is out of range.
    """
    if not LOWEST <= command.priority <= HIGHEST:
        raise SettingsError(
            f"A priority cannot be {command.priority}; expected a whole number from {LOWEST} to {HIGHEST}."
        )
    async with store.transaction() as unit:
        changed = {"cluster": {"priority": command.priority}}
        before, after = await unit.change_settings(command.project_id, changed)
        old, new = priority_of(before, settings), priority_of(after, settings)
        if own_priority(before) != own_priority(after):
            unit.record(command.project_id, events.PrioritySet(old=old, new=new, by=command.by))
        tell_given(unit, await unit.hurry_seats(command.project_id, new))
