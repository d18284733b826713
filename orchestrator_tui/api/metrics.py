"""Numbers for Prometheus: what this server answers, does, streams and tells, and how its projects stand."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from orchestrator_tui import __version__
from orchestrator_tui.domain.ownership import as_it_is
from orchestrator_tui.domain.records import Snapshot
from orchestrator_tui.domain.statuses import PipelineStatus

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

    def take(self, snapshot: Snapshot) -> None:
        """How the projects stand; `snapshot` has at least all that run or wait."""
        projects = [as_it_is(one) for one in snapshot.projects]
        self._projects.set(snapshot.total)
        for status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING, PipelineStatus.PAUSED):
            self._unfinished.labels(status.value).set(sum(one.project.status is status for one in projects))
        self._asking.set(sum(one.waiting_for is not None for one in projects))
        self._sessions.set(sum(len(one.running) for one in projects if one.project.status is PipelineStatus.RUNNING))

    def text(self) -> bytes:
        """All numbers, as Prometheus reads them."""
        return generate_latest(self._registry)
