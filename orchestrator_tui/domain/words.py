"""Short forms for people: one safe line of text, durations, money, token counts."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from orchestrator_tui.domain.events import (
    AssumptionMade,
    AttemptFailed,
    InstructionGiven,
    InstructionKept,
    InstructionTaken,
    MergeProgressed,
    PermissionChanged,
    PrioritySet,
    SeatAwaited,
)
from orchestrator_tui.domain.records import Usage, WorkerRecord
from orchestrator_tui.domain.statuses import InstructionKind, MergeStep, PauseReason, SeatScope
from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.domain.troubles import Rung

__all__ = ["clean", "duration", "last_line", "money", "one_line", "spent", "table", "title", "tokens"]

_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")

REHEARSAL = "Rehearsal: the model is scripted, nothing is sent to Claude; costs are pretended, you pay 0."


def last_line(text: str, limit: int = 160) -> str:
    """The last line of `text` that is not blank, shortened; "" when there is none."""
    lines = [line for line in text[-limit * 20 :].splitlines() if line.strip()]
    return one_line(lines[-1], limit) if lines else ""


def duration(seconds: float) -> str:
    """`12.3s`, `4m05s`, `2h07m`."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def money(dollars: float) -> str:
    """`$0.01`; an amount that would show as nothing is `<$0.01`."""
    return "<$0.01" if 0 < dollars < 0.005 else f"${dollars:,.2f}"


def tokens(count: int) -> str:
    """`950 tok`, `12.3k tok`, `1.2M tok`."""
    if count < 1000:
        return f"{count} tok"
    return f"{count / 1000:.1f}k tok" if count < 999_950 else f"{count / 1_000_000:.1f}M tok"


def spent(usage: Usage) -> str:
    """Tokens and money in one phrase."""
    return f"{tokens(usage.tokens)}  {money(usage.cost_usd)}"


def instruction(event: InstructionGiven | InstructionTaken | InstructionKept | PermissionChanged) -> str:
    """What a person said to agents, or allowed, in one line."""
    match event:
        case InstructionGiven(kind=InstructionKind.INTERRUPT):
            return "interrupts it"
        case InstructionGiven(kind=InstructionKind.NOTE):
            return f"note for the next session: {event.text}"
        case InstructionGiven():
            return f"says to it: {event.text}"
        case InstructionTaken(kind=InstructionKind.INTERRUPT):
            return "stops its step"
        case InstructionTaken():
            return f"has heard: {event.text}"
        case InstructionKept():
            return f"ended before it heard this; the next session is told: {event.text}"
        case PermissionChanged(allowed=True):
            return f"allowed in this project from now on: {event.pattern}"
        case PermissionChanged():
            return f"not allowed in this project any more: {event.pattern}"


def tool_name(tool: str) -> str:
    """What people call a tool: one of this program's own without the name of its server."""
    return tool.rpartition("__")[2].replace("_", " ") if tool.startswith("mcp__") else tool


def assumption(event: AssumptionMade) -> str:
    """What an agent asked where nobody is asked, in one line."""
    return f"nobody is asked, so it assumes: {event.question}"


def owner(name: str) -> str:
    """The process that runs a project, as people are told of it."""
    return name.partition(" since ")[0]


def taken_over(owner_now: str, before: str) -> str:
    """That a process runs a project which another one has left without giving it back."""
    return f"{owner(owner_now)} runs it now, in place of {owner(before)}"


def queue(queued: bool) -> str:
    return "waits for a worker to take it up" if queued else "waits for no worker any more"


def seat(scope: SeatScope, most: int) -> str:
    """What a session waits for, such as `one of the 12 agents of the installation`."""
    whose = "the installation" if scope is SeatScope.INSTALLATION else "its worker"
    return f"the one agent of {whose}" if most == 1 else f"one of the {most} agents of {whose}"


def seat_awaited(event: SeatAwaited) -> str:
    """That a session waits to be at work."""
    item = f" for {event.work_item_key}" if event.work_item_key else ""
    return f"{title(event.role)}{item} waits for {seat(event.scope, event.most)} to end"


def priority_set(event: PrioritySet) -> str:
    """That somebody changed how urgent a project is."""
    before = f"was {event.old}" if event.old != event.new else "whatever the settings say"
    return f"priority of the project: {event.new} ({before})"


NO_WORKER = "No worker is there. Where cluster.enabled is set, orchestrator-tui --worker is one."


