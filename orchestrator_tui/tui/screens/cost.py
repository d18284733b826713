"""Money and tokens: of one project by phase, kind of token and session, or of all projects."""

from collections.abc import Sequence
from textwrap import wrap

from rich.text import Text
from textual.app import ComposeResult

from orchestrator_tui.domain import events, limit_words, words
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.records import ProjectOverview, Usage
from orchestrator_tui.tui import costs, glyphs
from orchestrator_tui.tui.columns import columns
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.costs import CostRow, SessionRow
from orchestrator_tui.tui.reading import read_items, read_overviews, read_sessions
from orchestrator_tui.tui.screens.live_page import LivePage
from orchestrator_tui.tui.widgets.sheet import Ink, Sheet

CONCERNS = events.AgentFinished | events.AgentStarted | events.WorkItemStatusChanged | events.LimitSet
WIDEST_BAR = 40
LEAST_BAR = 8
LEAST = (24, 8, 8, 7)
"""How wide the columns of all tables are at least, so that they stand below one another."""
SESSION_HEADS = ("tokens", "cost", "took", "item", "model")
PRETENDED = "Pretended, you pay 0: the model is scripted and nothing is sent to Claude."


class CostPage(LivePage):
    """Without a project it shows all of them."""

    DEFAULT_CSS = "CostPage Sheet { height: 1fr; }"

    def __init__(self, context: Context, project_id: str | None) -> None:
        super().__init__(context, "Cost")
        self._project_id = project_id

    def body(self) -> ComposeResult:
        yield Sheet()

    def concerns(self, recorded: Recorded) -> bool:
        """The end of a session tells what it cost; of one project, limits and what is left to do are shown too."""
        mine = self._project_id in (None, recorded.project_id)
        return mine and isinstance(recorded.event, CONCERNS)

    async def load(self) -> None:
        await (self._load_all() if self._project_id is None else self._load_one(self._project_id))

    async def _load_one(self, project_id: str) -> None:
        client = self.context.client
        overview = await client.overview(project_id)
        sessions = await read_sessions(client, project_id)
        items = await read_items(client, project_id) if any(one.work_item_id for one in sessions) else ()
        rows = costs.by_session(sessions, {item.id: item.key for item in items})
        self.tell_head(f"Cost · {overview.project.name} · {words.spent(overview.total_usage)}")
        bounds = await client.bounds(project_id)
        self.query_one(Sheet).show(lambda width, ink: one_project(overview, rows, bounds, width, ink))

    async def _load_all(self) -> None:
        overviews = await read_overviews(self.context.client)
        real = costs.total_of(one for one in overviews if not one.project.rehearsal)
        self.tell_head(f"Cost · all projects · {words.spent(real)}")
        self.query_one(Sheet).show(lambda width, ink: all_projects(overviews, width, ink))


def one_project(
    overview: ProjectOverview, rows: Sequence[SessionRow], bounds: Bounds, width: int, ink: Ink
) -> list[Text]:
    """The page of one project, laid out for so many cells."""
    usage = overview.total_usage
    lines = [Text()]
    if overview.project.rehearsal:
        lines += [Text(PRETENDED, ink("warning")), Text()]
    lines += [*limits_table(bounds, width, ink), Text()]
    lines += table("By phase", costs.by_phase(overview), usage, width, ink)
    lines += [Text(), *table("By kind of token", costs.by_kind(usage), usage, width, ink, money=False)]
    lines += [Text(), *sessions_table(rows, usage, width, ink)]
    return lines


def all_projects(overviews: Sequence[ProjectOverview], width: int, ink: Ink) -> list[Text]:
    """The page of all projects: those that are paid for, and those that only pretend."""
    lines: list[Text] = []
    for pretended, name in ((False, "By project"), (True, "Rehearsals")):
        found = [one for one in overviews if one.project.rehearsal is pretended]
        if found:
            lines += [Text(), *table(name, costs.by_project(found), costs.total_of(found), width, ink)]
            lines += [Text(PRETENDED, ink("warning"))] if pretended else []
    return lines or [Text(), Text("Nothing was spent yet: there are no projects.", ink("muted"))]


