"""Whether a person has allowed a command in a project for good: the very command, however its words are spaced."""

from collections.abc import Iterable


def granted(command: str, patterns: Iterable[str]) -> bool:
    """Whether `command` is one of `patterns`, blanks between words apart."""
    spaced = normal(command)
    return bool(spaced) and any(spaced == normal(pattern) for pattern in patterns)


def normal(command: str) -> str:
    """`command` with runs of blanks and tabs outside quotes as one blank each, and none at its ends.

    Line breaks stay: they end a command. So does everything behind a backslash.
    """
    parts: list[str] = []
    quote, escaped, between = "", False, True
    for character in command:
        if not (quote or escaped) and character in " \t":
            if not between:
                parts.append(" ")
            between = True
            continue
        between = False
        parts.append(character)
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return "".join(parts[:-1] if between and parts else parts)
