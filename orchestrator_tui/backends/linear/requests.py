"""Plans what goes into one request to Linear: which entries of the outbox, and the changes that carry them out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from orchestrator_tui.backends.linear import mapping, progress
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.documents import Mutation
from orchestrator_tui.backends.linear.links import ISSUE, RELATION, TRACKER, IssueLink, issue_link
from orchestrator_tui.backends.linear.mapping import Values
from orchestrator_tui.backends.linear.place import Place, make_labels
from orchestrator_tui.database.base import Store
from orchestrator_tui.domain.records import OutboxEntry, Project, TrackerLink, WorkItem
from orchestrator_tui.domain.statuses import WorkItemStatus

CREATE, UPDATE, COMMENT, PROGRESS = "create", "update", "comment", "progress"
"""Kinds of entries of the outbox: an item's issue; what Linear does not have of an item's fields and dependencies; a
comment, whose id is in the entry's data; the document that says how far the project is."""

MOST_ISSUES = 50
"""Issues in one batch, by Linear's documentation."""
MOST_CHANGES = 250
"""Other changes in one request: far below the complexity that one request may have."""
FEW = 10
"""So many items are read one by one, more together with all others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One change. `new_id` is the id of what it makes, of the kind `makes`, and `blocker` the issue of a relation."""

    mutation: Mutation
    makes: str | None = None
    new_id: str = ""
    blocker: str = ""


@dataclass(kw_only=True, slots=True)
class Request:
    """What is sent at once.

    Attributes:
        entries: leave the outbox when the steps were carried out, or at once when there are none.
        links: of the items concerned. sent: the values sent, by item.
        made: links to what is made besides issues.
    """

    entries: list[OutboxEntry] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    links: dict[str, IssueLink] = field(default_factory=dict)
    sent: dict[str, Values] = field(default_factory=dict)
    made: list[TrackerLink] = field(default_factory=list)

    @property
    def seqs(self) -> list[int]:
        return [entry.seq for entry in self.entries]

    @property
    def may_be_there(self) -> bool:
        """Whether some of it may have been carried out before."""
        return any(entry.attempts for entry in self.entries)