def table(name: str, rows: Sequence[CostRow], total: Usage, width: int, ink: Ink, *, money: bool = True) -> list[Text]:
    """Rows with a bar each, and their sum."""
    if not rows:
        return [Text(name, ink("accent")), Text("nothing yet", ink("muted"))]
    muted = ink("muted")
    cells = [[Text(name, ink("accent")), Text("tokens", muted), Text("cost" if money else "", muted), Text()]]
    for row in rows:
        dollars = Text(words.money(row.dollars) if money else "")
        cells.append([Text(row.name), Text(costs.count(row.tokens)), dollars, Text(f"{row.share:.0%}", muted)])
    dollars = Text(words.money(total.cost_usd) if money else "", "bold")
    cells.append([Text("total", "bold"), Text(costs.count(total.tokens), "bold"), dollars, Text()])
    lines = columns(cells, right=range(1, len(cells[0])), least=LEAST, width=width)
    space = min(WIDEST_BAR, width - max(line.cell_len for line in lines) - 2)
    for line, row in zip(lines[1:], rows, strict=False):
        if space >= LEAST_BAR:
            line.append("  ").append_text(bar(row.share, space, ink))
    return lines


def bar(share: float, width: int, ink: Ink) -> Text:
    """A share as a line; what is more than nothing shows."""
    length = max(1, round(share * width)) if share > 0 else 0
    return Text("━" * min(length, width), ink("accent"))


def limits_table(bounds: Bounds, width: int, ink: Ink) -> list[Text]:
    """What is used of each limit, what the work left to do will take, and the limits that it passes."""
    muted = ink("muted")
    cells = [[Text("Limits", ink("accent")), Text("used", muted), Text("of", muted), Text()]]
    for use in bounds.limits:
        color = ink("error" if use.is_reached else "warning" if use in bounds.near else "muted")
        used, limit = (limit_words.amount(use.resource, amount) for amount in (use.used, use.limit))
        what = limit_words.name(use.scope, use.resource, use.subject)
        cells.append([Text(what), Text(used), Text(limit), Text(f"{use.share:.0%}", color)])
    lines = columns(cells, right=range(1, 4), least=LEAST, width=width)
    if bounds.forecast is not None and bounds.forecast.items_left:
        lines.append(Text("Left to do  ", muted).append(limit_words.left_to_do(bounds.forecast), ink("foreground")))
    for use in bounds.passed:
        told = limit_words.near(use, use.used)
        lines += [Text(line, ink("warning")) for line in wrap(f"! {told[0].upper()}{told[1:]}.", width)]
    return lines


def sessions_table(rows: Sequence[SessionRow], total: Usage, width: int, ink: Ink) -> list[Text]:
    """The sessions, the dearest first."""
    if not rows:
        return [Text("By session", ink("accent")), Text("no agent has worked yet", ink("muted"))]
    muted = ink("muted")
    cells = [[Text("By session", ink("accent")), *(Text(name, muted) for name in SESSION_HEADS)]]
    cells += [_session(row, ink) for row in rows]
    sums = [Text(costs.count(total.tokens), "bold"), Text(words.money(total.cost_usd), "bold")]
    cells.append([Text("total", "bold"), *sums, Text(), Text(), Text()])
    return columns(cells, right=(1, 2, 3), least=LEAST, width=width)


def _session(row: SessionRow, ink: Ink) -> list[Text]:
    session = row.session
    sign, color = glyphs.AGENTS[session.status]
    took = words.duration((session.ended_at - session.started_at).total_seconds()) if session.ended_at else "running"
    return [
        Text(f"{sign} ", ink(color)).append(f"{row.role} {row.number}", ink("foreground")),
        Text(costs.count(session.usage.tokens)),
        Text(words.money(session.usage.cost_usd)),
        Text(took),
        Text(row.item, ink("muted")),
        Text(row.model, ink("muted")),
    ]
