"""A workspace of Linear for tests: what is in it, what people do to it, and the resolvers of `schema.graphql`."""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import GraphQLError

STATES = (
    ("triage", "Triage"),
    ("backlog", "Someday"),
    ("unstarted", "Ready"),
    ("started", "Doing"),
    ("started", "In Review"),
    ("completed", "Shipped"),
    ("canceled", "Dropped"),
)
"""Names that say nothing to a program: only the types do."""
LONGEST_LABEL = 80
Node = dict[str, Any]


def refuse(message: str, code: str = "INPUT_ERROR") -> GraphQLError:
    return GraphQLError(message, extensions={"code": code, "userPresentableMessage": message})


@dataclass
class World:
    """One team, `ENG`. Things are what GraphQL shows of them, by id."""

    issues: dict[str, Node] = field(default_factory=dict)
    comments: dict[str, Node] = field(default_factory=dict)
    relations: dict[str, Node] = field(default_factory=dict)
    labels: dict[str, Node] = field(default_factory=dict)
    projects: dict[str, Node] = field(default_factory=dict)
    documents: dict[str, Node] = field(default_factory=dict)
    poison: str = "\0"
    """A text that no title and no comment may hold."""
    told: Callable[[str, Node], None] = lambda kind, node: None
    """Learns of what people do: where webhooks begin."""

    def __post_init__(self) -> None:
        self._moment = datetime.now(UTC)
        self.states = {
            f"state-{number}": {"id": f"state-{number}", "type": kind, "name": name, "position": float(number)}
            for number, (kind, name) in enumerate(STATES)
        }
        self.team: Node = {"id": str(uuid.uuid4()), "key": "ENG", "name": "Engineering"}
        self.team["states"] = lambda info, first=50: {"nodes": list(self.states.values())}

    # What people see and do.

    def by_title(self, title: str) -> Node:
        (found,) = [issue for issue in self.issues.values() if issue["title"] == title]
        return found

    def state_of(self, issue: Node) -> str:
        return str(issue["state"]["type"])

    def count(self, kind: str) -> int:
        """How many issues are in a state of that type."""
        return sum(self.state_of(issue) == kind for issue in self.issues.values())

    def later(self, **passed: float) -> None:
        """Let time pass, in the words of `timedelta`."""
        self._moment += timedelta(**passed)

    def move(self, issue: Node, name: str) -> None:
        """A person puts an issue into another state, by the name that people know."""
        (state,) = [state for state in self.states.values() if state["name"] == name]
        self.edit(issue, state=state)

    def edit(self, issue: Node, **fields: Any) -> None:
        issue.update(fields, updatedAt=self._now())
        self.told("Issue", issue)

    @property
    def progress(self) -> str:
        """What the documents say."""
        return "\n".join(document["content"] for document in self.documents.values())

    def new_issue(self, title: str, **fields: Any) -> Node:
        project = next(iter(self.projects.values()))
        issue = self._issue(str(uuid.uuid4()), {"title": title, "projectId": project["id"], **fields})
        self.issues[issue["id"]] = issue
        self.told("Issue", issue)
        return issue

    def say(self, issue: Node, body: str) -> Node:
        comment = self._comment(str(uuid.uuid4()), issue, body)
        comment["user"] = {"id": "ada", "displayName": "Ada"}
        self.comments[comment["id"]] = comment
        self.told("Comment", comment)
        return comment

    def labels_of(self, issue: Node) -> set[str]:
        return {self.labels[label_id]["name"] for label_id in issue["labelIds"]}

    def comments_of(self, issue: Node) -> list[str]:
        return [comment["body"] for comment in self.comments.values() if comment["issue"] is issue]

    # Queries.

    def teams(self, info: Any, filter: Mapping[str, Any] | None = None, first: int = 50) -> Node:
        wanted = [one for choice in (filter or {}).get("or", []) for one in choice.values()]
        names = {one["eqIgnoreCase"].casefold() for one in wanted}
        fits = not names or names & {self.team["key"].casefold(), self.team["name"].casefold()}
        return {"nodes": [self.team] if fits else []}

    def project_list(
        self, info: Any, filter: Mapping[str, Any], first: int = 50, includeArchived: bool = False
    ) -> Node:
        by_id, by_name = filter["or"]
        return {
            "nodes": [
                project
                for project in self.projects.values()
                if (includeArchived or project["archivedAt"] is None)
                and (
                    project["id"] in by_id["id"]["in"]
                    or project["name"].casefold() == by_name["name"]["eqIgnoreCase"].casefold()
                )
            ]
        }

    def label_list(self, info: Any, filter: Mapping[str, Any], first: int = 50, after: str | None = None) -> Node:
        return _page(list(self.labels.values()), first, after)

    def issue_list(
        self, info: Any, filter: Mapping[str, Any], first: int = 50, after: str | None = None, **_: Any
    ) -> Node:
        found = [issue for issue in self.issues.values() if _fits(issue, filter)]
        return _page(sorted(found, key=lambda issue: str(issue["updatedAt"]), reverse=True), first, after)

    def comment_list(
        self, info: Any, filter: Mapping[str, Any], first: int = 50, after: str | None = None, **_: Any
    ) -> Node:
        found = [comment for comment in self.comments.values() if _fits(comment, filter)]
        return _page(sorted(found, key=lambda comment: str(comment["createdAt"]), reverse=True), first, after)

    def document_list(self, info: Any, filter: Mapping[str, Any], first: int = 50, **_: Any) -> Node:
        return {"nodes": [one for one in self.documents.values() if _fits(one, filter)]}

    # Mutations.

    def create_issues(self, info: Any, input: Mapping[str, Any]) -> Node:
        """All or none, as in Linear."""
        if len(input["issues"]) > 50:
            raise refuse("Can't create more than 50 issues at a time")
        made: dict[str, Node] = {}
        for one in input["issues"]:
            self._free(self.issues | made, one["id"], "Issue")
            made[one["id"]] = self._issue(one["id"], one)
        self.issues.update(made)
        return {"success": True, "issues": list(made.values())}

    def update_issue(self, info: Any, id: str, input: Mapping[str, Any]) -> Node:
        issue = self._there(self.issues, id)
        self._check(input.get("title", ""))
        changed = dict(input)
        added, removed = changed.pop("addedLabelIds", []), changed.pop("removedLabelIds", [])
        kept = [label_id for label_id in issue["labelIds"] if label_id not in removed]
        issue["labelIds"] = list(dict.fromkeys([*kept, *added]))
        if "stateId" in changed:
            issue["state"] = self._there(self.states, changed.pop("stateId"))
        if "parentId" in changed:
            parent = changed.pop("parentId")
            issue["parent"] = self._there(self.issues, parent) if parent else None
        if "description" in changed:
            changed["description"] = _as_linear_writes(changed["description"])
        issue.update(changed, updatedAt=self._now())
        return {"success": True, "issue": issue}

    def create_comment(self, info: Any, input: Mapping[str, Any]) -> Node:
        self._free(self.comments, input["id"], "Comment")
        self._check(input["body"])
        issue = self._there(self.issues, input["issueId"])
        self.comments[input["id"]] = self._comment(input["id"], issue, input["body"])
        return {"success": True}

    def create_relation(self, info: Any, input: Mapping[str, Any]) -> Node:
        self._free(self.relations, input["id"], "IssueRelation")
        blocker, blocked = self._there(self.issues, input["issueId"]), self._there(self.issues, input["relatedIssueId"])
        self.relations[input["id"]] = {"id": input["id"], "issue": blocker, "relatedIssue": blocked}
        return {"success": True}

    def create_label(self, info: Any, input: Mapping[str, Any]) -> Node:
        if len(input["name"]) > LONGEST_LABEL:
            raise refuse("name must be shorter")
        if any(label["name"].casefold() == input["name"].casefold() for label in self.labels.values()):
            raise refuse("Duplicate label name")
        self.labels[input["id"]] = {"id": input["id"], "name": input["name"], "isGroup": False}
        return {"success": True}

    def create_project(self, info: Any, input: Mapping[str, Any]) -> Node:
        self._free(self.projects, input["id"], "Project")
        project = {"id": input["id"], "name": input["name"], "url": f"https://linear.test/project/{input['id'][:8]}"}
        project |= {"trashed": None, "archivedAt": None}
        self.projects[project["id"]] = project
        return {"success": True, "project": project}

    def create_document(self, info: Any, input: Mapping[str, Any]) -> Node:
        self._free(self.documents, input["id"], "Document")
        self._there(self.projects, input["projectId"])
        self.documents[input["id"]] = {"trashed": None, **input, "content": _as_linear_writes(input["content"])}
        return {"success": True}

    def update_document(self, info: Any, id: str, input: Mapping[str, Any]) -> Node:
        changed = {**input, "content": _as_linear_writes(input["content"])} if "content" in input else dict(input)
        self._there(self.documents, id).update(changed)
        return {"success": True}

    @property
    def root(self) -> Node:
        """The resolvers by the names of the schema's fields."""
        return {
            "teams": self.teams,
            "projects": self.project_list,
            "issueLabels": self.label_list,
            "issues": self.issue_list,
            "issue": lambda info, id: self._there(self.issues, id),
            "comments": self.comment_list,
            "documents": self.document_list,
            "issueBatchCreate": self.create_issues,
            "issueUpdate": self.update_issue,
            "commentCreate": self.create_comment,
            "issueRelationCreate": self.create_relation,
            "issueLabelCreate": self.create_label,
            "projectCreate": self.create_project,
            "documentCreate": self.create_document,
            "documentUpdate": self.update_document,
        }

    def _issue(self, issue_id: str, given: Mapping[str, Any]) -> Node:
        self._check(given["title"])
        number = len(self.issues) + 1
        moment = self._now()
        parent = given.get("parentId")
        issue: Node = {
            "id": issue_id,
            "identifier": f"ENG-{number}",
            "url": f"https://linear.test/issue/ENG-{number}",
            "title": given["title"],
            "description": _as_linear_writes(given.get("description") or ""),
            "priority": given.get("priority", 0),
            "labelIds": list(given.get("labelIds", [])),
            "trashed": None,
            "archivedAt": None,
            "createdAt": moment,
            "updatedAt": moment,
            "addedToProjectAt": moment,
            "state": self.states[given.get("stateId", "state-1")],
            "parent": self._there(self.issues, parent) if parent else None,
            "project": {"id": given["projectId"]},
        }
        issue["relations"] = lambda info, first=50, after=None: _page(
            [one for one in self.relations.values() if one["issue"]["id"] == issue_id], first, after
        )
        return issue

    def _comment(self, comment_id: str, issue: Node, body: str) -> Node:
        return {
            "id": comment_id,
            "issue": issue,
            "body": body,
            "createdAt": self._now(),
            "user": {"id": "key", "displayName": "Owner of the key"},
            "externalUser": None,
            "botActor": None,
        }

    def _now(self) -> str:
        """Later than every moment before it."""
        self._moment = max(self._moment + timedelta(milliseconds=1), datetime.now(UTC))
        return self._moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _check(self, text: str) -> None:
        if self.poison in text:
            raise refuse("The text cannot be taken")

    @staticmethod
    def _free(things: Mapping[str, Node], wanted: str, kind: str) -> None:
        if uuid.UUID(wanted).version != 4:
            raise refuse("id must be a UUID v4")
        if wanted in things:
            raise refuse(f"conflict on insert of {kind}")

    @staticmethod
    def _there(things: Mapping[str, Node], wanted: str) -> Node:
        if wanted not in things:
            raise refuse("Entity not found")
        return things[wanted]


def _fits(node: Node, wanted: Mapping[str, Any]) -> bool:
    for name, value in wanted.items():
        match name:
            case "id" if node["id"] not in value.get("in", [value.get("eq")]):
                return False
            case "project" if node["project"]["id"] != value["id"]["eq"]:
                return False
            case "issue" if not _fits(node["issue"], value):
                return False
            case "updatedAt" | "createdAt" if str(node[name]) < value["gte"]:
                return False
    return True


def _page(nodes: list[Node], first: int, after: str | None) -> Node:
    if not 0 < first <= 250:
        raise refuse("first must be from 1 to 250")
    start = int(after or 0)
    return {
        "nodes": nodes[start : start + first],
        "pageInfo": {"hasNextPage": start + first < len(nodes), "endCursor": str(start + first)},
    }


def _as_linear_writes(text: str) -> str:
    """Markdown goes through an editor's document there, and comes back written in another way."""
    return re.sub(r"(?m)^[*+] ", "- ", text.strip()).replace("_", "\\_")
