"""Finds words in a log, upper or lower case, in both directions, and counts them."""

import asyncio
from collections.abc import Iterator

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import Place
from orchestrator_tui.tui.wrapping import lower


def find(log: LogBuffer, needle: str, after: Place, forward: bool = True) -> Place | None:
    """The next place after `after` (backwards: the last before it) that has `needle`; filtered lines are skipped."""
    needle = lower(needle)
    if not needle:
        return None
    chunks = list(log.chunks())
    for first, texts in chunks if forward else reversed(chunks):
        apart = first + len(texts) <= after.line if forward else first > after.line
        if apart or not _has(texts, needle):
            continue
        places = [one for one in _places(log, needle, first, texts) if (one > after if forward else one < after)]
        if places:
            return places[0 if forward else -1]
    return None


async def tally(log: LogBuffer, needle: str, cursor: Place | None) -> tuple[int, int]:
    """Which of the matches of `needle` is at `cursor` (0: none of them), and how many there are."""
    needle, nth, total = lower(needle), 0, 0
    for first, texts in list(log.chunks()) if needle else []:
        await asyncio.sleep(0)
        if not _has(texts, needle):
            continue
        for place in _places(log, needle, first, texts):
            total += 1
            nth = total if place == cursor else nth
    return nth, total


def _has(texts: list[str], needle: str) -> bool:
    """Whether it is worth looking at every single line."""
    return needle in lower("\n".join(texts))


def _places(log: LogBuffer, needle: str, first: int, texts: list[str]) -> Iterator[Place]:
    for number, text in enumerate(texts, first):
        low = lower(text)
        at = low.find(needle)
        if at < 0 or number < log.dropped or not log.is_shown(number):
            continue
        while at >= 0:
            yield Place(number, at)
            at = low.find(needle, at + 1)
