"""Merges what several planners answered: what at least two of them say is agreed, the rest keeps its author."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SAME = 0.6
"""Share of common words (Jaccard index of the normalised titles) from which two points count as the same."""

_FILLER = frozenset(
    """
    a an and are as at be by can for from has have if in into is it its may must no not of on or shall should so
    such than that the their them then there these this to via when which will with within without
    """.split()  # noqa: SIM905
)
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One point of one planner, as it was answered."""

    author: str
    kind: str
    title: str
    detail: str
    priority: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedPoint:
    """Points that mean the same: the clearest wording, the most urgent priority, everybody who raised it."""

    kind: str
    title: str
    detail: str
    priority: int
    raised_by: tuple[str, ...]

    def as_mapping(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "title": self.title,
            "detail": self.detail,
            "priority": self.priority,
            "raised_by": list(self.raised_by),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """`agreed`: raised by two or more; `single`: by one. Both most urgent first, then as first raised."""

    agreed: tuple[MergedPoint, ...]
    single: tuple[MergedPoint, ...]


@dataclass(kw_only=True, slots=True)
class _Group:
    words: frozenset[str]
    points: list[Said] = field(default_factory=list)


def merge(points: Sequence[Said]) -> Merged:
    """Group the points of all planners by kind and normalised title, and count each planner once a group."""
    groups: list[_Group] = []
    for point in points:
        words = normalized(point.title)
        group = _find(groups, point, words)
        if group is None:
            group = _Group(words=words)
            groups.append(group)
        group.points.append(point)
    merged = sorted((_merge_group(group) for group in groups), key=lambda point: point.priority)
    return Merged(
        agreed=tuple(point for point in merged if len(point.raised_by) > 1),
        single=tuple(point for point in merged if len(point.raised_by) == 1),
    )


def normalized(title: str) -> frozenset[str]:
    """The words that carry a title's meaning: lower case, no filler, no plural endings."""
    words = frozenset(_stem(word) for word in _WORD.findall(title.casefold()) if word not in _FILLER)
    return words or frozenset({title.casefold().strip()})


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard index of two sets of words, 0 to 1."""
    return len(one & other) / len(one | other)


def same_titles(titles: Mapping[str, str], candidate: str) -> str | None:
    """The key whose title means the same as `candidate`: all carrying words equal. None when there is none."""
    words = normalized(candidate)
    return next((key for key, title in titles.items() if normalized(title) == words), None)


def _find(groups: Sequence[_Group], point: Said, words: frozenset[str]) -> _Group | None:
    best, best_similarity = None, SAME
    for group in groups:
        if group.points[0].kind != point.kind:
            continue
        alike = similarity(group.words, words)
        if alike >= best_similarity and (best is None or alike > best_similarity):
            best, best_similarity = group, alike
    return best


def _merge_group(group: _Group) -> MergedPoint:
    clearest = max(group.points, key=lambda point: len(point.detail))
    return MergedPoint(
        kind=clearest.kind,
        title=group.points[0].title,
        detail=clearest.detail,
        priority=min(point.priority for point in group.points),
        raised_by=tuple(dict.fromkeys(point.author for point in group.points)),
    )


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
