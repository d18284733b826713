"""Checks that dependencies and parents of work items exist and form no circle."""

from collections.abc import Iterable, Mapping, Sequence


def unknown(edges: Mapping[str, Iterable[str]], known: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs (who, on what) in which the second is neither in `edges` nor in `known`."""
    names = set(edges) | set(known)
    return [(name, other) for name, others in edges.items() for other in others if other not in names]


def circle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle as the names along it, first one repeated at the end; empty when there is none."""
    done: set[str] = set()
    for start in edges:
        if start not in done and (found := _search(start, edges, done)):
            return found
    return []


def _search(start: str, edges: Mapping[str, Iterable[str]], done: set[str]) -> list[str]:
    path: list[str] = [start]
    on_path = {start}
    waiting = [iter(edges.get(start, ()))]
    while waiting:
        following = next(waiting[-1], None)
        if following is None:
            waiting.pop()
            finished = path.pop()
            on_path.discard(finished)
            done.add(finished)
        elif following in on_path:
            return [*path[path.index(following) :], following]
        elif following not in done:
            path.append(following)
            on_path.add(following)
            waiting.append(iter(edges.get(following, ())))
    return []


def complaints(
    edges: Mapping[str, Sequence[str]], parents: Mapping[str, str | None], known: Iterable[str]
) -> list[str]:
    """Everything wrong with the links of items, a line each, exact enough to be mended by whoever wrote them."""
    known = set(known)
    lines = [f"`{name}` depends on `{other}`, which does not exist" for name, other in unknown(edges, known)]
    named = {name: [parent] for name, parent in parents.items() if parent is not None}
    everyone = known | set(edges)
    lines += [
        f"`{name}` has the parent `{parent}`, which does not exist"
        for name, (parent,) in named.items()
        if parent not in everyone
    ]
    if found := circle(edges):
        lines.append("these depend on each other in a circle: " + " -> ".join(f"`{name}`" for name in found))
    if found := circle(named):
        lines.append("these are each other's parents in a circle: " + " -> ".join(f"`{name}`" for name in found))
    return lines
