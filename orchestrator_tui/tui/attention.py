"""Calls the person when a project needs them or has come to an end: bell, desktop notification, window title."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from textual.app import App

from orchestrator_tui.domain import events, limit_words
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import PauseReason, PipelineStatus
from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.terminal_calls import notification, pop_title, push_title, window_title, write_escape
from orchestrator_tui.tui.view import Dashboard, fold

if TYPE_CHECKING:
    from orchestrator_tui.config.settings import TuiSettings

NAME = "orchestrator"
TOAST_SECONDS = 20.0
ENDS = (PipelineStatus.COMPLETED, PipelineStatus.FAILED)


class Why(StrEnum):
    """What a person is called for, as it is told."""

    WAITS = "waits for you"
    FAILED = "failed"
    FINISHED = "is finished"
    LIMIT = "comes to a limit"
    USED_UP = "is paused: a limit is used up"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One reason to look at the dashboard. `detail` is what is asked, or why it failed."""

    project_id: str
    project: str
    why: Why
    detail: str = ""

    @property
    def line(self) -> str:
        return f"{self.project} {self.why}"


@runtime_checkable
class Asking(Protocol):
    """A screen with a question on it."""

    request: InputRequest


def calls_for(before: Dashboard, recorded: Recorded, *, asked_about: frozenset[str] = frozenset()) -> Call | None:
    """Whether an event that comes after `before` calls for the person.

    Not for what `before` knows already, and not for a question of the projects `asked_about`: one of those is open.
    """
    if recorded.seq <= before.seq:
        return None
    project = before.projects.get(recorded.project_id)
    name = one_line(project.name, 60) if project else "A project"
    match recorded.event:
        case events.InputRequested() as asked:
            known = recorded.project_id in asked_about or (project is not None and asked.request_id in project.waiting)
            why, detail = (None if known else Why.WAITS), asked.title
        case events.PipelineStatusChanged(old=old, new=new, reason=reason) if new in ENDS and old is not new:
            why, detail = (Why.FINISHED, "") if new is PipelineStatus.COMPLETED else (Why.FAILED, reason or "")
        case events.LimitNear() as near:
            why, detail = Why.LIMIT, limit_words.told(near)
        case events.PipelineStatusChanged(new=PipelineStatus.PAUSED, reason=PauseReason.BUDGET):
            why, detail = Why.USED_UP, ""
        case _:
            return None
    return Call(project_id=recorded.project_id, project=name, why=why, detail=one_line(detail)) if why else None


class Attention:
    """Watches what is recorded and calls. `close` puts the window's title back."""

    def __init__(self, app: App[Any], settings: "TuiSettings | None", environ: Mapping[str, str]) -> None:
        self._app = app
        self.settings = settings
        self._environ = environ
        self._before: Dashboard | None = None
        self._title: str | None = None

    def notice(self, dashboard: Dashboard, recorded: Sequence[Recorded]) -> None:
        """Call if something in `recorded` is a reason to; `dashboard` is right after it."""
        before, asked = self._before or dashboard, self._asked_about()
        calls = []
        for one in recorded:
            if call := calls_for(before, one, asked_about=asked):
                calls.append(call)
            before = fold(before, one)
        self._before = dashboard
        for call in calls:
            if call.why in (Why.LIMIT, Why.USED_UP):
                told = f"{call.line}. {call.detail}" if call.detail else f"{call.line}. /limit raises it."
                self._app.notify(told, severity="warning", markup=False, timeout=TOAST_SECONDS)
        self._badge(sum(project.waits_for_person for project in dashboard.projects.values()))
        if calls:
            self.call(calls)

    def call(self, calls: Sequence[Call]) -> None:
        """Ring once for all of them, and tell the desktop."""
        if self.settings is None or self.settings.bell:
            self._app.bell()
        if self.settings is None or self.settings.notify:
            write_escape(self._app, notification(*_told(calls), self._environ))

    def close(self) -> None:
        """The window gets the title back that it had; safe to call twice."""
        if self._title is not None:
            self._title = None
            write_escape(self._app, pop_title(self._environ))

    def _asked_about(self) -> frozenset[str]:
        return frozenset(screen.request.project_id for screen in self._app.screen_stack if isinstance(screen, Asking))

    def _badge(self, waiting: int) -> None:
        title = badge(waiting)
        if title == self._title:
            return
        first, self._title = self._title is None, title
        write_escape(self._app, (push_title(self._environ) if first else "") + window_title(title, self._environ))


def badge(waiting: int) -> str:
    """The window's title while so many projects wait."""
    return f"● {waiting} wait{'s' if waiting == 1 else ''} – {NAME}" if waiting else NAME


def _told(calls: Sequence[Call]) -> tuple[str, str]:
    """Title and words of one notification for all calls."""
    if len(calls) == 1:
        return calls[0].line, calls[0].detail
    projects = len({call.project_id for call in calls})
    return f"{projects} projects call for you" if projects > 1 else calls[-1].line, ", ".join(c.line for c in calls)
