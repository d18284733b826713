"""What a person did to the file: compares it with the revision it was written as, and with the items there are."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator_tui.backends import dependencies
from orchestrator_tui.backends.json_file.entries import FIELDS, Entry
from orchestrator_tui.backends.json_file.reading import BadEdit, HandComment, HandFile, HandItem, Placed
from orchestrator_tui.backends.mirrored import PERSON, Outside, OutsideChange
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.records import Comment, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.domain.text import one_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the program knows. `items` are those of the database, `entries` those of the revision that was edited."""

    project_id: str
    items: Mapping[str, WorkItem]
    entries: Mapping[str, Entry]
    comments: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Edits:
    """What a person did. `missing` are items that were in the file and are gone from it.

    `with_ids` is the file as the person wrote it, with an id for each new item and comment; None when there is none
    without. Written before they are stored, it keeps them from being taken for new ones again after a crash.
    """

    outside: Outside
    missing: tuple[WorkItem, ...]
    with_ids: bytes | None


@dataclass(slots=True)
class _Comparison:
    hand: HandFile
    known: Known
    ids: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    gave_ids: bool = False


def compare(hand: HandFile, known: Known) -> Edits:
    """What the file says that it did not say as the program wrote it.

    Raises:
        BadEdit: it names items that do not exist, the same twice or by another key, or dependencies that form a circle.
    """
    comparison = _Comparison(hand, known)
    _identify(comparison)
    new, changes, comments = [], [], []
    for place, item_id in zip(hand.items, comparison.ids, strict=True):
        if item_id in known.items:
            if change := _change(comparison, place, item_id):
                changes.append(change)
        else:
            new.append(_new_item(comparison, place, item_id))
        comments += _new_comments(comparison, place, item_id)
    _check_links(comparison, new, changes)
    present = set(comparison.ids)
    missing = tuple(item for item in known.items.values() if item.id in known.entries and item.id not in present)
    return Edits(
        outside=Outside(new=tuple(new), changes=tuple(changes), comments=tuple(comments)),
        missing=missing,
        with_ids=_rewritten(hand) if comparison.gave_ids else None,
    )


def _identify(comparison: _Comparison) -> None:
    """Find out which item each entry is; give new ones an id."""
    items, hand = comparison.known.items, comparison.hand
    by_key = {item.key: item.id for item in items.values()}
    given = {place.item.id for place in hand.items if place.item.id}
    seen: set[str] = set()
    comparison.keys = dict(by_key)
    for number, place in enumerate(hand.items):
        item_id = _id_of(place, items, by_key, given)
        if item_id is None:
            item_id = hand.raw["items"][number]["id"] = new_id()
            comparison.gave_ids = True
        if item_id in seen:
            raise BadEdit(place.line("id"), "another item has this id already; leave the id of a new item out")
        seen.add(item_id)
        comparison.ids.append(item_id)
        written = comparison.known.entries.get(item_id)
        if written is not None and place.item.key not in (None, written["key"]):
            raise BadEdit(place.line("key"), f"the key of {written['key']} stays as it is; put it back")
        if item_id not in items and place.item.key and place.item.key not in by_key:
            if place.item.key in comparison.keys:
                raise BadEdit(place.line("key"), f"another new item is {one_line(place.item.key, 40)} already")
            comparison.keys[place.item.key] = item_id


def _id_of(place: Placed, items: Mapping[str, WorkItem], by_key: Mapping[str, str], given: set[str]) -> str | None:
    """The id of an entry, from its key when it has lost it; None for a new item."""
    item = place.item
    if item.id is None:
        meant = by_key.get(item.key or "")
        return meant if meant and meant not in given else None
    if item.id not in items:
        try:
            if str(uuid.UUID(item.id)) != item.id:
                raise ValueError
        except ValueError:
            raise BadEdit(place.line("id"), "there is no item with this id; leave the id of a new item out") from None
    return item.id


def _change(comparison: _Comparison, place: Placed, item_id: str) -> OutsideChange | None:
    entry = comparison.known.entries.get(item_id)
    if entry is None:
        return None
    written = place.item.model_fields_set & FIELDS.keys()
    changed = {name for name in written if getattr(place.item, name) != entry[name]}
    if not changed:
        return None
    if "status" in changed and place.item.status == "in_progress":
        raise _in_progress(place)
    fields = {name: _value(comparison, place, name, getattr(place.item, name)) for name in sorted(changed)}
    base = {name: _value(comparison, None, name, entry[name]) for name in fields}
    return OutsideChange(
        item_id=item_id,
        fields={FIELDS[name]: value for name, value in fields.items()},
        base={FIELDS[name]: value for name, value in base.items()},
    )


