"""Where the rows of a list are after others took their place, so that nothing jumps under a person's eyes; pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def keys_at(rows: Sequence[T], key: Callable[[T], str], places: Iterable[int]) -> dict[str, int]:
    """The keys of the rows at some places, with the place; places where no row is are left out."""
    return {key(rows[at]): at for at in places if 0 <= at < len(rows)}


def find_keys(rows: Sequence[T], key: Callable[[T], str], wanted: Mapping[str, int]) -> dict[str, int]:
    """Where the wanted keys are in `rows`, those that are gone left out; cheap when all are where they were."""
    found = {one: at for one, at in wanted.items() if at < len(rows) and key(rows[at]) == one}
    missing = wanted.keys() - found.keys()
    if missing:
        found |= {one: at for at, row in enumerate(rows) if (one := key(row)) in missing}
    return found


def follow(cursor: int, wanted: Mapping[str, int], found: Mapping[str, int]) -> int:
    """Where the row under the cursor is now; if it is gone, the nearest below it that is left, or else above it."""
    left = [(at < cursor, abs(at - cursor), found[key]) for key, at in wanted.items() if key in found]
    return min(left)[2] if left else cursor


def shift(visible: Iterable[int], wanted: Mapping[str, int], found: Mapping[str, int]) -> int:
    """By how many rows most of what was visible has moved."""
    places = set(visible)
    moves = Counter(found[key] - at for key, at in wanted.items() if key in found and at in places)
    return moves.most_common(1)[0][0] if moves else 0
