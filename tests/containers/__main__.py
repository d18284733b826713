"""Leads a project to its end in containers, with a stop in the middle, and prints what it took: `make container-test`.

Builds the image, starts the compose file with its PostgreSQL, has a rehearsal built over the API, and sees that what is
there survives SIGTERM, `down` and `up`, and a change to the profile for an external database.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.containers.lab import IMAGE_OWNER, ContainersMissing, Lab, find_tools

WITH_DB, EXTERNAL = "orchestrator-with-db", "orchestrator"
PATIENCE = float(os.environ.get("CONTAINER_PATIENCE", "900"))
"""Seconds for whatever has to happen by itself."""
GRACE = "60"
IMAGE = "orchestrator-tui:check"

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


def new_status(event: Event) -> str:
    """What a project has become by an event, "" for any other event."""
    return str(event["data"]["new"]) if event["type"] == "PipelineStatusChanged" else ""


def wait(reached: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            raise SystemExit(otherwise)
        time.sleep(0.5)


def build(check: Check, *, build_it: bool) -> None:
    lab = check.lab
    if build_it:
        with check.step("build the image"):
            lab.build(uid=os.getuid() or IMAGE_OWNER)
    size = int(lab.engine("image", "inspect", "--format", "{{.Size}}", lab.image))
    check.numbers["size of the image, MB"] = round(size / 1e6)
    told = lab.engine("image", "inspect", lab.image) + lab.engine("history", "--no-trunc", lab.image)
    for name in ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY", "LINEAR_API_KEY", "DATABASE_URL", "sk-ant-"):
        assert name not in told, f"{name} is in the image"


def start(check: Check) -> None:
    lab = check.lab
    with check.step("up with its own PostgreSQL, until it is ready"):
        lab.compose("with-db", "up", "-d", "--no-build")
        check.is_up()
    made = lab.program(WITH_DB, "token", "create", "check", "--scope", "admin", "--json")
    check.token = json.loads(made.splitlines()[-1])["token"]
    who = lab.engine("exec", lab.container(WITH_DB), "id", "-u").strip()
    assert who != "0", "the server runs as root"
    # What is lacking for real sessions does not count here.
    found = json.loads(lab.program(WITH_DB, "doctor", "--json", check=False))
    check.numbers |= {
        f"doctor on {one['what']}": one["text"] for one in found if one["what"] in ("sandbox", "database")
    }


def plan(check: Check) -> str:
    """Make the project, and approve what it asks about until its agents write code."""
    with check.step("three planning phases, each approved"):
        project = str(
            check.post("/projects", {"idea": "Check links in Markdown files", "rehearsal": True})["project_id"]
        )
        for _ in range(3):
            assert check.rests() == "paused"
            waiting = check.get(f"/projects/{project}")["waiting_for"]
            check.post(f"/projects/{project}/approve", {"content_hash": waiting["content_hash"]})
    return project


def stop_in_the_middle(check: Check, project: str) -> None:
    lab = check.lab

    check.until(lambda event: event["type"] == "AgentStarted" and str(event["data"]["phase"]) == "implement")
    check.until(lambda event: str(event["type"]) == "AgentCalledTool")
    with check.step("SIGTERM in the middle of implement, until the container has ended"):
        lab.engine("stop", "-t", GRACE, lab.container(WITH_DB))
    state = lab.state(WITH_DB)
    assert (state["Running"], state["ExitCode"]) == (False, 0), state
    with check.step("start it again"):
        lab.engine("start", lab.container(WITH_DB))
        check.is_up()
    assert check.get(f"/projects/{project}")["project"]["status"] == "stopped"
    steps: list[int] = []

    def stopped(event: Event) -> bool:
        if event["type"] == "StopProgressed":
            steps.append(event["data"]["step"])
        return new_status(event) == "stopped"

    check.until(stopped)
    assert steps == [1, 2, 3, 4, 5], steps
    with check.step("resume, until it is completed"):
        check.post(f"/projects/{project}/resume", {})
        assert check.rests() == "completed"


def is_kept(check: Check, project: str, commits: list[Any]) -> None:
    found = check.get(f"/projects/{project}")
    assert found["project"]["status"] == "completed"
    assert found["items"]["done"] == sum(found["items"].values()) > 0
    assert check.get(f"/projects/{project}/commits") == commits
    assert commits


def start_again(check: Check, project: str) -> None:
    lab = check.lab
    commits = check.get(f"/projects/{project}/commits")
    with check.step("down and up"):
        lab.compose("with-db", "down")
        lab.compose("with-db", "up", "-d", "--no-build")
        check.is_up()
    is_kept(check, project, commits)
    with check.step("down, and up on an external database"):
        lab.compose("with-db", "down")
        lab.write_environment(DATABASE_URL="postgres://postgres:postgres@postgres/orchestrator?sslmode=prefer")
        lab.compose("with-db", "up", "-d", "--no-build", "postgres")
        lab.compose("external-db", "up", "-d", "--no-build", EXTERNAL)
        check.is_up()
    is_kept(check, project, commits)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", help="an image that is there already, in place of building one")
    parser.add_argument("--keep", action="store_true", help="leave the containers as they are")
    given = parser.parse_args()
    try:
        tools = find_tools()
    except ContainersMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    check = Check(Lab(tools=tools, image=given.image or IMAGE))
    build(check, build_it=given.image is None)
    try:
        start(check)
        project = plan(check)
        stop_in_the_middle(check, project)
        start_again(check, project)
    finally:
        sys.stdout.write(json.dumps(check.numbers, indent=2, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        if not given.keep:
            check.lab.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
