"""What the help says, made from the commands and the keys as they are set; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.binding import Binding

from orchestrator_tui.domain import words
from orchestrator_tui.tui.commands import COMMANDS, find_command
from orchestrator_tui.tui.keymap import Keymap, Place, actions_of, show_key

FLOW = (
    ("Type a sentence", "and press Enter: that starts a project. Name and folder are suggested."),
    ("Agents plan", "ideation, architecture and task breakdown; each asks for your approval when it is done."),
    ("You answer", "approve, ask for changes in your words, or edit the document. Nothing goes on without you."),
    ("Agents build", "one work item after another, checked by the project's own tests and committed to git."),
    ("You watch", "open any phase, work item, diff or log; stop at any time and resume later."),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is what is typed or pressed, `more` further ways to the same; `called` is not shown, but finds it."""

    name: str
    meaning: str
    more: str = ""
    called: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    entries: Sequence[Entry]


def sections(keymap: Keymap, by_id: Iterable[Binding]) -> Sequence[Section]:
    """All of the help; `by_id` are the keys that belong to no action."""
    return [
        Section("How it goes", [Entry(*step) for step in FLOW]),
        Section("Commands", [_command(command.name, keymap) for command in COMMANDS]),
        *(Section(f"Keys: {place}", _keys(place, keymap)) for place in Place if actions_of(place)),
        Section("Keys by id, which sets them", [_by_id(binding, keymap) for binding in by_id]),
    ]


def matching(found: Sequence[Section], needle: str) -> Sequence[Section]:
    """The entries that have all the words of `needle`, in their sections; a section's own title counts."""
    wanted = needle.casefold().split()
    kept = (Section(one.title, [entry for entry in one.entries if _fits(entry, one.title, wanted)]) for one in found)
    return [section for section in kept if section.entries]


def needle_for(command: str | None) -> str:
    """What finds a command in the help."""
    found = find_command(command.removeprefix("/")) if command else None
    return f"/{found.name}" if found else (command or "")


def _command(name: str, keymap: Keymap) -> Entry:
    command = find_command(name)
    assert command is not None
    also = [f"/{alias}" for alias in command.aliases]
    return Entry(
        command.usage, command.summary, "  ".join([*([keymap.shown(command.action)] if command.action else []), *also])
    )


def _keys(place: Place, keymap: Keymap) -> Sequence[Entry]:
    return [
        Entry(
            "  ".join(show_key(key) for key in keymap.keys(action.id)),
            action.tooltip,
            called=f"{action.label} {action.id} {words.title(action.id)}",
        )
        for action in actions_of(place)
    ]


def _by_id(binding: Binding, keymap: Keymap) -> Entry:
    keys = keymap.by_id.get(binding.id or "", binding.key)
    return Entry("  ".join(show_key(key) for key in keys.split(",")), f"{binding.tooltip}.", binding.id or "")


def _fits(entry: Entry, title: str, wanted: Sequence[str]) -> bool:
    text = f"{title} {entry.name} {entry.meaning} {entry.more} {entry.called}".casefold()
    return all(word in text for word in wanted)
