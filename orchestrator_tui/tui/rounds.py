"""What changed in a document from one round to the next, line by line and within lines by words; pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from orchestrator_tui.domain.records import Artifact
from orchestrator_tui.tui.wrapping import tidy

CONTEXT = 2
"""Unchanged lines shown around a change."""
ALIKE = 0.4
"""Similarity of two lines from which their words are compared."""

SAME, ADDED, REMOVED, GAP = " ", "+", "−", "⋯"

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A line of the difference; `words` are the parts that changed in it, as start and end."""

    sign: str
    text: str
    words: tuple[tuple[int, int], ...] = ()


def previous(artifacts: Sequence[Artifact], artifact_id: str) -> Artifact | None:
    """What stood in place of an artifact before it; `artifacts` are a project's, in the order they were stored."""
    at = next((place for place, one in enumerate(artifacts) if one.id == artifact_id), None)
    if at is None:
        return None
    before = [one for one in artifacts[:at] if one.output_type == artifacts[at].output_type]
    return before[-1] if before else None


def is_edited(artifact: Artifact) -> bool:
    """Whether a person rewrote the document."""
    return bool(artifact.content.get("edited_markdown"))


def difference(old: str, new: str) -> list[ChangedLine]:
    """The changed lines of a document with some around them; empty when both say the same."""
    before, after = tidy(old).split("\n"), tidy(new).split("\n")
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    lines: list[ChangedLine] = []
    for group in matcher.get_grouped_opcodes(CONTEXT):
        if lines:
            lines.append(ChangedLine(GAP, ""))
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                lines += [ChangedLine(SAME, line) for line in before[start:end]]
            else:
                lines += _changed(before[start:end], after[new_start:new_end])
    return lines


def counts(lines: Sequence[ChangedLine]) -> tuple[int, int]:
    """How many lines were added and removed."""
    return sum(line.sign == ADDED for line in lines), sum(line.sign == REMOVED for line in lines)


def _changed(removed: Sequence[str], added: Sequence[str]) -> Iterator[ChangedLine]:
    """Lines that took each other's place stand below each other."""
    pairs = min(len(removed), len(added))
    for old, new in zip(removed[:pairs], added[:pairs], strict=True):
        old_words, new_words = _words(old, new)
        yield ChangedLine(REMOVED, old, old_words)
        yield ChangedLine(ADDED, new, new_words)
    yield from (ChangedLine(REMOVED, line) for line in removed[pairs:])
    yield from (ChangedLine(ADDED, line) for line in added[pairs:])


def _words(old: str, new: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """The parts of two lines that differ; none when the lines have too little in common."""
    before, after = list(_WORD.finditer(old)), list(_WORD.finditer(new))
    matcher = SequenceMatcher(None, [word[0] for word in before], [word[0] for word in after], autojunk=False)
    if matcher.ratio() < ALIKE:
        return (), ()
    changed = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return (
        tuple((before[start].start(), before[end - 1].end()) for _, start, end, _, _ in changed if end > start),
        tuple((after[start].start(), after[end - 1].end()) for _, _, _, start, end in changed if end > start),
    )
