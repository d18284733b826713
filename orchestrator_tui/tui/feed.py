"""What the main screen shows of the one selected project: its agents, their logs, its items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import AgentDelta, Live, Recorded
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.agentlog import AgentLogs
from orchestrator_tui.tui.reading import read_items
from orchestrator_tui.tui.view import AgentView, ProjectView, remembered, without_work

HISTORY = 2_000
"""Events read when a project is selected: what its last agents did."""

PAGE = 500


class Feed:
    """One project's feed. `load` reads what was; until it is done `take` keeps what happens and adds it after."""

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        self.logs = AgentLogs()
        self.agents: Mapping[str, AgentView] = {}
        self.items: dict[str, WorkItem] = {}
        self.items_complete = True
        self._kept: list[Recorded] | None = []

    @property
    def loaded(self) -> bool:
        return self._kept is None

    async def load(self, client: EngineClient, project: ProjectView) -> None:
        """Read the newest events and all items.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        history: Sequence[Recorded] = []
        while len(history) < HISTORY:
            before = history[0].seq if history else None
            page = await client.latest_events(self.project_id, before_seq=before, limit=PAGE)
            history = [*page, *history]
            if len(page) < PAGE:
                break
        self.agents = remembered(project, history).agents
        for recorded in history:
            self.logs.take(recorded)
        await self.load_items(client)
        last = history[-1].seq if history else 0
        kept, self._kept = self._kept or [], None
        for recorded in kept:
            if recorded.seq > last:
                self.take(recorded)

    async def load_items(self, client: EngineClient) -> None:
        """Read all items again."""
        self.items_complete = True
        self.items = {item.id: item for item in await read_items(client, self.project_id)}

    def take(self, live: Live) -> None:
        """Something happened in this project."""
        match live:
            case AgentDelta() if self.loaded:
                self.logs.take(live)
            case Recorded() if self._kept is not None:
                self._kept.append(live)
            case Recorded():
                self.logs.take(live)
                self._take_item(live.event)
                if isinstance(live.event, events.AgentFinished):
                    self.agents = without_work(self.agents, live.event, live.at)
            case _:
                pass

    def _take_item(self, event: events.Event) -> None:
        match event:
            case events.WorkItemStatusChanged(work_item_id=item_id, new=new) if item_id in self.items:
                self.items = {**self.items, item_id: replace(self.items[item_id], status=new)}
            case events.WorkItemStatusChanged() | events.WorkItemCreated() | events.WorkItemEdited():
                self.items_complete = False
            case _:
                pass

    def workers(self, project: ProjectView) -> Mapping[str, str]:
        """Item id -> the agent at work on it."""
        by_key = {agent.item_key: f"agent-{agent.number}" for agent in project.running_agents if agent.item_key}
        return {item.id: by_key[item.key] for item in self.items.values() if item.key in by_key} if by_key else {}
