"""The slash commands as data: what the input bar, the command palette and the help screen know about them."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an argument is; all but TEXT are one of a set of values that exist."""

    PROJECT = "project"
    PHASE = "phase"
    AGENT = "agent"
    ITEM = "work item"
    SETTING = "setting"
    THEME = "theme"
    COMMAND = "command"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument; one of kind TEXT takes the rest of the line."""

    name: str
    kind: Kind
    required: bool = False

    @property
    def usage(self) -> str:
        return f"<{self.name}>" if self.required else f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `action` is the id of the key binding that does the same, or ""."""

    name: str
    summary: str
    arguments: tuple[Argument, ...] = ()
    aliases: tuple[str, ...] = ()
    action: str = ""

    @property
    def usage(self) -> str:
        """Such as `/resume <id>`."""
        return " ".join([f"/{self.name}", *(argument.usage for argument in self.arguments)])


_PROJECT = (Argument("id", Kind.PROJECT),)
_WORDS = Argument("words", Kind.TEXT, required=True)
_NAMED_PROJECT = (Argument("id", Kind.PROJECT, required=True),)

COMMANDS: tuple[Command, ...] = (
    Command("projects", "List all projects.", aliases=("list", "ls")),
    Command("status", "Show how a project stands.", _PROJECT),
    Command("resume", "Let a project go on.", _NAMED_PROJECT, ("continue",), "resume"),
    Command("stop", "Stop a project; it can be resumed.", _PROJECT, action="stop"),
    Command("approve", "Approve what waits for you.", aliases=("ok",), action="approve"),
    Command(
        "reject", "Ask for changes, in your words.", (Argument("words", Kind.TEXT),), ("changes",), "request_changes"
    ),
    Command("edit", "Edit the artifact that waits for you.", action="edit"),
    Command("view", "Show a whole artifact.", (Argument("phase", Kind.PHASE),), ("show",), "view"),
    Command("logs", "Show what the agents do.", (Argument("agent", Kind.AGENT),), ("log",), "logs"),
    Command("items", "Show the work items.", (Argument("item", Kind.ITEM),), ("tasks",), "items"),
    Command("sync", "Take over what was changed in the work tracker, now.", _PROJECT),
    Command("note", "Say something to the next session, of a work item if you name one.", (_WORDS,), ("tell",)),
    Command(
        "interrupt",
        "Stop the step that an agent, or every one, is at; it goes on with what you say next.",
        (Argument("agent", Kind.AGENT),),
        action="interrupt",
    ),
    Command("permissions", "Show the commands you allowed for good, and take them back.", _PROJECT, ("allowed",)),
    Command("diff", "Show what changed, in all or by a work item.", (Argument("item", Kind.ITEM),), action="diff"),
    Command("cost", "Show what was spent, and on what.", _PROJECT, ("costs",), "cost"),
    Command(
        "limit",
        "Show the limits of a project, or change one: /limit project money 100.",
        (Argument("change", Kind.TEXT),),
        ("limits",),
    ),
    Command(
        "priority",
        "Show how urgent a project is, or change that: /priority 10.",
        (Argument("number", Kind.TEXT),),
    ),
    Command(
        "retry", "Try again what failed, with a hint if you have one.", (Argument("hint", Kind.TEXT),), action="retry"
    ),
    Command("skip", "Leave out what failed.", action="skip"),
    Command(
        "config",
        "Show the settings, or change one.",
        (Argument("setting", Kind.SETTING), Argument("value", Kind.TEXT)),
        ("settings", "set"),
        "settings",
    ),
    Command("theme", "Choose other colours.", (Argument("name", Kind.THEME),), ("themes",), "theme"),
    Command("workers", "Show the workers of a cluster, and what each of them runs."),
    Command("replay", "Play what happened in a project once more.", _NAMED_PROJECT),
    Command("help", "Show all commands and keys.", (Argument("command", Kind.COMMAND),), ("h", "?"), "help"),
    Command("quit", "Leave the dashboard.", aliases=("exit", "q"), action="quit"),
)
"""All commands, in the order help shows them."""


def find_command(name: str) -> Command | None:
    """The command of a name or alias, in whatever case it is written."""
    wanted = name.lower()
    return next((command for command in COMMANDS if wanted in (command.name, *command.aliases)), None)
