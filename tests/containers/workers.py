"""A project moves from a worker whose container is killed to that of another."""

from collections import Counter
from typing import Any

from tests.containers.check import Check, Event, new_status, wait
from tests.containers.lab import WORKER

WORKERS = 3


def move_between_workers(check: Check) -> None:
    """Server, database and three workers; the one that has the project is killed in the middle of its work."""
    lab = check.lab
    lab.write_environment(ORCHESTRATOR_CLUSTER__ENABLED="true")
    with check.step(f"up with {WORKERS} workers, until all are there"):
        lab.compose("with-db", "up", "-d", "--no-build", "--scale", f"{WORKER}={WORKERS}")
        check.is_up()
        check.sign_in()
        wait(lambda: len(check.get("/workers")) == WORKERS, f"there are not {WORKERS} workers")
    project = check.plan()
    check.until_at_work()
    before = _runs(check, project)
    hosts = {lab.host_name(one): one for one in lab.containers(WORKER)}
    killed = next(host for host in hosts if f" on {host} since" in before["process"])
    with check.step("from SIGKILL of its container until another worker has the project"):
        lab.engine("rm", "--force", "--time", "0", hosts[killed])
        taken = check.until(lambda event: event["type"] == "LeaseTaken")
    assert f" on {killed} since" not in taken["data"]["owner"], taken
    assert taken["data"]["over"] == before["process"], taken
    assert _runs(check, project)["process"] == taken["data"]["owner"]
    with check.step("until the other one has completed it"):
        assert check.rests_for_good() == "completed"
    _nothing_twice(check, project)


def _runs(check: Check, project: str) -> dict[str, Any]:
    """The worker that has the project."""
    found: list[dict[str, Any]] = []

    def has_one() -> bool:
        workers = check.get("/workers")
        found[:] = [one for one in workers if project in {run["project_id"] for run in one["projects"]}]
        return bool(found)

    wait(has_one, "no worker has the project")
    return found[0]


def _nothing_twice(check: Check, project: str) -> None:
    told = check.get(f"/projects/{project}")
    assert told["items"]["done"] == sum(told["items"].values()) > 0, told["items"]
    subjects = Counter(one["subject"] for one in check.get(f"/projects/{project}/commits"))
    assert subjects and max(subjects.values()) == 1, subjects
    finished: Counter[str] = Counter()

    def count(event: Event) -> bool:
        if event["type"] == "WorkItemStatusChanged" and event["data"]["new"] == "done":
            finished[event["data"]["work_item_id"]] += 1
        return new_status(event) == "completed"

    check.seq = 0
    check.until(count)
    assert len(finished) == told["items"]["done"], finished
    assert max(finished.values()) == 1, finished
