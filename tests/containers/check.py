"""What a check in containers has in hand: the API of a server, its events, and what was measured."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.containers.lab import WITH_DB, Lab

PATIENCE = float(os.environ.get("CONTAINER_PATIENCE", "900"))
"""Seconds for whatever has to happen by itself."""

Event = dict[str, Any]


@dataclass
class Check:
    """One run of the check: what it talks to, and what it has measured."""

    lab: Lab
    token: str = ""
    seq: int = 0
    numbers: dict[str, float | str] = field(default_factory=dict)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say what is done, and measure how many seconds it takes."""
        sys.stdout.write(f"== {what}\n")
        sys.stdout.flush()
        began = time.monotonic()
        yield
        self.numbers[what] = round(time.monotonic() - began, 1)

    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.Client(base_url=self.lab.url, headers=headers, timeout=60, trust_env=False)

    def get(self, path: str) -> Any:
        with self.http() as http:
            return http.get(path).raise_for_status().json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        with self.http() as http:
            answer = http.post(path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

    def is_up(self) -> None:
        """Wait until engine and database are there, whatever else a real session would need."""

        def ready() -> bool:
            try:
                with self.http() as http:
                    checks = http.get("/ready").json()["checks"]
            except (httpx.HTTPError, ValueError):
                return False
            return (checks.get("database"), checks["engine"]) == ("", "")

        wait(ready, "the server does not become ready")

    def sign_in(self) -> None:
        """Have a token that may do everything."""
        made = self.lab.program(WITH_DB, "token", "create", "check", "--scope", "admin", "--json")
        self.token = json.loads(made.splitlines()[-1])["token"]

    def plan(self) -> str:
        """Make a project, and approve what it asks about until its agents write code; returns its id."""
        with self.step("three planning phases, each approved"):
            made = self.post("/projects", {"idea": "Check links in Markdown files", "rehearsal": True})
            project = str(made["project_id"])
            for _ in range(3):
                assert self.rests() == "paused"
                waiting = self.get(f"/projects/{project}")["waiting_for"]
                self.post(f"/projects/{project}/approve", {"content_hash": waiting["content_hash"]})
        return project

    def until_at_work(self) -> None:
        """Wait until an agent of the implement phase has called a tool."""
        self.until(lambda event: event["type"] == "AgentStarted" and str(event["data"]["phase"]) == "implement")
        self.until(lambda event: str(event["type"]) == "AgentCalledTool")

    def until(self, reached: Callable[[Event], bool]) -> Event:
        """Follow what happens until an event, from where the last one was."""
        headers = {"Last-Event-ID": str(self.seq)}
        with self.http() as http, http.stream("GET", "/events", headers=headers, timeout=PATIENCE) as stream:
            stream.raise_for_status()
            for line in stream.iter_lines():
                if not line.startswith('data: {"seq"'):
                    continue
                event = json.loads(line.removeprefix("data: "))
                assert event["seq"] == self.seq + 1, f"{event['seq']} came after {self.seq}"
                self.seq = event["seq"]
                if reached(event):
                    assert isinstance(event, dict)
                    return event
        raise SystemExit("the stream of events ended")

    def rests(self) -> str:
        """How the project comes to rest."""
        return new_status(self.until(lambda event: new_status(event) not in ("", "running", "stopping")))

    def rests_for_good(self) -> str:
        """How the project comes to rest, what is told of a crash before it goes on passed over."""
        while (status := self.rests()) == "stopped":
            pass
        return status


def new_status(event: Event) -> str:
    """What a project has become by an event, "" for any other event."""
    return str(event["data"]["new"]) if event["type"] == "PipelineStatusChanged" else ""


def wait(reached: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            raise SystemExit(otherwise)
        time.sleep(0.5)
