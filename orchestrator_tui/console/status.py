"""What is known of projects, as a table, a page or JSON; pure: records in, text or plain data out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator_tui.domain import limit_words, standing, words
from orchestrator_tui.domain.events import ProjectImported, ProjectMoved
from orchestrator_tui.domain.limits import Bounds, LimitUse, Spending
from orchestrator_tui.domain.ownership import WAITS_FOR_TAKEOVER
from orchestrator_tui.domain.priority import own_priority
from orchestrator_tui.domain.records import Project, ProjectOverview
from orchestrator_tui.domain.statuses import PHASE_ORDER, Choice, PauseReason, PhaseName, PipelineStatus, RequestKind
from orchestrator_tui.domain.text import clean, hidden

NO_PROJECTS = (
    "There are no projects yet.",
    'Start one: orchestrator-tui --idea "…", or try orchestrator-tui --rehearsal --autonomy full',
)


def listing(overviews: Sequence[ProjectOverview], bounds: Mapping[str, Bounds] | None = None) -> list[str]:
    """The projects as a table, one a line. `bounds`, by the project's id, add what is near a limit or left to do."""
    if not overviews:
        return list(NO_PROJECTS)
    header = ("ID", "Name", "Status", "Phase", "Progress")
    header_line, *rows = words.table([header, *(_row(overview) for overview in overviews)])
    lines = ["Projects", f"  {header_line}", "  " + "─" * max(map(len, (header_line, *rows)))]
    lines += [f"  {row}" for row in rows]
    facts = [
        (str(overview.project.number), words.one_line(overview.project.name, 40), f"{name}:", text)
        for overview in overviews
        if bounds and overview.project.id in bounds
        for name, text, _ in limit_words.facts(bounds[overview.project.id])
    ]
    if facts:
        lines += ["", "Limits and what is left to do", *(f"  {row}" for row in words.table(facts))]
    if any(overview.project.rehearsal for overview in overviews):
        lines += ["", words.REHEARSAL]
    return lines


def detail(
    overview: ProjectOverview, at: datetime, bounds: Bounds | None = None, *, connect: str | None = None
) -> list[str]:
    """One project on a page; `at` is the present moment. `bounds` adds what is near a limit, and what is left to do.
    `connect` is the server that a person named to get at it."""
    project, usage = overview.project, overview.total_usage
    facts = [
        ("Project", f"{project.number} {words.one_line(project.name)}{_mark(overview)}"),
        ("Status", project.status.value + _why(overview)),
        ("Phase", standing.phase_of(overview)),
        ("Progress", standing.progress(overview)),
        *((("Owner", words.one_line(project.created_by, 60)),) if project.created_by else ()),
        *((("Priority", str(urgent)),) if (urgent := own_priority(project)) is not None else ()),
        *((("Waiting", waiting),) if (waiting := standing.waits_for(overview)) else ()),
        ("Folder", folder(overview)),
        ("Spent", words.spent(usage)),
        *((name, text) for name, text, _ in (limit_words.facts(bounds) if bounds else ())),
        ("Last step", f"{words.duration((at - overview.state.last_checkpoint).total_seconds())} ago"),
    ]
    lines = words.table((f"{name}:", value) for name, value in facts)
    if project.rehearsal:
        lines += [words.REHEARSAL]
    lines += ["", *phase_table(overview, at)]
    if overview.waiting_for is not None:
        lines += ["", *how_to_answer(overview, connect)]
    elif project.status in standing.RESTING:
        lines += ["", *why_paused(overview), *how_to_go_on(overview, "Go on with", connect)]
    return lines


def imported(overview: ProjectOverview, told: ProjectImported, at: datetime) -> list[str]:
    """What was built again of a project, and how it stands."""
    lines = [f"Imported as project {told.number}: {told.done} of {told.items} work items are done."]
    if told.by_commit:
        lines += [f"Done by their commits alone, which the state file did not tell of: {told.by_commit}"]
    if told.requeued:
        lines += [f"Back in the queue, their unfinished work kept as a patch: {told.requeued}"]
    lines += ["The history of events and the conversations were in the lost database alone."]
    return [*lines, "", *detail(overview, at)]


