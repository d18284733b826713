"""Reads what people changed in Linear and takes it into the database; what came from here is recognised.

A field was changed by a person when Linear has another value of it than both sides last had, and than was sent last.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator_tui.backends.base import LINK
from orchestrator_tui.backends.linear import documents, mapping
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.links import ISSUE, TRACKER, IssueLink, ProjectLink, issue_link
from orchestrator_tui.backends.linear.mapping import Values
from orchestrator_tui.backends.linear.place import Place, refresh_labels
from orchestrator_tui.backends.linear.remote import ChangesAnswer, Issue, PageInfo, RemoteComment, parse
from orchestrator_tui.backends.mirrored import PERSON, MirroredTracker, Outside, OutsideChange
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain.errors import UnknownDependency
from orchestrator_tui.domain.records import Comment, WorkItem

OVERLAP = timedelta(seconds=10)
"""What was changed that long before the newest change seen is read again: it may have become visible later."""
MANY, FEW = 250, 20
"""How many of a kind are asked for at once. Linear counts as if all of them came, so that looks at what is hardly ever
much are small."""


class Receiver:
    """People's changes of one project, on their way here."""

    def __init__(self, tracker: MirroredTracker, store: Store, client: LinearClient) -> None:
        self._tracker = tracker
        self._project = tracker.project
        self._store = store
        self._client = client
        self._expected = MANY

    def expect(self, more: int) -> None:
        """So many issues were sent, which will be read as changes."""
        self._expected += more

    async def receive(self, place: Place, link: ProjectLink) -> ProjectLink:
        """Take in what was changed since `link`; the link for the next time, which is stored.

        Raises:
            LinearAway, RateLimited, LinearDenied, LinearRefused: what was not taken in yet is read again next time.
        """
        issues, comments = await self._read(link)
        # What was changed right before is read again.
        self._expected = max(len(issues), len(comments))
        labels = {label_id for issue in issues for label_id in issue.label_ids} - place.unknown
        if labels - place.labels.keys():
            await refresh_labels(self._client, place)
            place.unknown |= labels - place.labels.keys()
        found = await self._store.tracker_links(
            self._project.id, TRACKER, ISSUE, remote_ids=[issue.id for issue in issues]
        )
        known = {one.remote_id: issue_link(one) for one in found.values()}
        parents = await self._parents(issues)
        unchanged: list[IssueLink] = []
        for issue in _parents_first(issues):
            if issue.id in known:
                agreed = await self._known(place, known[issue.id], issue, parents)
                unchanged += [agreed] if agreed is not None and agreed != known[issue.id] else []
            elif not issue.trashed and issue.archived_at is None and issue.came_at >= link.since:
                await self._new(place, issue, parents)
        await self._comment(comments)
        read = replace(
            link,
            issues_read=max([link.issues_read, *(issue.updated_at - OVERLAP for issue in issues)]),
            comments_read=max([link.comments_read, *(comment.created_at - OVERLAP for comment in comments)]),
        )
        if unchanged or read != link:
            async with self._store.transaction() as unit:
                await unit.save_links(
                    [*(one.stored(self._project.id) for one in unchanged), read.stored(self._project.id)]
                )
        return read

    async def _read(self, link: ProjectLink) -> tuple[list[Issue], list[RemoteComment]]:
        issues: dict[str, Issue] = {}
        comments: dict[str, RemoteComment] = {}
        after: dict[str, PageInfo] = {"issues": PageInfo(has_next_page=True), "comments": PageInfo(has_next_page=True)}
        first = FEW if self._expected <= FEW else MANY
        while any(page.has_next_page for page in after.values()):
            variables = {
                "projectId": link.remote_id,
                "first": first,
                "issuesSince": _moment(link.issues_read),
                "issuesAfter": after["issues"].end_cursor,
                "withIssues": after["issues"].has_next_page,
                "commentsSince": _moment(link.comments_read),
                "commentsAfter": after["comments"].end_cursor,
                "withComments": after["comments"].has_next_page,
            }
            answer = parse(ChangesAnswer, await self._client.execute(documents.load("changes"), variables))
            if answer.issues is not None:
                issues.update({issue.id: issue for issue in answer.issues.nodes})
                after["issues"] = answer.issues.page_info
            if answer.comments is not None:
                comments.update({comment.id: comment for comment in answer.comments.nodes})
                after["comments"] = answer.comments.page_info
            first = MANY
        return list(issues.values()), sorted(comments.values(), key=lambda comment: comment.created_at)

    async def _known(self, place: Place, link: IssueLink, issue: Issue, parents: Collection[str]) -> IssueLink | None:
        """Take in what a person did to an issue of ours. The link as it is from now on, when nobody did anything."""
        theirs = mapping.of_issue(issue, place.labels)
        if theirs["parent_id"] is not None and theirs["parent_id"] not in parents:
            del theirs["parent_id"]
        before: Values = link.common or {}
        changed = [
            name
            for name in mapping.differing(theirs, before)
            if name not in link.sent or not mapping.same(name, theirs[name], link.sent[name])
        ]
        arrived = {
            name for name in link.sent.keys() & theirs.keys() if mapping.same(name, theirs[name], link.sent[name])
        }
        sent = {name: value for name, value in link.sent.items() if name not in arrived}
        agreed = replace(link, common={**before, **theirs}, sent=sent)
        if not changed or (link.common is None and not link.sent):
            return agreed
        item = await self._store.get_item(link.item_id)
        fields: dict[str, Any] = {name: mapping.typed(name, theirs[name]) for name in changed}
        if "status" in changed:
            fields["metadata"] = {**item.metadata, "cancelled": mapping.is_cancelled(issue) or None}
        ours = mapping.of_item(item)
        base = {name: getattr(item, name) for name in fields}
        for name in changed:
            reference = link.common or link.sent
            if name in reference and not mapping.same(name, ours[name], reference[name]):
                base[name] = mapping.typed(name, reference[name])
        await self._take_in(OutsideChange(item_id=item.id, fields=fields, base=base), agreed)
        return None

    async def _take_in(self, change: OutsideChange, agreed: IssueLink) -> None:
        async def remember(unit: UnitOfWork) -> None:
            await unit.save_links([agreed.stored(self._project.id)])

        try:
            await self._tracker.take_in(Outside(changes=(change,)), also=remember)
        except UnknownDependency:
            # A person made a circle of parents; the other changes count all the same.
            fields = {name: value for name, value in change.fields.items() if name != "parent_id"}
            await self._tracker.take_in(Outside(changes=(replace(change, fields=fields),)), also=remember)

    async def _new(self, place: Place, issue: Issue, parents: set[str]) -> None:
        """An issue that a person made becomes an item under the same id, and may be a parent of those after it."""
        if not mapping.is_id(issue.id):
            return
        values = mapping.of_issue(issue, place.labels)
        if values["parent_id"] not in parents:
            values["parent_id"] = None
        parents.add(issue.id)
        item = WorkItem(
            id=issue.id,
            project_id=self._project.id,
            number=0,
            metadata={LINK: issue.url},
            **{name: mapping.typed(name, value) for name, value in values.items()},
        )
        link = IssueLink(item_id=item.id, issue_id=issue.id, common=values, identifier=issue.identifier, url=issue.url)

        async def remember(unit: UnitOfWork) -> None:
            await unit.save_links([link.stored(self._project.id)])

        await self._tracker.take_in(Outside(new=(item,)), also=remember)

    async def _comment(self, comments: Sequence[RemoteComment]) -> None:
        about = [comment.issue.id for comment in comments if comment.issue is not None]
        found = await self._store.tracker_links(self._project.id, TRACKER, ISSUE, remote_ids=about)
        items = {link.remote_id: link.local_id for link in found.values()}
        new = tuple(
            Comment(
                id=comment.id,
                work_item_id=items[comment.issue.id],
                author=comment.author or PERSON,
                content=comment.body,
                created_at=comment.created_at,
            )
            for comment in comments
            if comment.issue is not None and comment.issue.id in items and mapping.is_id(comment.id)
        )
        await self._tracker.take_in(Outside(comments=new))

    async def _parents(self, issues: Sequence[Issue]) -> set[str]:
        """Which parents of issues are items: they have the same ids."""
        wanted = list({issue.parent.id for issue in issues if issue.parent is not None})
        found = await self._store.tracker_links(self._project.id, TRACKER, ISSUE, remote_ids=wanted)
        return {link.remote_id for link in found.values()}


def _parents_first(issues: Iterable[Issue]) -> list[Issue]:
    """In the order of their making, which is that of parents before children as a rule."""
    return sorted(issues, key=lambda issue: (issue.parent is not None, issue.created_at))


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
