"""Leads a project to its end in containers, with a stop in the middle, and prints what it took: `make container-test`.

Builds the image, starts the compose file with its PostgreSQL, has a rehearsal built over the API, and sees that what is
there survives SIGTERM, `down` and `up`, and a change to the profile for an external database; then the same with three
workers, of which the one that has the project is killed.
"""

import argparse
import json
import os
import sys
from typing import Any

from tests.containers.check import Check, Event, new_status
from tests.containers.lab import EXTERNAL, IMAGE_OWNER, WITH_DB, ContainersMissing, Lab, find_tools
from tests.containers.workers import move_between_workers

GRACE = "60"
IMAGE = "orchestrator-tui:check"


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
    check.sign_in()
    who = lab.engine("exec", lab.container(WITH_DB), "id", "-u").strip()
    assert who != "0", "the server runs as root"
    # What is lacking for real sessions does not count here.
    found = json.loads(lab.program(WITH_DB, "doctor", "--json", check=False))
    check.numbers |= {
        f"doctor on {one['what']}": one["text"] for one in found if one["what"] in ("sandbox", "database")
    }


def stop_in_the_middle(check: Check, project: str) -> None:
    lab = check.lab
    check.until_at_work()
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
    parser.add_argument("--only", choices=("server", "workers"), help="one half of it")
    parser.add_argument("--keep", action="store_true", help="leave the containers as they are")
    given = parser.parse_args()
    try:
        tools = find_tools()
    except ContainersMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    image = given.image or IMAGE
    check = Check(Lab(tools=tools, image=image))
    build(check, build_it=given.image is None)
    numbers = check.numbers
    try:
        if given.only != "workers":
            in_one_container(check)
        if given.only != "server":
            if not given.keep:
                check.lab.remove()
            check = Check(Lab(tools=tools, image=image), numbers=numbers)
            move_between_workers(check)
    finally:
        sys.stdout.write(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        if not given.keep:
            check.lab.remove()
    return 0


def in_one_container(check: Check) -> None:
    start(check)
    project = check.plan()
    stop_in_the_middle(check, project)
    start_again(check, project)


if __name__ == "__main__":
    sys.exit(main())
