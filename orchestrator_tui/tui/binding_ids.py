"""The bindings that go by an id with a dot, of all screens and widgets there are; looking them up imports them all."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules

from textual.binding import Binding
from textual.dom import DOMNode

PACKAGES = ("orchestrator_tui.tui.screens", "orchestrator_tui.tui.widgets")


def bindings_by_id() -> Mapping[str, Sequence[Binding]]:
    """The bindings by their ids, in the order of these; takes a moment."""
    for package in PACKAGES:
        for module in iter_modules(import_module(package).__path__, f"{package}."):
            import_module(module.name)
    found: dict[str, list[Binding]] = {}
    for kind in _below(DOMNode):
        for binding in kind.__dict__.get("BINDINGS", ()) if kind.__module__.startswith(PACKAGES) else ():
            if isinstance(binding, Binding) and binding.id and "." in binding.id:
                found.setdefault(binding.id, []).append(binding)
    return {name: found[name] for name in sorted(found)}


def unknown(ids: Mapping[str, str], known: Mapping[str, object]) -> str:
    """What to say of the first of `ids` that no binding has, "" when there is none."""
    wrong = next((one for one in ids if one not in known), None)
    if wrong is None:
        return ""
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"No key has the id {wrong!r}; {f'did you mean {close[0]}?' if close else 'the help lists all ids.'}"


def _below(kind: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
