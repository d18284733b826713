"""Numbers for Prometheus: requests, commands and streams of this process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from orchestrator_tui import __version__

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
        self.at_work = Gauge("orchestrator_projects_at_work", "Projects that run or wait", registry=self._registry)
        self.projects = Gauge("orchestrator_projects", "Projects in all", registry=self._registry)
        info = Gauge("orchestrator_info", "The program", ("version",), registry=self._registry)
        info.labels(__version__).set(1)

    def text(self) -> bytes:
        """All numbers, as Prometheus reads them."""
        return generate_latest(self._registry)
