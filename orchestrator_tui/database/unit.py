"""One write transaction: changes and the events that tell of them."""

from orchestrator_tui.database.base import UnitOfWork
from orchestrator_tui.database.event_log import EventWriter, Pending
from orchestrator_tui.database.import_writes import ImportWrites
from orchestrator_tui.database.instruction_writes import InstructionWrites
from orchestrator_tui.database.item_writes import ItemWrites
from orchestrator_tui.database.request_writes import RequestWrites
from orchestrator_tui.database.runner import Runner
from orchestrator_tui.database.seat_writes import SeatWrites
from orchestrator_tui.database.tracker_writes import TrackerWrites
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.events import Event, Recorded


class SqlUnitOfWork(ImportWrites, ItemWrites, RequestWrites, InstructionWrites, TrackerWrites, SeatWrites, UnitOfWork):
    """The unit of work of `SqlStore.transaction`."""

    def __init__(self, runner: Runner, log: EventWriter, *, one_writer: bool) -> None:
        super().__init__(runner, one_writer=one_writer)
        self._log = log
        self._pending: list[Pending] = []

    @property
    def has_events(self) -> bool:
        return bool(self._pending)

    def record(self, project_id: str, *events: Event) -> None:
        moment = now()
        self._pending.extend(Pending(moment, project_id, event) for event in events)

    async def store_events(self) -> tuple[Recorded, ...]:
        """Append what was recorded to the event table; the last step before the commit."""
        if not self._pending:
            return ()
        return await self._log.append(self._runner, self._pending)