def _new_item(comparison: _Comparison, place: Placed, item_id: str) -> WorkItem:
    item = place.item
    if "title" not in item.model_fields_set:
        raise BadEdit(place.line(), "a new item needs a title")
    if item.status == "in_progress":
        raise _in_progress(place)
    values: dict[str, Any] = {
        FIELDS[name]: _value(comparison, place, name, getattr(item, name)) for name in FIELDS if name != "title"
    }
    return WorkItem(id=item_id, project_id=comparison.known.project_id, number=0, title=item.title, **values)


def _in_progress(place: Placed) -> BadEdit:
    reason = "status in_progress is set by the program when an agent takes the item; expected todo, done or blocked"
    return BadEdit(place.line("status"), reason)


def _value(comparison: _Comparison, place: Placed | None, name: str, value: Any) -> Any:
    """A value of the file as one of `WorkItem`. Without a place it is one that the program wrote itself."""
    match name:
        case "status":
            return WorkItemStatus(value)
        case "labels":
            return tuple(dict.fromkeys(value))
        case "acceptance":
            return tuple(value)
        case "depends_on":
            return tuple(dict.fromkeys(_id(comparison, place, name, key) for key in value))
        case "parent":
            return _id(comparison, place, name, value) if value else None
        case _:
            return value


def _id(comparison: _Comparison, place: Placed | None, name: str, key: str) -> str:
    found = comparison.keys.get(key)
    if found is None:
        if place is None:
            return key
        raise BadEdit(place.line(name), f"{name} names {one_line(key, 40)}, and there is no such item")
    return found


def _new_comments(comparison: _Comparison, place: Placed, item_id: str) -> list[Comment]:
    found = []
    for number, comment in enumerate(place.item.comments):
        comment_id = comment.id
        if comment_id is None:
            comment_id = new_id()
            _give_id(comparison, item_id, number, comment, comment_id)
        elif comment_id in comparison.known.comments:
            continue
        elif not _is_id(comment_id):
            raise BadEdit(place.line("comments"), "a comment has an id that is none; leave the id of a new one out")
        if comment.text.strip():
            found.append(
                Comment(id=comment_id, work_item_id=item_id, author=PERSON, content=comment.text, created_at=now())
            )
    return found


def _give_id(comparison: _Comparison, item_id: str, number: int, comment: HandComment, comment_id: str) -> None:
    entry = comparison.hand.raw["items"][comparison.ids.index(item_id)]
    entry["comments"][number] = {"author": PERSON, "text": comment.text, "id": comment_id}
    comparison.gave_ids = True


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _check_links(comparison: _Comparison, new: Sequence[WorkItem], changes: Sequence[OutsideChange]) -> None:
    links: dict[str, Sequence[str]] = {}
    parents: dict[str, str | None] = {}
    for item in [*comparison.known.items.values(), *new]:
        links[item.id], parents[item.id] = item.dependencies, item.parent_id
    touched = {item.id for item in new}
    for change in changes:
        if {"dependencies", "parent_id"} & change.fields.keys():
            touched.add(change.item_id)
            links[change.item_id] = change.fields.get("dependencies", links[change.item_id])
            parents[change.item_id] = change.fields.get("parent_id", parents[change.item_id])
    if not touched:
        return
    names = {item_id: key for key, item_id in comparison.keys.items()}
    for name, graph in (
        ("depends_on", links),
        ("parent", {item_id: [parent] for item_id, parent in parents.items() if parent}),
    ):
        if circle := dependencies.circle(graph):
            first = next((item_id for item_id in circle if item_id in touched), circle[0])
            told = " -> ".join(names.get(item_id, "a new item") for item_id in circle)
            raise BadEdit(_place_of(comparison, first).line(name), f"{name} goes in a circle: {told}")


def _place_of(comparison: _Comparison, item_id: str) -> Placed:
    if item_id in comparison.ids:
        return comparison.hand.items[comparison.ids.index(item_id)]
    return Placed(HandItem(), comparison.hand.text, 0, 0)


def _rewritten(hand: HandFile) -> bytes:
    return (json.dumps(hand.raw, indent=2, ensure_ascii=False) + "\n").encode(errors="replace")
