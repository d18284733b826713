"""Finds words in a log, upper or lower case, in both directions."""

from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import Place
from orchestrator_tui.tui.wrapping import lower


def find(log: LogBuffer, needle: str, after: Place, forward: bool = True) -> Place | None:
    """The next place after `after` (backwards: the last before it) that has `needle`; filtered lines are skipped."""
    needle = lower(needle)
    if not needle:
        return None
    ahead = range(max(after.line, log.dropped), log.end)
    behind = range(min(after.line, log.end - 1), log.dropped - 1, -1)
    for number in ahead if forward else behind:
        if not log.is_shown(number):
            continue
        text, same = lower(log.text(number)), number == after.line
        if forward:
            at = text.find(needle, after.offset + 1 if same else 0)
        else:
            at = text.rfind(needle, 0, max(0, after.offset + len(needle) - 1) if same else len(text))
        if at >= 0:
            return Place(number, at)
    return None