class Planner:
    """Makes requests of a project's outbox."""

    def __init__(self, project: Project, store: Store, client: LinearClient) -> None:
        self._project = project
        self._store = store
        self._client = client

    async def creation(self, place: Place, entries: Sequence[OutboxEntry], most: int) -> Request:
        """A batch of the issues to be made next; one whose parent is not there yet is told its parent later."""
        creates = list(takewhile(lambda entry: entry.kind == CREATE, entries))
        items = await self._items(creates)
        await self._make_labels(place, items.values())
        ids = [str(entry.work_item_id) for entry in creates[:most]]
        request = Request(entries=creates[:most], links=await self.issue_links(ids))
        parents = await self.issue_links([parent for item_id in ids if (parent := items[item_id].parent_id)])
        there = {parent for parent, link in parents.items() if link.common is not None}
        for item_id in ids:
            values = mapping.of_item(items[item_id])
            request.sent[item_id] = values if values["parent_id"] in there else {**values, "parent_id": None}
        inputs = []
        for item_id, values in request.sent.items():
            own = {"id": request.links[item_id].issue_id, "teamId": place.team.id, "projectId": place.project.id}
            inputs.append(_issue_input(place, values, {}) | own)
        request.steps = [
            Step(mutation=Mutation(document="issue_batch_create", variables={"input": {"issues": inputs}}))
        ]
        return request

    async def changes(self, place: Place, entries: Sequence[OutboxEntry], most: int) -> Request:
        """The changes of what is there that come next, in order; several of one item are one."""
        some = list(takewhile(lambda entry: entry.kind != CREATE, entries))[:most]
        items = await self._items(some)
        related = {other for item in items.values() for other in item.dependencies}
        request = Request(links=await self.issue_links([*items, *(related - items.keys())]))
        known = await self._relations(items.values())
        seen: set[tuple[str, str]] = set()
        for entry in some:
            if len(request.steps) >= most:
                break
            request.entries.append(entry)
            link = request.links.get(entry.work_item_id or "")
            what = (entry.kind, str(entry.data.get("comment_id") or entry.work_item_id))
            is_first = what not in seen
            seen.add(what)
            if entry.kind == COMMENT and link is not None and is_first:
                await self._comment(request, link, str(entry.data["comment_id"]))
            elif entry.kind == UPDATE and link is not None and link.common is not None and is_first:
                await self._update(place, request, items[link.item_id], link.common)
                self._relate(request, items[link.item_id], known)
            elif entry.kind == PROGRESS and is_first:
                await self._progress(place, request)
        return request

    async def issue_links(self, item_ids: Sequence[str]) -> dict[str, IssueLink]:
        """The links of items that have one, by item."""
        found = await self._store.tracker_links(self._project.id, TRACKER, ISSUE, local_ids=item_ids)
        return {item_id: issue_link(link) for item_id, link in found.items()}

    async def _items(self, entries: Sequence[OutboxEntry]) -> dict[str, WorkItem]:
        """The items that entries are about, by id."""
        wanted = {entry.work_item_id for entry in entries if entry.work_item_id}
        if len(wanted) <= FEW:
            return {item_id: await self._store.get_item(item_id) for item_id in wanted}
        return {item.id: item for item in await self._all_items() if item.id in wanted}

    async def _all_items(self) -> list[WorkItem]:
        items: list[WorkItem] = []
        while page := await self._store.list_items(self._project.id, after=items[-1].number if items else 0, limit=500):
            items.extend(page)
        return items

    async def _relations(self, items: Iterable[WorkItem]) -> Collection[str]:
        """The names of the relations of items that Linear has."""
        names = [relation_name(item, other) for item in items for other in item.dependencies]
        if not names:
            return ()
        return (await self._store.tracker_links(self._project.id, TRACKER, RELATION, local_ids=names)).keys()

    async def _make_labels(self, place: Place, items: Iterable[WorkItem]) -> None:
        names = [label for item in items for label in item.labels]
        await make_labels(self._client, place, [*names, mapping.BLOCKED_LABEL])

    async def _update(self, place: Place, request: Request, item: WorkItem, common: Values) -> None:
        values = mapping.of_item(item)
        if fields := mapping.differing(values, common):
            if "labels" in fields or "status" in fields:
                await self._make_labels(place, [item])
            changed = {name: values[name] for name in fields}
            issue_id = request.links[item.id].issue_id
            variables = {"id": issue_id, "input": _issue_input(place, {**common, **changed}, common)}
            request.sent[item.id] = changed
            request.steps.append(Step(mutation=Mutation(document="issue_update", variables=variables)))

    def _relate(self, request: Request, item: WorkItem, known: Collection[str]) -> None:
        link = request.links[item.id]
        for other in dict.fromkeys(item.dependencies):
            blocker = request.links.get(other)
            if relation_name(item, other) in known or blocker is None or blocker.common is None:
                continue
            new_id = mapping.fixed_id(blocker.issue_id, "blocks", link.issue_id)
            wanted = {
                "id": new_id,
                "type": "blocks",
                "issueId": blocker.issue_id,
                "relatedIssueId": link.issue_id,
            }
            mutation = Mutation(document="relation_create", variables={"input": wanted})
            request.steps.append(Step(mutation=mutation, makes=RELATION, new_id=new_id, blocker=blocker.issue_id))
            request.made.append(self._link(RELATION, relation_name(item, other), new_id))

    async def _comment(self, request: Request, link: IssueLink, comment_id: str) -> None:
        for comment in await self._store.list_comments(link.item_id):
            if comment.id == comment_id:
                body = f"**{comment.author}**\n\n{comment.content}"
                wanted = {"id": comment.id, "issueId": link.issue_id, "body": body}
                mutation = Mutation(document="comment_create", variables={"input": wanted})
                request.steps.append(Step(mutation=mutation, makes=COMMENT, new_id=comment.id))

    async def _progress(self, place: Place, request: Request) -> None:
        text = progress.content(self._project, await self._all_items())
        variables: Mapping[str, Any] = {"id": place.document_id, "input": {"content": text}}
        request.steps.append(Step(mutation=Mutation(document="document_update", variables=variables)))

    def _link(self, kind: str, local_id: str, remote_id: str) -> TrackerLink:
        return TrackerLink(
            project_id=self._project.id, tracker=TRACKER, kind=kind, local_id=local_id, remote_id=remote_id
        )


def relation_name(item: WorkItem, other: str) -> str:
    """The local name of the relation that `item` waits for `other`."""
    return f"{other}:{item.id}"


def without(request: Request, there: set[str]) -> Request:
    """The request without the steps that make what is there already."""
    return replace(request, steps=[step for step in request.steps if step.new_id not in there])


def _issue_input(place: Place, values: Values, before: Values) -> dict[str, Any]:
    """Linear's input for an issue that has the values `before` (none: it is made) and is to have `values`."""
    changed = set(mapping.differing(values, before))
    status = WorkItemStatus(values["status"])
    wanted: dict[str, Any] = {}
    if "title" in changed:
        wanted["title"] = values["title"]
    if changed & {"description", "acceptance"}:
        wanted["description"] = mapping.body(values)
    if "status" in changed:
        wanted["stateId"] = place.state_id(status)
    if "priority" in changed:
        wanted["priority"] = values["priority"]
    if "parent_id" in changed:
        wanted["parentId"] = values["parent_id"]
    if changed & {"labels", "status"}:
        has, had = _labels(place, values), _labels(place, before)
        if not before:
            return wanted | {"labelIds": has}
        # Not all of them: a person may have added one of which nothing is known here yet.
        wanted["addedLabelIds"] = [label_id for label_id in has if label_id not in had]
        wanted["removedLabelIds"] = [label_id for label_id in had if label_id not in has]
    return wanted


def _labels(place: Place, values: Values) -> list[str]:
    blocked = [mapping.BLOCKED_LABEL] if values.get("status") == WorkItemStatus.BLOCKED else []
    return place.label_ids([*values.get("labels", ()), *blocked])
