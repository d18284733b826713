"""How one project stands, on one page, with what waits for a person and the keys that answer it."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text
from textual.app import ComposeResult

from orchestrator_tui.domain import events, limit_words, standing, words
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.ownership import WAITS_FOR_TAKEOVER, elsewhere
from orchestrator_tui.domain.priority import own_priority
from orchestrator_tui.domain.records import ProjectOverview, SyncState
from orchestrator_tui.domain.statuses import PHASE_ORDER, PipelineStatus, RequestKind
from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.engine.client import overview_as_it_is
from orchestrator_tui.tui import costs, glyphs
from orchestrator_tui.tui.columns import columns
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.keymap import Keymap
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.widgets.sheet import Ink, Sheet
from orchestrator_tui.tui.wrapping import wrap

ANSWERS = {
    RequestKind.APPROVAL: ("approve", "request_changes", "view", "edit", "stop"),
    RequestKind.CLARIFICATION: ("waiting",),
    RequestKind.PERMISSION: ("waiting",),
    RequestKind.ERROR_DECISION: ("retry", "skip", "stop"),
}
"""The keys of the main screen that answer what waits."""

LABEL_CELLS = 15

WAITING = "Waiting"
PRETENDED = "  rehearsal: pretended, you pay 0"


class StatusPage(LivePage):
    """Repaints once a second, so that times go on."""

    DEFAULT_CSS = "StatusPage Sheet { height: 1fr; }"

    def __init__(self, context: Context, project_id: str) -> None:
        super().__init__(context, "Status")
        self._project_id = project_id
        self._overview: ProjectOverview | None = None
        self._bounds: Bounds | None = None
        self._tracker = SyncState(kind="database")

    def body(self) -> ComposeResult:
        yield Sheet()

    def on_mount(self) -> None:
        self.set_interval(1.0, self._repaint, name="times")

    def concerns(self, recorded: Recorded) -> bool:
        """Whatever an agent says changes nothing here."""
        talk = events.AgentSaid | events.AgentCalledTool | events.AgentToolReturned | events.AgentPrompted
        return recorded.project_id == self._project_id and not isinstance(recorded.event, talk)

    async def load(self) -> None:
        self._tracker = await self.context.client.tracker(self._project_id)
        self._overview = await overview_as_it_is(self.context.client, self._project_id)
        self._bounds = await self.context.client.bounds(self._project_id)
        self.tell_head(f"Status · {self._overview.project.name}")
        self._repaint()

    def _repaint(self) -> None:
        overview, bounds, tracker, context = self._overview, self._bounds, self._tracker, self.context
        if overview is not None and bounds is not None:
            self.query_one(Sheet).show(
                lambda width, ink: status_lines(overview, bounds, tracker, context.clock(), context.keymap, width, ink)
            )


def status_lines(
    overview: ProjectOverview,
    bounds: Bounds,
    tracker: SyncState,
    at: datetime,
    keymap: Keymap,
    width: int,
    ink: Ink,
) -> list[Text]:
    """The page, laid out for so many cells."""
    next_step = _next(overview, keymap, width, ink)
    facts: list[Text] = []
    for name, value in _facts(overview, bounds, at, ink):
        facts += _whole_fact(name, value, width, ink) if name == WAITING else [_fact(name, value, ink)]
    facts += [line for name, value in _tracker_facts(tracker, at, ink) for line in _whole_fact(name, value, width, ink)]
    return [Text(), *next_step, Text(), *facts, Text(), *_phases(overview, at, width, ink)]


def _fact(name: str, value: Text, ink: Ink) -> Text:
    return Text(f"{name:<{LABEL_CELLS}}", ink("muted")).append_text(value)


def _whole_fact(name: str, value: Text, width: int, ink: Ink) -> list[Text]:
    """A fact on as many lines as it takes: of an address or a problem people need the end, too."""
    parts = [value[start:end] for start, end in wrap(value.plain, max(1, width - LABEL_CELLS))]
    for part in parts:
        part.rstrip()
    return [_fact("" if number else name, part, ink) for number, part in enumerate(parts)]


def _facts(overview: ProjectOverview, bounds: Bounds, at: datetime, ink: Ink) -> list[tuple[str, Text]]:
    project = overview.project
    sign, color = glyphs.PIPELINES[project.status]
    return [
        ("Project", Text(f"{project.number} {one_line(project.name)}", "bold")),
        ("Status", Text(f"{sign} {words.title(project.status)}", ink(color)).append(_more(overview))),
        ("Phase", Text(standing.phase_of(overview))),
        ("Progress", Text(standing.progress(overview))),
        *((("Priority", Text(str(urgent))),) if (urgent := own_priority(project)) is not None else ()),
        *(((WAITING, Text(waiting)),) if (waiting := standing.waits_for(overview)) else ()),
        ("Folder", Text(one_line(project.directory, 1000))),
        (
            "Spent",
            Text(words.spent(overview.total_usage)).append(PRETENDED if project.rehearsal else "", ink("warning")),
        ),
        *((name, Text(text, ink("warning") if is_near else "")) for name, text, is_near in limit_words.facts(bounds)),
        ("Last activity", Text(f"{ago(overview.state.last_checkpoint, at)} ago")),
    ]


def _tracker_facts(tracker: SyncState, at: datetime, ink: Ink) -> list[tuple[str, Text]]:
    """Which tracker keeps the items, where people find them, and what keeps it from working."""
    facts = [("Backend", Text(standing.sync(tracker, at)))]
    if tracker.link is not None:
        facts.append(("Items at", Text(one_line(tracker.link, 1000))))
    if tracker.last_error is not None:
        facts.append(("Problem", Text(one_line(tracker.last_error, 600), ink("error"))))
    return facts


def _more(overview: ProjectOverview) -> str:
    """Why a project rests, or which other process it is at work in."""
    if why := standing.reason(overview):
        return f" ({why})"
    process = elsewhere(overview.state.owner, overview.project.status)
    return f" in {process}" if process else ""


def ago(moment: datetime, at: datetime) -> str:
    """How long ago a moment is, without fractions of a second."""
    seconds = max(0, round((at - moment).total_seconds()))
    return f"{seconds}s" if seconds < 60 else words.duration(seconds)


def _phases(overview: ProjectOverview, at: datetime, width: int, ink: Ink) -> list[Text]:
    muted = ink("muted")
    cells = [[Text("Phase", ink("accent")), *(Text(name, muted) for name in ("state", "time", "tokens", "cost"))]]
    total = 0.0
    for name in PHASE_ORDER:
        seconds, usage = standing.seconds_of(overview, name, at), overview.usage.get(name)
        status = overview.state.phases[name].status
        sign, color = glyphs.PHASES[status]
        total += seconds
        cells.append(
            [
                Text(f"{sign} ", ink(color)).append(words.title(name), "" if seconds or usage else muted),
                Text(words.title(status), muted),
                Text(words.duration(seconds) if seconds else "–", "" if seconds else muted),
                Text(costs.count(usage.tokens) if usage else "–", "" if usage else muted),
                Text(words.money(usage.cost_usd) if usage else "–", "" if usage else muted),
            ]
        )
    usage = overview.total_usage
    sums = (words.duration(total), costs.count(usage.tokens), words.money(usage.cost_usd))
    cells.append([Text("total", "bold"), Text(), *(Text(value, "bold") for value in sums)])
    return columns(cells, right=(2, 3, 4), width=width)


def _next(overview: ProjectOverview, keymap: Keymap, width: int, ink: Ink) -> list[Text]:
    """What a person can do now."""
    number = overview.project.number
    request = overview.waiting_for
    if request is not None:
        lines = _wrapped(f"● Waits for you: {one_line(request.title, 400)}", width, f"bold {ink('warning')}")
        if request.kind is not RequestKind.APPROVAL:
            lines += _wrapped(one_line(request.body, 600), width, "")
        return [*lines, keys_line(ANSWERS[request.kind], keymap, ink)]
    if overview.state.shutdown_reason == WAITS_FOR_TAKEOVER:
        return [_hint("/workers", "shows who is there", ink)]
    if overview.project.status in standing.RESTING:
        problem = standing.pause_problem(overview)
        lines = _wrapped(one_line(problem, 600), width, ink("error")) if problem else []
        return [*lines, _hint(f"/resume {number}", "lets it go on", ink)]
    if overview.project.status is PipelineStatus.RUNNING:
        return [_hint(f"/stop {number}", "stops it; it can be resumed", ink)]
    todo = overview.items.todo
    if overview.project.status is PipelineStatus.COMPLETED and todo:
        return [_hint(f"/resume {number}", f"begins with what was added: {words.plural(todo, 'item')}", ink)]
    if overview.project.status is PipelineStatus.NOT_STARTED:
        return [_hint(f"/resume {number}", "begins", ink)]
    return [_hint(f"/replay {number}", "plays once more what happened", ink)]


def keys_line(actions: Sequence[str], keymap: Keymap, ink: Ink) -> Text:
    """Keys with what they do, as the main screen has them."""
    labels = {"waiting": "answer", "request_changes": "request changes"}
    line = Text("On the main screen: ", ink("muted"))
    for action in actions:
        line.append(keymap.shown(action), ink("accent")).append(f" {labels.get(action, action)}   ")
    line.rstrip()
    return line


def _hint(command: str, what: str, ink: Ink) -> Text:
    return Text(command, ink("accent")).append(f" {what}", ink("muted"))


def _wrapped(text: str, width: int, style: str) -> list[Text]:
    rows = [clean(text)] if width < 1 else _split(clean(text), width)
    return [Text(row, style) for row in rows]


def _split(text: str, width: int) -> list[str]:
    rows = [""]
    for word in text.split():
        longer = f"{rows[-1]} {word}".strip()
        rows = [*rows[:-1], longer] if len(longer) <= width or not rows[-1] else [*rows, word]
    return rows