def imported_json(overview: ProjectOverview, told: ProjectImported, at: datetime) -> dict[str, Any]:
    """The project as JSON-safe data, with what was found out about its items."""
    return {"type": "imported", **as_json(overview, at), "by_commit": told.by_commit, "requeued": told.requeued}


def taken_up(overview: ProjectOverview, told: ProjectMoved | None, at: datetime) -> list[str]:
    """Where a known project lies now, or how its repository was begun anew, and how it stands."""
    number = overview.project.number
    if told is not None:
        line = f"Project {number} lies in {folder(overview)} now."
    else:
        line = f"Project {number} goes on in a new repository: its files as they are are the first commit."
    return [line, "", *detail(overview, at)]


def folder(overview: ProjectOverview) -> str:
    return words.one_line(overview.project.directory, 1000)


def why_paused(overview: ProjectOverview) -> list[str]:
    """What a project that is paused without a question ran into, and what its error advises; nothing otherwise."""
    problem = standing.pause_problem(overview)
    return [f"Paused: {words.one_line(problem, 400)}"] if problem is not None else []


def phase_table(overview: ProjectOverview, at: datetime) -> list[str]:
    """The seven phases with state, time, tokens and cost, and the sum below."""
    rows = [("Phase", "Status", "Time", "Tokens", "Cost")]
    total = 0.0
    for name in PHASE_ORDER:
        seconds, usage = standing.seconds_of(overview, name, at), overview.usage.get(name)
        total += seconds
        spent = (words.tokens(usage.tokens), words.money(usage.cost_usd)) if usage else ("-", "-")
        status = words.title(overview.state.phases[name].status)
        rows.append((words.title(name), status, words.duration(seconds) if seconds else "-", *spent))
    usage = overview.total_usage
    rows.append(("total", "", words.duration(total), words.tokens(usage.tokens), words.money(usage.cost_usd)))
    return words.table(rows)


def how_to_answer(overview: ProjectOverview, connect: str | None = None) -> list[str]:
    """What waits for a person, and the commands that answer it; nothing when nothing waits."""
    request = overview.waiting_for
    if request is None:
        return []
    resume = resume_command(overview.project, connect)
    lines = [f"Project {overview.project.number} waits for you: {words.one_line(request.title)}"]
    match request.kind:
        case RequestKind.ERROR_DECISION:
            lines += [words.one_line(request.body, 400), f"To try again: {resume}"]
            lines += [f'With a hint:  {resume} --request-changes "what the agent should know"']
        case RequestKind.CLARIFICATION:
            lines += [*_in_full(request.body), f'To answer: {resume} --request-changes "your answer"']
        case RequestKind.PERMISSION:
            once = "once" if Choice.ALLOW_ONCE in request.choices else "here"
            lines += [*_in_full(request.body), f"To allow it {once}: {resume} --approve"]
            if {Choice.ALLOW_ONCE, Choice.ALLOW_PROJECT} <= {*request.choices}:
                lines += [f"To allow it in this project from now on: {resume} (on a terminal)"]
            if Choice.DENY in request.choices:
                lines += [f'To deny it:       {resume} --request-changes "why"']
        case _:
            lines += [f"To approve:         {resume} --approve"]
            lines += [f'To ask for changes: {resume} --request-changes "what should be different"']
            lines += [f"To be asked:        {resume} (on a terminal)"]
    return lines


def _in_full(text: str) -> list[str]:
    """What a yes would be to: nothing of it is cut off, and what cannot be shown is told."""
    lines = [f"  {line}".rstrip() for line in clean(text).rstrip("\n").split("\n")]
    return ["", *lines, "", *([words.not_shown(count)] if (count := hidden(text)) else [])]


def how_to_go_on(overview: ProjectOverview, told: str, connect: str | None = None) -> list[str]:
    """The command that resumes a project, after the word `told`; nothing at a limit: by itself it would change nothing,
    and what does was told with the pause. Nothing either where another worker does it."""
    is_paused, why = overview.project.status is PipelineStatus.PAUSED, overview.state.shutdown_reason
    if is_paused and why in (PauseReason.BUDGET, WAITS_FOR_TAKEOVER):
        return []
    return [f"{told}: {resume_command(overview.project, connect)}"]


