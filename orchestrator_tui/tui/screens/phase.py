"""One phase: its document, the sessions that worked on it, what happened in it; live."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from orchestrator_tui.domain import words
from orchestrator_tui.domain.events import AgentFinished, AgentStarted, ArtifactStored, PhaseStatusChanged, Recorded
from orchestrator_tui.domain.records import Artifact, PhaseState, ProjectOverview, SessionLog, Usage
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.engine.client import overview_as_it_is
from orchestrator_tui.tui import glyphs
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.document_rounds import label, versions
from orchestrator_tui.tui.history import names_of
from orchestrator_tui.tui.item_text import moment
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.phase_history import PhaseHistory, began, ended
from orchestrator_tui.tui.reading import read_items, read_sessions
from orchestrator_tui.tui.screens.document import DocumentPage, nothing
from orchestrator_tui.tui.screens.parts import DIFF_KEY, PartsPage
from orchestrator_tui.tui.screens.session import SessionPage
from orchestrator_tui.tui.stored import events_between
from orchestrator_tui.tui.widgets.document_view import DocumentView
from orchestrator_tui.tui.widgets.facts import Bit, Fact, Facts
from orchestrator_tui.tui.widgets.happening_list import HappeningList
from orchestrator_tui.tui.widgets.key_bar import Hint
from orchestrator_tui.tui.widgets.row_list import RowList
from orchestrator_tui.tui.widgets.section_tabs import Section
from orchestrator_tui.tui.widgets.session_list import SessionList


class PhasePage(PartsPage):
    """Enter on a session shows its log; `d` opens the document's rounds and their difference."""

    BINDINGS: ClassVar[list[BindingType]] = [*DIFF_KEY]
    DEFAULT_CSS = "PhasePage Facts { margin-bottom: 1; }"

    def __init__(self, context: Context, project_id: str, phase: PhaseName) -> None:
        super().__init__(context, words.title(phase).capitalize())
        self._project_id = project_id
        self._phase = phase
        self._sessions: Sequence[SessionLog] = ()
        self._keys: Mapping[str, str] = {}
        self._history: PhaseHistory | None = None
        self._documents = 0

    def parts(self) -> ComposeResult:
        yield DocumentView(Facts(), id="phase-document")
        yield SessionList(id="phase-sessions", empty="Reading …")
        yield HappeningList(id="phase-history", empty="Reading …")

    def sections(self) -> Sequence[Section]:
        lines = len(self._history.lines) if self._history else 0
        return (
            Section("Document", f"round {self._documents}" if self._documents > 1 else ""),
            Section("Sessions", f"{len(self._sessions):,}" if self._sessions else ""),
            Section("History", f"{lines:,}" if lines else ""),
        )

    def hints(self) -> Sequence[Hint]:
        return (*super().hints(), Hint(self.context.keymap.shown("diff"), "rounds and difference", "diff"))

    async def load(self) -> None:
        client = self.context.client
        overview = await overview_as_it_is(client, self._project_id)
        artifacts = versions(await client.artifacts(self._project_id), self._phase)
        sessions = await read_sessions(client, self._project_id)
        items = await read_items(client, self._project_id)
        self._sessions = [session for session in sessions if session.phase is self._phase]
        self._keys = {item.id: item.key for item in items}
        self._show_head(overview, artifacts)
        await self._show_document(artifacts)
        shown = self.query_one(SessionList)
        shown.show_empty("No session yet.")
        shown.show_sessions(self._sessions, self._keys, self.context.clock())
        state = overview.state.phases[self._phase]
        start = began(state, self._sessions, artifacts)
        if self._history is None and start is not None:
            names = names_of(sessions, items)
            await self._read_history(names, start, ended(state, self._sessions))
        self._show_history()

    async def _read_history(self, names: dict[str, str], start: datetime, end: datetime | None) -> None:
        history = PhaseHistory(self._phase, {session.id for session in self._sessions}, names)
        async for recorded in events_between(self.context.client, self._project_id, start, end):
            history.take(recorded)
        self._history = history

    def _show_head(self, overview: ProjectOverview, artifacts: Sequence[Artifact]) -> None:
        state = overview.state.phases[self._phase]
        usage = overview.usage.get(self._phase, Usage())
        took = seconds_at(state, self.context.clock())
        parts = [words.title(self._phase).capitalize(), overview.project.name, words.title(state.status)]
        parts += [f"round {state.round}"] if state.round > 1 else []
        parts += [words.duration(took), words.money(usage.cost_usd)] if took or usage.cost_usd else []
        self.tell_head(" · ".join(parts))
        self.query_one(Facts).show(_facts(state, usage, took, artifacts))

    async def _show_document(self, artifacts: Sequence[Artifact]) -> None:
        self._documents = artifacts[-1].round if artifacts else 0
        text = await self.context.client.artifact_text(artifacts[-1].id) if artifacts else nothing(self._phase)
        view = self.query_one(DocumentView)
        if view.text != text:
            await view.set_text(text)

    def _show_history(self) -> None:
        shown = self.query_one(HappeningList)
        follows = shown.at_end()
        shown.show_empty("Nothing has happened in this phase yet.")
        shown.show(list(self._history.lines) if self._history else [])
        if follows:
            shown.action_last()
        self.show_sections()

    def concerns(self, recorded: Recorded) -> bool:
        if recorded.project_id != self._project_id:
            return False
        match recorded.event:
            case PhaseStatusChanged(phase=phase) | ArtifactStored(phase=phase) | AgentStarted(phase=phase):
                return phase is self._phase
            case AgentFinished(agent_id=agent_id):
                return agent_id in {session.id for session in self._sessions}
            case _:
                return False

    def on_happened(self, message: Happened) -> None:
        """Adds lines to the history."""
        history = self._history
        if history is None:
            return
        mine = [recorded for recorded in message.recorded if recorded.project_id == self._project_id]
        if sum(history.take(recorded) for recorded in mine):
            self._show_history()

    def action_diff(self) -> None:
        """Opens the document with its rounds."""
        self.app.push_screen(DocumentPage(self.context, self._project_id, self._phase))

    def on_row_list_chosen(self, message: RowList.Chosen) -> None:
        """Shows the log of a session."""
        if isinstance(message.row, SessionLog):
            key = self._keys.get(message.row.work_item_id or "", "")
            self.app.push_screen(SessionPage(self.context, message.row, key))


