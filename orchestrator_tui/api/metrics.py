"""Numbers for Prometheus: what this server answers, does, streams and tells, and how its projects stand."""

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from orchestrator_tui import __version__
from orchestrator_tui.domain.ownership import WAITS_FOR_TAKEOVER
from orchestrator_tui.domain.records import ProjectOverview
from orchestrator_tui.domain.statuses import AT_WORK, PipelineStatus

AWAITING_TAKEOVER = "awaiting_takeover"
UNFINISHED = (
    PipelineStatus.RUNNING.value,
    PipelineStatus.STOPPING.value,
    PipelineStatus.PAUSED.value,
    AWAITING_TAKEOVER,
)
"""How a project stands that is not finished. One whose worker is gone and that another one takes up is none of the
paused, which wait for a person, a limit or a time."""

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one server. Labels have few values: routes by their pattern, never by what was asked for."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "orchestrator_requests_total", "Requests answered", ("route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "orchestrator_request_seconds", "How long an answer took to begin", ("route",), registry=self._registry
        )
        self.commands = Counter(
            "orchestrator_commands_total", "Commands carried out", ("command", "status"), registry=self._registry
        )
        self.streams = Gauge("orchestrator_event_streams", "Event streams that are open", registry=self._registry)
        self.events = Counter("orchestrator_events_sent_total", "Events sent to streams", registry=self._registry)
        self._webhooks = Counter(
            "orchestrator_webhooks_total",
            "Tries to tell receivers of webhooks",
            ("receiver", "outcome"),
            registry=self._registry,
        )
        self._projects = Gauge("orchestrator_projects", "Projects in all", registry=self._registry)
        self._unfinished = Gauge(
            "orchestrator_projects_unfinished", "Projects that run or wait", ("status",), registry=self._registry
        )
        self._asking = Gauge("orchestrator_projects_asking", "Projects that ask a person", registry=self._registry)
        self._sessions = Gauge("orchestrator_sessions_at_work", "Claude sessions at work", registry=self._registry)
        ProcessCollector(registry=self._registry)
        info = Gauge("orchestrator_info", "The program", ("version",), registry=self._registry)
        info.labels(__version__).set(1)

    def count_webhook(self, receiver: str, outcome: str) -> None:
        """A receiver was told, or not; their names are those of the settings."""
        self._webhooks.labels(receiver, str(outcome)).inc()

    def take(self, projects: Sequence[ProjectOverview], *, total: int) -> None:
        """How the projects stand, as people are told of them: at least all that run or wait, of `total`."""
        self._projects.set(total)
        standing = [(_standing(one), one) for one in projects]
        tally = Tally(name for name, _ in standing)
        for name in UNFINISHED:
            self._unfinished.labels(name).set(tally[name])
        self._asking.set(sum(one.waiting_for is not None for one in projects))
        self._sessions.set(sum(len(one.running) for name, one in standing if name == PipelineStatus.RUNNING.value))

    def text(self) -> bytes:
        """All numbers, as Prometheus reads them."""
        return generate_latest(self._registry)


def _standing(overview: ProjectOverview) -> str:
    project, state = overview.project, overview.state
    # Of a worker on another machine only its silence is known.
    is_silent = project.status in AT_WORK and state.lapsed
    left = is_silent or state.shutdown_reason == WAITS_FOR_TAKEOVER
    return AWAITING_TAKEOVER if left else project.status.value
