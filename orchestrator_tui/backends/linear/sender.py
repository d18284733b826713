"""Sends the outbox to Linear, in order and in few requests; nothing is made twice, whatever ends the process when.

Before anything is sent, the database knows that it will be. What may have been sent already is looked for in Linear
first; its ids are ours. A request that Linear refuses is sent again in halves until it is known which change is the
reason: that one is set aside, with all others of its item, and told; the rest goes on.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from orchestrator_tui.backends.base import LINK
from orchestrator_tui.backends.linear import documents, mapping
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.errors import LinearRefused
from orchestrator_tui.backends.linear.links import RELATION, TRACKER, IssueLink
from orchestrator_tui.backends.linear.place import Place
from orchestrator_tui.backends.linear.remote import (
    BatchPayload,
    Blocker,
    ExistingAnswer,
    Issue,
    Payload,
    Reference,
    RelationsAnswer,
    parse,
)
from orchestrator_tui.backends.linear.requests import (
    COMMENT,
    CREATE,
    MOST_CHANGES,
    MOST_ISSUES,
    UPDATE,
    Planner,
    Request,
    without,
)
from orchestrator_tui.database.base import Store, UnitOfWork
from orchestrator_tui.domain import words
from orchestrator_tui.domain.records import OutboxEntry, Project, TrackerLink

PAGE = 250
"""The most that Linear gives at once."""


class Sender:
    """The outbox of one project, on its way."""

    def __init__(self, project: Project, store: Store, client: LinearClient) -> None:
        self._project = project
        self._store = store
        self._client = client
        self._planner = Planner(self._project, store, client)
        self._most = MOST_CHANGES

    async def send(self, place: Place) -> int:
        """Send until nothing is left that can be sent; how many issues were.

        Raises:
            LinearAway, RateLimited, LinearDenied, LinearMissing: the rest stays in the outbox.
        """
        sent = 0
        while entries := await self._waiting():
            if entries[0].kind == CREATE:
                request = await self._planner.creation(place, entries, min(self._most, MOST_ISSUES))
                there = await self._existing(request) if request.may_be_there else {}
                if there:
                    await self._found(place, request, there)
                    continue
            else:
                request = await self._planner.changes(place, entries, self._most)
                if request.may_be_there:
                    request = without(request, set(await self._existing(request)))
            try:
                issues = await self._carry_out(place, request)
            except LinearRefused as error:
                await self._refused(request, error)
            else:
                self._most = min(MOST_CHANGES, 2 * self._most)
                await self._settle(place, request, issues)
                sent += len(issues)
        return sent

    async def take_back_what_was_set_aside(self) -> bool:
        """Try again what Linear did not want: somebody may have mended it. Returns whether there is something."""
        aside = await self._aside()
        if aside:
            async with self._store.transaction() as unit:
                await unit.set_aside([entry.seq for entry in aside], None)
        return bool(aside)

    async def what_was_set_aside(self) -> str | None:
        """What Linear did not want, and why, in words; None when there is nothing."""
        aside = await self._aside()
        if not aside:
            return None
        first = aside[0]
        key = (await self._store.get_item(first.work_item_id)).key if first.work_item_id else "The progress document"
        others = len({entry.work_item_id for entry in aside}) - 1
        more = f" and {words.plural(others, 'more item')} are" if others else " is"
        return f"{key}{more} not up to date in Linear. {first.error} It is tried again with the next start or sync."

    async def _aside(self) -> list[OutboxEntry]:
        return [entry async for page in self._pages() for entry in page if entry.error is not None]

    async def _waiting(self) -> list[OutboxEntry]:
        """What can be sent next: nothing of an item of which something was set aside."""
        aside: set[str | None] = set()
        async for page in self._pages():
            aside |= {entry.work_item_id for entry in page if entry.error is not None}
            if waiting := [entry for entry in page if entry.error is None and entry.work_item_id not in aside]:
                return waiting
        return []

    async def _pages(self) -> AsyncIterator[Sequence[OutboxEntry]]:
        """The outbox in order."""
        after = 0
        while page := await self._store.outbox(self._project.id, TRACKER, after=after):
            yield page
            after = page[-1].seq

    async def _carry_out(self, place: Place, request: Request) -> dict[str, Issue]:
        """The issues as they are after the request, by id."""
        if not request.steps:
            return {}
        links = [request.links[item_id].sending(values) for item_id, values in request.sent.items()]
        async with self._store.transaction() as unit:
            await unit.mark_attempted(request.seqs)
            await unit.save_links([link.stored(self._project.id) for link in links])
        document, variables = documents.combine([step.mutation for step in request.steps])
        answers = (await self._client.execute(document, variables)).values()
        if request.entries[0].kind == CREATE:
            batches = [parse(BatchPayload, answer) for answer in answers]
            return {issue.id: issue for batch in batches for issue in batch.issues}
        payloads = [parse(Payload, answer) for answer in answers]
        return {payload.issue.id: payload.issue for payload in payloads if payload.issue is not None}

    async def _settle(self, place: Place, request: Request, issues: Mapping[str, Issue]) -> None:
        """It was carried out: out of the outbox, and what was sent is what both sides have."""
        async with self._store.transaction() as unit:
            await unit.dequeue(request.seqs)
            agreed: list[TrackerLink] = []
            for item_id, values in request.sent.items():
                link = request.links[item_id]
                issue = issues.get(link.issue_id)
                if issue is None:
                    continue
                theirs = mapping.of_issue(issue, place.labels)
                # Of the other fields the answer may tell what a person has changed just now, which is still to be read.
                common = {**(link.common or {}), **{name: theirs[name] for name in values}}
                agreed.append(await self._agreed(unit, link, issue, common))
            await unit.save_links([*request.made, *agreed])

    async def _found(self, place: Place, request: Request, there: Mapping[str, Issue | None]) -> None:
        """Issues that an earlier request had made before its answer was lost, or before this database knew of them."""
        entries = [entry for entry in request.entries if request.links[str(entry.work_item_id)].issue_id in there]
        async with self._store.transaction() as unit:
            await unit.dequeue([entry.seq for entry in entries])
            for entry in entries:
                link = request.links[str(entry.work_item_id)]
                issue = there[link.issue_id]
                assert issue is not None
                common = link.common or link.sent or mapping.of_issue(issue, place.labels)
                await unit.save_links([await self._agreed(unit, link, issue, common)])
            await unit.enqueue([_update(entry) for entry in entries])

    async def _agreed(self, unit: UnitOfWork, link: IssueLink, issue: Issue, common: mapping.Values) -> TrackerLink:
        """The link from now on; the item shows where its issue is."""
        if link.url != issue.url:
            await unit.update_item(link.item_id, {"metadata": {LINK: issue.url}})
        agreed = IssueLink(
            item_id=link.item_id,
            issue_id=link.issue_id,
            common=common,
            identifier=issue.identifier,
            url=issue.url,
        )
        return agreed.stored(self._project.id)

    async def _existing(self, request: Request) -> dict[str, Issue | None]:
        """What of a request is in Linear already, by id."""
        issues = [request.links[item_id].issue_id for item_id in request.sent] if _creates(request) else []
        made = {kind: [step for step in request.steps if step.makes == kind] for kind in (COMMENT, RELATION)}
        wanted = {
            "issues": issues,
            "comments": [step.new_id for step in made[COMMENT]],
            "blockers": list({step.blocker for step in made[RELATION]}),
        }
        if not any(wanted.values()):
            return {}
        found: dict[str, Issue | None] = {}
        most = max(map(len, wanted.values()))
        for start in range(0, most, PAGE):
            some = {name: ids[start : start + PAGE] for name, ids in wanted.items()}
            variables = {**some, "first": min(PAGE, most - start)}
            answer = parse(ExistingAnswer, await self._client.execute(documents.load("existing"), variables))
            others = list(answer.comments.nodes)
            for blocker in answer.blockers.nodes:
                others += await self._relations(blocker)
            found |= {issue.id: issue for issue in answer.issues.nodes} | {other.id: None for other in others}
        return found

    async def _relations(self, blocker: Blocker) -> list[Reference]:
        """All relations of an issue of which some were read: others may wait for one by the hundred."""
        found, page = list(blocker.relations.nodes), blocker.relations.page_info
        while page.has_next_page:
            variables = {"id": blocker.id, "after": page.end_cursor}
            answer = parse(RelationsAnswer, await self._client.execute(documents.load("relations"), variables))
            found += answer.issue.relations.nodes
            page = answer.issue.relations.page_info
        return found

    async def _refused(self, request: Request, error: LinearRefused) -> None:
        if any(entry.attempts == 0 for entry in request.entries):
            # Its first time: perhaps some of it is there, which is looked for before it is sent again.
            return
        if len(request.entries) > 1:
            self._most = max(1, min(self._most, len(request.entries)) // 2)
            return
        (entry,) = request.entries
        async with self._store.transaction() as unit:
            await unit.set_aside([entry.seq], error.message)


def _creates(request: Request) -> bool:
    return bool(request.entries) and request.entries[0].kind == CREATE


def _update(entry: OutboxEntry) -> OutboxEntry:
    return OutboxEntry(project_id=entry.project_id, tracker=entry.tracker, kind=UPDATE, work_item_id=entry.work_item_id)