def worker(one: WorkerRecord) -> str:
    """How a worker of a cluster stands, such as `runs 2 of 3, load 0.4`; the load of a silent one is not known."""
    runs = f"runs {len(one.projects)} of {one.concurrency}"
    if is_silent(one):
        return f"silent for {duration(one.silent_seconds)}{f', {runs}' if one.projects else ''}"
    said = f"{runs}, load {one.load:.1f}"
    if one.draining:
        said = f"drains, {said}" if one.projects else "drained"
    return said


def workers(all_of_them: Sequence[WorkerRecord]) -> str:
    """How many workers are there, such as `2 workers · 1 silent`."""
    silent = sum(is_silent(one) for one in all_of_them)
    return plural(len(all_of_them) - silent, "worker") + (f" · {silent} silent" if silent else "")


def is_silent(one: WorkerRecord) -> bool:
    """Whether a worker has not said for a while that it is there."""
    return one.silent_seconds > SILENT_SECONDS


def takeover(name: str, seconds: float) -> str:
    """That a project is about to be taken from an owner that gives no sign."""
    return f"{owner(name)} gave no sign; taken over if it gives none for {seconds:g} s more"


def sandbox(active: bool, why: str) -> str:
    """Whether the programs of a project are shut in."""
    if active:
        return f"commands run in a sandbox{f' ({why})' if why else ''}"
    return f"no sandbox: {why}"


def title(name: str) -> str:
    """`task_breakdown` as people write it; what is no name but words already, such as a path, stays as it is."""
    return name.replace("_", " ") if _NAME.fullmatch(name) else name


SILENT_SECONDS = 10.0
"""Silence of a worker that is worth a word."""

HANDED_OVER = "handed over to another process"
"""What becomes of work that goes on there."""


def why(reason: str | None, resumes_at: datetime | None = None) -> str:
    """Why a project rests, such as `budget`, or `usage limit until 14:05`; "" when nobody knows."""
    if reason == PauseReason.HAND_OVER:
        # Until when is of no interest: it is taken up in this moment.
        return HANDED_OVER
    text = title(one_line(reason)) if reason else ""
    return f"{text} until {local_time(resumes_at)}".strip() if resumes_at is not None else text


def local_time(moment: datetime) -> str:
    """`14:05`; on another day than today `Nov 28 14:05`."""
    local = moment.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now(local.tzinfo).date() else f"{local:%b %d %H:%M}"


ATTEMPT_FOLLOWS = {
    Rung.HINT: "it is told what to do differently",
    Rung.FRESH: "a new session follows",
    Rung.STRONGER: "a session with the stronger model follows",
    Rung.ESCALATE: "given up",
}


def attempt(event: AttemptFailed) -> str:
    """That a try failed, and what follows."""
    count = f"try {event.number} of at most {event.most}"
    problem = one_line(event.problem, 160).rstrip(".")
    return f"{title(event.trouble)}, {count}: {problem}; {ATTEMPT_FOLLOWS[event.then]}"


def merge(event: MergeProgressed) -> str:
    """Where an item is on its way to main."""
    match event.step:
        case MergeStep.WAITING:
            return "is done in its own folder and waits for its turn to be brought in"
        case MergeStep.MERGING:
            return f"is brought in on top of {event.onto[:8]}"


def plural(number: int, one: str) -> str:
    """`1 agent`, `3 agents`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def not_shown(characters: int) -> str:
    """The warning that a text holds `characters` that nobody sees."""
    are = "is" if characters == 1 else "are"
    return f"{plural(characters, 'character')} in it cannot be seen and {are} left out here. Be careful."


def table(rows: Iterable[Iterable[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns, two blanks apart, none at the end."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


_FIELDS = {"parent_id": "parent"}


def fields(names: Sequence[str]) -> str:
    """Fields of a work item as people call them."""
    return ", ".join(_FIELDS.get(name, name) for name in names)


def conflict(field: str, ours: str, theirs: str, key: str = "") -> str:
    """What is told when a person and the program changed the same field of an item."""
    of = f" of {key}" if key else ""
    return f"{fields([field])}{of} was changed on both sides: a person's {theirs!r} counts, not {ours!r}"


def project_moved(directory: str) -> str:
    """What is told when a person has moved the project's folder."""
    return f"the project lies in {directory} now"


def moved(old: str, new: str, items: int) -> str:
    """What is told when a project's items are kept in another tracker from now on."""
    return f"{items} work {'item' if items == 1 else 'items'} moved from tracker {old} to {new}"
