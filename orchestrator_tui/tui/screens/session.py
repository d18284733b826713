"""The whole log of one session, read from the store, followed while it runs."""

from textual.app import ComposeResult

from orchestrator_tui.domain import words
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import SessionLog
from orchestrator_tui.domain.statuses import AgentStatus
from orchestrator_tui.tui.agentlog import AgentLogs
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.page import Page
from orchestrator_tui.tui.stored import events_between
from orchestrator_tui.tui.widgets.flush_timer import FlushTimer
from orchestrator_tui.tui.widgets.log_view import LogView


class SessionPage(Page):
    """`item_key` is the name of the work item the session was for, if it was for one."""

    DEFAULT_CSS = "SessionPage LogView { height: 1fr; }"

    def __init__(self, context: Context, session: SessionLog, item_key: str = "") -> None:
        super().__init__(context, f"{_who(session, item_key)} · reading …")
        self._session = session
        self._item_key = item_key
        self._logs = AgentLogs()
        self._seq = 0

    def body(self) -> ComposeResult:
        return ()

    async def load(self) -> None:
        session = self._session
        running = session.status is AgentStatus.RUNNING
        end = None if running else session.ended_at
        async for recorded in events_between(self.context.client, session.project_id, session.started_at, end):
            self._take(recorded)
        await self._show()

    def on_happened(self, message: Happened) -> None:
        """The session may still be at work."""
        if self._seq:
            for recorded in message.recorded:
                self._take(recorded)

    def _take(self, recorded: Recorded) -> None:
        """Writes down what is of this session, or of its work item while it was at it."""
        event, session = recorded.event, self._session
        item_id = getattr(event, "work_item_id", None)
        mine = getattr(event, "agent_id", None) == session.id
        if recorded.seq > self._seq and (mine or (item_id is not None and item_id == session.work_item_id)):
            self._logs.take(recorded)
        self._seq = max(self._seq, recorded.seq)

    async def _show(self) -> None:
        if self._session.id not in self._logs:
            self.tell_head(f"{_who(self._session, self._item_key)} · nothing was stored of this session")
            return
        self.tell_head(_head(self._session, self._item_key))
        view = LogView(self._logs[self._session.id])
        await self.query_one("#page-body").mount(view)
        FlushTimer(self).add(view)
        view.focus()


def _who(session: SessionLog, item_key: str) -> str:
    on = f" · {item_key}" if item_key else ""
    return f"Session {session.session_number} · {words.title(session.role)}{on}"


def _head(session: SessionLog, item_key: str) -> str:
    parts = [_who(session, item_key), words.title(session.status)]
    if session.ended_at is not None:
        parts.append(words.duration((session.ended_at - session.started_at).total_seconds()))
        parts += [words.tokens(session.usage.tokens), words.money(session.usage.cost_usd)]
    return " · ".join(parts)
