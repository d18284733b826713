"""Where a project's items are in Linear: team, workflow states, project and labels, found or made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator_tui.backends.linear import documents, mapping, progress
from orchestrator_tui.backends.linear.claim import claim, making
from orchestrator_tui.backends.linear.client import LinearClient
from orchestrator_tui.backends.linear.documents import Mutation
from orchestrator_tui.backends.linear.errors import LinearMissing, LinearRefused, LinearTaken
from orchestrator_tui.backends.linear.remote import (
    Label,
    LinearProject,
    Payload,
    SurroundingsAnswer,
    Team,
    TeamsAnswer,
    parse,
)
from orchestrator_tui.config.settings import LinearSettings
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import WorkItemStatus

MOST_LABELS = 250
"""Labels made in one request."""
LABEL_COLOUR = "#8a8f98"


@dataclass(kw_only=True, slots=True)
class Place:
    """What is known of the surroundings; `labels` are by id, and grow. `document_id` is of the document of progress."""

    team: Team
    project: LinearProject
    document_id: str
    is_new: bool
    labels: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    """Ids of labels that issues have and that are not among the team's."""
    unusable: set[str] = field(default_factory=set)
    """Names of labels that no issue can have, folded: those of groups."""

    def state_id(self, status: WorkItemStatus) -> str:
        """The workflow state for a status: by its type, the first in the team's order.

        Raises:
            LinearMissing: the team has none.
        """
        states = sorted(self.team.states.nodes, key=lambda state: state.position)
        for kind in mapping.TYPES[status]:
            for state in states:
                if state.type == kind:
                    return state.id
        raise LinearMissing(
            f"The team {self.team.name} in Linear has no workflow state of the type {mapping.TYPES[status][0]}.",
            hint="Add one in the team's settings.",
        )

    def label_ids(self, names: Iterable[str]) -> list[str]:
        """The ids of labels that are there."""
        by_name = {name.casefold(): label_id for label_id, name in self.labels.items()}
        return list(dict.fromkeys(by_name[name.casefold()] for name in names if name.casefold() in by_name))

    def missing(self, names: Iterable[str]) -> list[str]:
        """The labels that have to be made."""
        known = {name.casefold() for name in self.labels.values()} | self.unusable
        return list({name.casefold(): name for name in names if name.casefold() not in known}.values())


async def find_place(
    client: LinearClient, settings: LinearSettings, project: Project, *, linked: str | None, content: str
) -> Place:
    """Team, project and labels. The project is made if there is none, and is nobody else's (see `claim`).

    It stays the one with the id `linked`, which it was before, however people name it later, unless that is another
    one's by now and not wanted. Without `backend.linear.project` it is one of its own, known by its id. `content` is
    what its document is to say.

    Raises:
        LinearMissing: there is no such team, or it is not said which, or which project.
        LinearTaken: the project is another one's.
        LinearAway, RateLimited, LinearDenied, LinearRefused: see `LinearClient.execute`.
    """
    team = await _team(client, settings.team)
    own_id = own_project_id(project)
    name = settings.project or project.name
    known = [linked, own_id] if linked else [own_id]
    found, labels = await _surroundings(client, team, name, known)
    chosen = await _claimed(client, _candidates(found, known, settings.project), project, content)
    if chosen is None:
        made = await _create(client, team, {"id": own_id, "name": name[:80]}, making(own_id, project, content))
        place = Place(team=team, project=made, document_id=progress.document_id(own_id), is_new=True)
    else:
        remote, document_id = chosen
        place = Place(team=team, project=remote, document_id=document_id, is_new=False)
    _learn(place, labels)
    return place


def _candidates(
    found: Sequence[LinearProject], known: Sequence[str], wanted: str | None
) -> list[tuple[LinearProject, bool]]:
    """Projects that the items may be in or go into, the best first, and whether it must be that one.

    Raises:
        LinearMissing: none is known, and several have the name that is wanted; or the one that is known is gone.
    """
    by_id = {one.id: one for one in found if not one.is_gone}
    own_id = known[-1]
    candidates = []
    for project_id in [one for one in dict.fromkeys(known) if one in by_id]:
        is_wanted = wanted is not None and by_id[project_id].name.casefold() == wanted.casefold()
        candidates.append((by_id[project_id], is_wanted or project_id == own_id))
    named = [one for one in by_id.values() if one.id not in known] if wanted else []
    gone = [one for one in found if one.id in known and one.is_gone]
    if gone and not candidates and not named:
        raise LinearMissing(
            f"The project {gone[0].name} in Linear was archived or deleted.",
            hint="Restore it there, or name another in backend.linear.project, or move the items to another tracker.",
        )
    if len(named) > 1 and not candidates:
        raise LinearMissing(
            f"There are {len(named)} projects {wanted} in Linear.",
            hint="Give the one that is meant another name there.",
        )
    return [*candidates, *((one, True) for one in named)]


