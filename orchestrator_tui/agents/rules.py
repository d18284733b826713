"""What a user allows, wants to be asked about, and denies, beside the rules that are built in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator_tui.agents.shell_words import Refused, Word
from orchestrator_tui.config.command_patterns import ANY, pattern_words

if TYPE_CHECKING:
    from orchestrator_tui.config.settings import PermissionSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Patterns of simple commands, such as `npm run *`.

    A pattern is a command as a person writes it; `*` as its last word stands for any arguments, none too. Nothing that
    is denied becomes allowed by them.

    Attributes:
        allow: not asked about. ask: asked about even if it would be allowed. deny: never run.
    """

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: "PermissionSettings") -> "Rules":
        """The rules of a project, by its settings."""
        return cls(allow=settings.allow, ask=settings.ask, deny=settings.deny)

    def allows(self, command: Sequence[Word]) -> bool:
        """Whether a simple command needs no question."""
        return any(_matches(pattern, command) for pattern in self.allow)

    def asks(self, command: Sequence[Word], name: str) -> bool:
        """Whether a person is asked about a simple command; `name` is the program's without its folder."""
        return _any_matches(self.ask, command, name)

    def check_denied(self, command: Sequence[Word], name: str) -> None:
        """Refuse a simple command that the user denies.

        Raises:
            Refused: it, or what it may become when the shell expands it, matches a pattern.
        """
        if _any_matches(self.deny, command, name):
            raise Refused(f"{name}: denied by the settings ([permissions] deny). Do without it.")


NO_RULES = Rules()


def _any_matches(patterns: Sequence[str], command: Sequence[Word], name: str) -> bool:
    if not patterns:
        return False
    called = [Word(name.rpartition("/")[2]), *command[1:]]
    return any(_matches(pattern, written, careful=True) for pattern in patterns for written in (command, called))


def _matches(pattern: str, command: Sequence[Word], *, careful: bool = False) -> bool:
    """Whether a simple command is one that `pattern` means; `careful`: also if it could be one."""
    wanted = pattern_words(pattern)
    if wanted[-1] == ANY:
        wanted, command = wanted[:-1], command[: len(wanted) - 1]
    if len(wanted) != len(command):
        return False
    return all(
        (part.text == text and not part.glob) or (careful and (part.text is None or part.glob))
        for text, part in zip(wanted, command, strict=True)
    )
