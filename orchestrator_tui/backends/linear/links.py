"""What is remembered of both sides, in the links of the database: an issue's last common values, how far was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from orchestrator_tui.backends.linear.mapping import Values
from orchestrator_tui.domain.records import TrackerLink

TRACKER = "linear"
ISSUE, RELATION, PROJECT = "issue", "relation", "project"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueLink:
    """An item and its issue.

    Attributes:
        common: the values both sides were last known to have; None before Linear is known to have the issue.
        sent: the values that were sent last, whose arrival may not be known.
    """

    item_id: str
    issue_id: str
    common: Values | None = None
    sent: Values = field(default_factory=dict)
    identifier: str = ""
    url: str = ""

    def stored(self, project_id: str) -> TrackerLink:
        data = {"common": self.common, "sent": self.sent, "identifier": self.identifier, "url": self.url}
        return TrackerLink(
            project_id=project_id,
            tracker=TRACKER,
            kind=ISSUE,
            local_id=self.item_id,
            remote_id=self.issue_id,
            data=data,
        )

    def sending(self, values: Values) -> "IssueLink":
        return replace(self, sent={**self.sent, **values})


def issue_link(link: TrackerLink) -> IssueLink:
    data = link.data
    return IssueLink(
        item_id=link.local_id,
        issue_id=link.remote_id,
        common=data.get("common"),
        sent=data.get("sent") or {},
        identifier=data.get("identifier") or "",
        url=data.get("url") or "",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectLink:
    """The project in Linear, and up to where its changes were read.

    Attributes:
        since: people's issues made before that are none of the project's items.
        issues_read, comments_read: moments of Linear's clock.
    """

    remote_id: str
    url: str
    since: datetime
    issues_read: datetime = BEGINNING
    comments_read: datetime = BEGINNING

    def stored(self, project_id: str) -> TrackerLink:
        data = {
            "url": self.url,
            "since": self.since.isoformat(),
            "issues_read": self.issues_read.isoformat(),
            "comments_read": self.comments_read.isoformat(),
        }
        return TrackerLink(
            project_id=project_id,
            tracker=TRACKER,
            kind=PROJECT,
            local_id=project_id,
            remote_id=self.remote_id,
            data=data,
        )


def project_link(links: Mapping[str, TrackerLink]) -> ProjectLink | None:
    """The link to the project among those of its kind."""
    for link in links.values():
        moments = {name: datetime.fromisoformat(link.data[name]) for name in ("since", "issues_read", "comments_read")}
        return ProjectLink(remote_id=link.remote_id, url=link.data["url"], **moments)
    return None