def resume_command(project: Project, connect: str | None) -> str:
    """How a person goes on with a project; `connect` is the server that they named to get at it."""
    return f"orchestrator-tui --resume {project.number}{on_server(connect)}"


def on_server(connect: str | None) -> str:
    """What a command needs to reach the server that a person named, if they did."""
    return "" if connect is None else f" --connect {connect}"


def as_json(overview: ProjectOverview, at: datetime, bounds: Bounds | None = None) -> dict[str, Any]:
    """The project as JSON-safe data. `seconds` of a running phase include the time until `at`. `bounds` adds `limits`
    and `forecast`, in dollars, tokens, sessions and hours or seconds."""
    project, items = overview.project, overview.items
    return {
        "id": project.id,
        "number": project.number,
        "name": project.name,
        "status": project.status.value,
        "reason": overview.state.shutdown_reason,
        "current_phase": project.current_phase.value if project.current_phase else None,
        "rehearsal": project.rehearsal,
        "created_by": project.created_by,
        "priority": own_priority(project),
        "directory": project.directory,
        "phases": [_phase_json(overview, name, at) for name in PHASE_ORDER],
        "items": {"done": items.done, "total": items.total},
        "cost_usd": _dollars(overview.total_usage.cost_usd),
        "tokens": overview.total_usage.tokens,
        "waiting_for": _waiting_json(overview),
        "seats_awaited": len(overview.seats),
        "folder_missing_on": list(overview.folder_missing_on),
        **(_bounds_json(bounds) if bounds else {}),
    }


def _bounds_json(bounds: Bounds) -> dict[str, Any]:
    foretold = bounds.forecast
    return {
        "limits": [_limit_json(use) for use in bounds.limits],
        "forecast": foretold
        and {
            "items_done": foretold.items_done,
            "items_left": foretold.items_left,
            "done": _spending_json(foretold.done),
            "left": _spending_json(foretold.left),
            "passes": [_limit_json(use) for use in bounds.passed],
        },
    }


def _limit_json(use: LimitUse) -> dict[str, Any]:
    told = {"scope": use.scope.value, "what": use.resource.value, "of": use.subject or None}
    return {**told, "used": _dollars(use.used), "limit": use.limit, "share": round(use.share, 4)}


def _spending_json(spending: Spending) -> dict[str, Any]:
    return {
        "cost_usd": _dollars(spending.dollars),
        "tokens": spending.tokens,
        "sessions": spending.sessions,
        "seconds": round(spending.seconds, 3),
    }


def _phase_json(overview: ProjectOverview, name: PhaseName, at: datetime) -> dict[str, Any]:
    usage = overview.usage.get(name)
    return {
        "name": name.value,
        "status": overview.state.phases[name].status.value,
        "seconds": round(standing.seconds_of(overview, name, at), 3),
        "cost_usd": _dollars(usage.cost_usd if usage else 0.0),
        "tokens": usage.tokens if usage else 0,
    }


def _dollars(amount: float) -> float:
    """Without the noise that adding up leaves far behind the point."""
    return round(amount, 6)


def _waiting_json(overview: ProjectOverview) -> dict[str, Any] | None:
    request, problem = overview.waiting_for, standing.pause_problem(overview)
    if request is not None:
        phase = request.phase.value if request.phase else None
        return {"kind": request.kind.value, "phase": phase, "title": request.title, "request_id": request.id}
    if problem is None:
        return None
    current = overview.project.current_phase
    phase = current.value if current else None
    resumes_at = overview.state.resumes_at
    waiting = {"kind": overview.state.shutdown_reason, "phase": phase, "title": problem, "request_id": None}
    return waiting if resumes_at is None else {**waiting, "resumes_at": resumes_at.isoformat()}


def _row(overview: ProjectOverview) -> tuple[str, ...]:
    project = overview.project
    name = words.one_line(project.name, 40) + _mark(overview)
    return str(project.number), name, project.status.value, standing.phase_of(overview), standing.progress(overview)


def _mark(overview: ProjectOverview) -> str:
    return " (rehearsal)" if overview.project.rehearsal else ""


def _why(overview: ProjectOverview) -> str:
    reason = standing.reason(overview)
    return f" ({reason})" if reason else ""
