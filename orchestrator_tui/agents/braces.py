"""Expands braces of a word without quotes as Bash does: `{a,b}` and `{1..3}`, nested ones too."""

import re

MOST_WORDS = 64
_NUMBERS = re.compile(r"(-?\d{1,6})\.\.(-?\d{1,6})")


def expand_braces(text: str) -> list[str]:
    """The words that `text` becomes; none when they are too many, or not understood."""
    found = [text]
    for _ in range(MOST_WORDS):
        opened = next((number for number, written in enumerate(found) if _first(written) is not None), None)
        if opened is None:
            return [] if any(".." in written and "{" in written for written in found) else found
        span = _first(found[opened])
        assert span is not None
        written, (start, end) = found[opened], span
        choices = _choices(written[start + 1 : end])
        if choices is None or len(found) + len(choices) > MOST_WORDS:
            return []
        found[opened : opened + 1] = [written[:start] + choice + written[end + 1 :] for choice in choices]
    return []


def _first(text: str) -> tuple[int, int] | None:
    """Where the first pair of braces stands that holds a comma of its own or a range."""
    for start, sign in enumerate(text):
        if sign == "{":
            end = _end(text, start)
            if end is not None and (len(_parts(text[start + 1 : end])) > 1 or ".." in text[start + 1 : end]):
                return start, end
    return None


def _end(text: str, start: int) -> int | None:
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return None


def _parts(inner: str) -> list[str]:
    parts, depth = [""], 0
    for sign in inner:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _choices(inner: str) -> list[str] | None:
    parts = _parts(inner)
    if len(parts) > 1:
        return parts
    numbers = _NUMBERS.fullmatch(inner)
    if numbers is not None:
        low, high = int(numbers[1]), int(numbers[2])
        if abs(high - low) < MOST_WORDS:
            step = 1 if high >= low else -1
            return [str(number) for number in range(low, high + step, step)]
    letters = re.fullmatch(r"([a-zA-Z])\.\.([a-zA-Z])", inner)
    if letters is not None:
        low, high = ord(letters[1]), ord(letters[2])
        step = 1 if high >= low else -1
        return [chr(code) for code in range(low, high + step, step)]
    return None
