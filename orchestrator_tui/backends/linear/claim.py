"""One project of ours for each project in Linear: whose its newest document of progress is, that one's it is.

The documents' ids are made of the project's in Linear, one after the other, and Linear takes each id once: of two that
want to have a project one gets it, whether it is new or was another one's before, and whatever databases and machines
they are on. A document is never handed on: whoever takes a project over makes the next.
"""

from orchestrator_tui.backends.linear import documents, progress
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.documents import Mutation
from orchestrator_tui.backends.linear.errors import LinearRefused, LinearTaken
from orchestrator_tui.backends.linear.remote import Document, DocumentsAnswer, LinearProject, parse
from orchestrator_tui.domain.records import Project

AT_ONCE = 20
"""Documents that are looked for in one request."""
TRIES = 3


def making(remote_id: str, project: Project, content: str, number: int = 0) -> Mutation:
    """The change that makes the `number`-th document in the project `remote_id`; refused when there is one."""
    wanted = {
        "id": progress.document_id(remote_id, number),
        "title": progress.title(project),
        "content": content,
        "projectId": remote_id,
    }
    return Mutation(document="document_create", variables={"input": wanted})


async def claim(client: LinearClient, remote: LinearProject, project: Project, content: str) -> str:
    """Make sure that `remote` is this project's; the id of its document. One that nobody keeps items in any more is
    taken over: its newest document says nobody's name, or a person has deleted it.

    Raises:
        LinearTaken: it is another project's.
        LinearAway, RateLimited, LinearDenied, LinearRefused: see `LinearClient.execute`.
    """
    tries = 0
    while True:
        number, newest = await _newest(client, remote)
        if newest is not None and not newest.trashed:
            keeper = progress.keeper(newest.content or "")
            if keeper == project.id:
                return newest.id
            if keeper is not None:
                raise _taken(remote, newest, keeper)
        try:
            await client.execute(*documents.combine([making(remote.id, project, content, number + 1)]))
            return progress.document_id(remote.id, number + 1)
        except LinearRefused:
            # Somebody else may have been faster.
            tries += 1
            if tries == TRIES:
                raise


async def release(client: LinearClient, document_id: str, project: Project) -> None:
    """Let whoever wants it have the project in Linear from now on.

    Raises:
        LinearAway, RateLimited, LinearDenied, LinearRefused: see `LinearClient.execute`.
    """
    variables = {"id": document_id, "input": {"content": progress.farewell(project)}}
    await client.execute(*documents.combine([Mutation(document="document_update", variables=variables)]))


async def _newest(client: LinearClient, remote: LinearProject) -> tuple[int, Document | None]:
    """The document with the highest number, and that number; -1 when there is none."""
    newest: tuple[int, Document | None] = (-1, None)
    start = 0
    while newest[0] == start - 1:
        numbers = {progress.document_id(remote.id, number): number for number in range(start, start + AT_ONCE)}
        answer = parse(DocumentsAnswer, await client.execute(documents.load("documents"), {"ids": list(numbers)}))
        newest = max([newest, *((numbers[one.id], one) for one in answer.documents.nodes)], key=lambda found: found[0])
        start += AT_ONCE
    return newest


def _taken(remote: LinearProject, document: Document, keeper: str) -> LinearTaken:
    whose = document.title.removeprefix(progress.TITLE)
    return LinearTaken(
        f"The project {remote.name} in Linear keeps the items of another project already: {whose} ({keeper}).",
        hint=f"{LinearTaken.hint} If that one is gone, delete the document “{document.title}” in Linear.",
    )