async def _claimed(
    client: LinearClient, candidates: Sequence[tuple[LinearProject, bool]], project: Project, content: str
) -> tuple[LinearProject, str] | None:
    """The first of `candidates` that is this project's from now on, and its document; None when one has to be made.

    Raises:
        LinearTaken: it must be one that is another project's.
    """
    for remote, must_be in candidates:
        try:
            return remote, await claim(client, remote, project, content)
        except LinearTaken:
            if must_be:
                raise
    return None


def own_project_id(project: Project) -> str:
    """The id in Linear of the project that is made for a project."""
    return mapping.fixed_id(project.id, "project")


async def refresh_labels(client: LinearClient, place: Place) -> None:
    """Read the labels again: a person may have made one."""
    _, labels = await _surroundings(client, place.team, place.project.name, [place.project.id])
    _learn(place, labels)


async def make_labels(client: LinearClient, place: Place, names: Sequence[str]) -> None:
    """Make the labels among `names` that are missing, in the team."""
    missing = place.missing(names)
    for start in range(0, len(missing), MOST_LABELS):
        some = missing[start : start + MOST_LABELS]
        inputs = [_label_input(place, name) for name in some]
        document, variables = documents.combine(
            [Mutation(document="label_create", variables={"input": one}) for one in inputs]
        )
        try:
            await client.execute(document, variables)
        except LinearRefused:
            # Some are there already, or nothing that Linear wants as a label.
            await refresh_labels(client, place)
            for name in place.missing(some):
                await _make_label(client, place, name)
        else:
            place.labels.update({one["id"]: one["name"] for one in inputs})


async def _make_label(client: LinearClient, place: Place, name: str) -> None:
    """Make one label; what Linear does not want as one is done without."""
    wanted = _label_input(place, name)
    try:
        await client.execute(*documents.combine([Mutation(document="label_create", variables={"input": wanted})]))
    except LinearRefused:
        place.unusable.add(name.casefold())
    else:
        place.labels[wanted["id"]] = name


async def _team(client: LinearClient, wanted: str | None) -> Team:
    chosen = {"or": [{"key": {"eqIgnoreCase": wanted}}, {"name": {"eqIgnoreCase": wanted}}]} if wanted else None
    teams = await _teams(client, chosen)
    if len(teams) == 1:
        return teams[0]
    exact = [team for team in teams if wanted and team.key.casefold() == wanted.casefold()]
    if exact:
        return exact[0]
    everybody = teams if not wanted else await _teams(client, None)
    there = ", ".join(f"{team.key} ({team.name})" for team in everybody) or "none that the key may see"
    what = f"There is no team {wanted} in Linear" if wanted else "It is not said which of Linear's teams is meant"
    raise LinearMissing(f"{what}; there are: {there}.", hint="Set backend.linear.team to the key of one of them.")


async def _teams(client: LinearClient, chosen: dict[str, Any] | None) -> tuple[Team, ...]:
    data = await client.execute(documents.load("teams"), {"filter": chosen})
    return parse(TeamsAnswer, data).teams.nodes


async def _surroundings(
    client: LinearClient, team: Team, name: str, project_ids: Sequence[str]
) -> tuple[tuple[LinearProject, ...], list[Label]]:
    labels: list[Label] = []
    after: str | None = None
    while True:
        variables = {"teamId": team.id, "project": name, "projectIds": list(project_ids), "after": after}
        answer = parse(SurroundingsAnswer, await client.execute(documents.load("surroundings"), variables))
        labels.extend(answer.issue_labels.nodes)
        after = answer.issue_labels.page_info.end_cursor
        if not answer.issue_labels.page_info.has_next_page:
            return answer.projects.nodes, labels


def _learn(place: Place, labels: Iterable[Label]) -> None:
    for label in labels:
        if label.is_group:
            place.unusable.add(label.name.casefold())
        else:
            place.labels[label.id] = label.name


async def _create(client: LinearClient, team: Team, wanted: dict[str, str], also: Mutation) -> LinearProject:
    """Make a project, and `also` what belongs to it."""
    create = Mutation(document="project_create", variables={"input": {**wanted, "teamIds": [team.id]}})
    payload = parse(Payload, (await client.execute(*documents.combine([create, also])))["m0"])
    if payload.project is None:
        raise LinearMissing(
            f"Linear made no project {wanted['name']}.", hint="Make it there and set backend.linear.project."
        )
    return payload.project


def _label_input(place: Place, name: str) -> dict[str, Any]:
    return {"id": new_id(), "name": name, "teamId": place.team.id, "color": LABEL_COLOUR}
