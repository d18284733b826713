"""One project of ours for each project in Linear: whose document it holds, that one's it is.

The document's id is made of the project's in Linear, and Linear takes each id once: of two that want to have a project
for the first time one gets it, whatever databases and machines they are on.
"""

from orchestrator_tui.backends.linear import documents, progress
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.documents import Mutation
from orchestrator_tui.backends.linear.errors import LinearRefused, LinearTaken
from orchestrator_tui.backends.linear.remote import Document, DocumentAnswer, LinearProject, parse
from orchestrator_tui.domain.records import Project


def making(remote_id: str, project: Project, content: str) -> Mutation:
    """The change that makes the document, in the project `remote_id`; refused when there is one."""
    wanted = {
        "id": progress.document_id(remote_id),
        "title": progress.title(project),
        "content": content,
        "projectId": remote_id,
    }
    return Mutation(document="document_create", variables={"input": wanted})


async def claim(client: LinearClient, remote: LinearProject, project: Project, content: str) -> None:
    """Make sure that `remote` is this project's. One that nobody keeps items in any more is taken over: its document
    says nobody's name, or a person has deleted it.

    Raises:
        LinearTaken: it is another project's.
        LinearAway, RateLimited, LinearDenied, LinearRefused: see `LinearClient.execute`.
    """
    found = await _document(client, remote)
    if found is None:
        try:
            await _execute(client, making(remote.id, project, content))
            return
        except LinearRefused:
            # Somebody else may have been faster.
            found = await _document(client, remote)
            if found is None:
                raise
    keeper = progress.keeper(found.content or "")
    if found.trashed or keeper is None:
        restored = {"trashed": None} if found.trashed else {}
        await _rewrite(client, remote, {"title": progress.title(project), "content": content, **restored})
    elif keeper != project.id:
        whose = found.title.removeprefix(progress.TITLE)
        raise LinearTaken(
            f"The project {remote.name} in Linear keeps the items of another project already: {whose} ({keeper}).",
            hint=f"{LinearTaken.hint} If that one is gone, delete the document “{found.title}” in Linear.",
        )


async def release(client: LinearClient, remote: LinearProject, project: Project) -> None:
    """Let whoever wants it have `remote` from now on.

    Raises:
        LinearAway, RateLimited, LinearDenied, LinearRefused: see `LinearClient.execute`.
    """
    await _rewrite(client, remote, {"content": progress.farewell(project)})


async def _document(client: LinearClient, remote: LinearProject) -> Document | None:
    variables = {"id": progress.document_id(remote.id)}
    answer = parse(DocumentAnswer, await client.execute(documents.load("document"), variables))
    return next(iter(answer.documents.nodes), None)


async def _rewrite(client: LinearClient, remote: LinearProject, changed: dict[str, str | None]) -> None:
    variables = {"id": progress.document_id(remote.id), "input": changed}
    await _execute(client, Mutation(document="document_update", variables=variables))


async def _execute(client: LinearClient, mutation: Mutation) -> None:
    await client.execute(*documents.combine([mutation]))
