"""The rounds of a document: which artifacts are versions of one thing, and how two versions differ; pure."""

import difflib
from collections.abc import Sequence

from orchestrator_tui.domain import words
from orchestrator_tui.domain.records import Artifact
from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.tui.rounds import is_edited

CONTEXT_LINES = 3
MOST_COMPARED = 4_000
"""Lines of a document up to which each is compared with each."""


def versions(artifacts: Sequence[Artifact], phase: PhaseName | None) -> list[Artifact]:
    """The artifacts of a phase, oldest first; without one, of the phase that made the newest."""
    in_order = sorted(artifacts, key=lambda artifact: artifact.created_at)
    if phase is None and in_order:
        phase = in_order[-1].phase
    return [artifact for artifact in in_order if artifact.phase is phase]


def label(artifact: Artifact) -> str:
    """Such as `requirements · round 2 · edited by hand`."""
    edited = " · edited by hand" if is_edited(artifact) else ""
    return f"{words.title(artifact.output_type)} · round {artifact.round}{edited}"


def difference(name: str, old: str, new: str) -> str:
    """The unified patch from one text to the other; empty when they are the same."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return ""
    if len(before) + len(after) > MOST_COMPARED:
        body = _all_new(before, after)
    else:
        body = list(difflib.unified_diff(before, after, "a/" + name, "b/" + name, lineterm="", n=CONTEXT_LINES))
    return "\n".join([f"diff --git a/{name} b/{name}", *body])


def _all_new(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What both begin and end with stays; all between counts as changed."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    head = f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@"
    return [head, *(f"-{line}" for line in old), *(f"+{line}" for line in new)]
