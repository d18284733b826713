"""What a work item's page says, as facts and Markdown; pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator_tui.domain import words
from orchestrator_tui.domain.events import VerifyFinished
from orchestrator_tui.domain.records import Comment, SyncState, WorkItem
from orchestrator_tui.domain.text import clean, one_line
from orchestrator_tui.tui import glyphs
from orchestrator_tui.tui.widgets.facts import Bit, Fact

PRIORITIES = {1: "urgent", 2: "high", 3: "normal", 4: "low"}
MOST_LISTED = 12
"""Items that are named in one row of facts."""


@dataclass(frozen=True, slots=True)
class Check:
    """A run of the project's own check for an item."""

    at: datetime
    event: VerifyFinished


def item_facts(item: WorkItem, items: Mapping[str, WorkItem], tracker: SyncState | None = None) -> list[Fact]:
    """State, priority, labels, links, and where people find the item beside the program; `items` are all of the
    project's by id."""
    sign, color = glyphs.ITEMS[item.status]
    facts = [
        Fact("State", [Bit(f"{sign} {words.title(item.status)}", color)]),
        Fact("Priority", [Bit(f"P{item.priority} {PRIORITIES.get(item.priority, '')}")]),
    ]
    if item.labels:
        facts.append(Fact("Labels", [Bit(one_line(", ".join(item.labels)))]))
    if item.parent_id:
        facts.append(Fact("Part of", _named([item.parent_id], items)))
    if item.dependencies:
        facts.append(Fact("Needs", _named(item.dependencies, items)))
    needed_by = [other.id for other in items.values() if item.id in other.dependencies]
    if needed_by:
        facts.append(Fact("Needed by", _named(needed_by, items)))
    if item.completed_at is not None and item.created_at is not None:
        facts.append(Fact("Done", [Bit(moment(item.completed_at))]))
    link = item.metadata.get("link") or (tracker and tracker.link)
    if tracker is not None and link:
        facts.append(Fact("Kept in", [Bit(f"{tracker.kind} · {one_line(str(link), 1000)}")]))
    if tracker is not None and tracker.last_error:
        facts.append(Fact("Problem", [Bit(one_line(tracker.last_error, 600), "error")]))
    return facts


def description(item: WorkItem) -> str:
    """Description and acceptance criteria as Markdown."""
    parts = [clean(item.description).strip() or "*No description.*"]
    if item.acceptance:
        parts += ["## It is done when", "\n".join(f"- {one_line(line, 2000)}" for line in item.acceptance)]
    return "\n\n".join(parts) + "\n"


def notes(comments: Sequence[Comment]) -> str:
    """The comments as Markdown, oldest first."""
    if not comments:
        return "*No notes yet. Agents leave them when they hand an item on, or cannot finish it.*\n"
    return "\n\n".join(
        f"### {one_line(comment.author, 60)} · {moment(comment.created_at)}\n\n{clean(comment.content).strip()}"
        for comment in comments
    )


def checks(runs: Sequence[Check]) -> str:
    """The runs of the check as Markdown, the newest first, with the end of what each printed."""
    if not runs:
        return "*The check has not run for this item yet. The engine runs it after each change an agent hands in.*\n"
    return "\n\n".join(map(_check, reversed(runs)))


def moment(at: datetime) -> str:
    """A local date and time."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def fenced(text: str) -> str:
    """`text` as a block of code, whatever is in it."""
    longest = max((len(run) for run in re.findall("~+", text)), default=0)
    fence = "~" * max(3, longest + 1)
    return f"{fence}\n{clean(text).rstrip()}\n{fence}"


def _check(run: Check) -> str:
    event = run.event
    sign = "✓ passed" if event.passed else f"× red, exit code {event.exit_code}"
    head = f"### {sign} · {words.duration(event.seconds)} · {moment(run.at)}"
    printed = f"$ {event.command}\n{event.output}"
    return f"{head}\n\n{fenced(printed)}"


def _named(ids: Iterable[str], items: Mapping[str, WorkItem]) -> list[Bit]:
    """Each item on a row: its state, key and title."""
    known = [items[item_id] for item_id in ids if item_id in items]
    bits: list[Bit] = []
    for item in known[:MOST_LISTED]:
        sign, color = glyphs.ITEMS[item.status]
        bits += [Bit("\n") if bits else Bit(""), Bit(f"{sign} ", color), Bit(f"{item.key} ", "accent")]
        bits.append(Bit(one_line(item.title, 100)))
    if len(known) > MOST_LISTED:
        bits.append(Bit(f"\nand {len(known) - MOST_LISTED} more", "muted"))
    return bits or [Bit("an item that is gone", "muted")]