def seconds_at(state: PhaseState, moment: datetime) -> float:
    """Seconds the phase has run by `moment`, a run under way included."""
    running = (moment - state.running_since).total_seconds() if state.running_since else 0.0
    return state.seconds + max(0.0, running)


def _facts(state: PhaseState, usage: Usage, took: float, artifacts: Sequence[Artifact]) -> list[Fact]:
    sign, color = glyphs.PHASES[state.status]
    facts = [Fact("State", [Bit(f"{sign} {words.title(state.status)}", color)])]
    if state.error:
        facts.append(Fact("Error", [Bit(one_line(state.error, 400), "error")]))
    if state.feedback:
        facts.append(Fact("Wanted", [Bit(one_line(state.feedback, 400))]))
    if took or usage.cost_usd:
        facts.append(
            Fact(
                "Spent",
                [
                    Bit(f"{words.duration(took)} · {words.money(usage.cost_usd)}"),
                    Bit(f" · {words.tokens(usage.tokens)}", "muted"),
                ],
            )
        )
    if artifacts:
        file = f" · {artifacts[-1].file_path}" if artifacts[-1].file_path else ""
        facts.append(
            Fact("Document", [Bit(label(artifacts[-1])), Bit(f"{file} · {moment(artifacts[-1].created_at)}", "muted")])
        )
    return facts
