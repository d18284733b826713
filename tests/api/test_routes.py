import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator_tui.api.base import Limits
from orchestrator_tui.api.routes.watching import ready
from orchestrator_tui.domain import owner
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.serve import limits_of
from tests.api.serving import Served, served
from tests.api.test_workers import with_workers
from tests.running import Watched, launch

IDEA = {"idea": "Small modules that tell their names", "name": "small", "rehearsal": True}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "home") as it:
        yield it


async def made(it: Served, http: httpx.AsyncClient, **more: Any) -> Watched:
    """A project that is made by a POST and waits for its first approval."""
    answer = await http.post("/projects", json={**IDEA, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/projects/{answer.json()['project_id']}"
    run = Watched(engine=it.engine, project_id=answer.json()["project_id"])
    assert await run.until_rest() is PipelineStatus.PAUSED
    return run


async def waiting(http: httpx.AsyncClient, reference: str = "1") -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"/projects/{reference}")).json()["waiting_for"]
    return found


async def test_a_project_is_made_approved_and_finished_over_rest(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        run = await made(site, http)
        for _ in range(3):
            asked = await waiting(http, "small")
            answer = await http.post("/projects/small/approve", json={"content_hash": asked["content_hash"]})
            assert (answer.status_code, answer.json()) == (200, {"project_id": run.project_id})
            rest = await run.until_rest()
        assert rest is PipelineStatus.COMPLETED
        (listed,) = (await http.get("/projects")).json()
        assert (listed["number"], listed["name"], listed["status"]) == (1, "small", "completed")
        overview = (await http.get("/projects/1")).json()
        assert (overview["items"]["done"], overview["state"]["phases"]["implement"]["status"]) == (2, "completed")
        items = (await http.get("/projects/1/items", params={"status": "done", "limit": 1})).json()
        assert len(items) == 1
        assert "diff --git" in (await http.get(f"/items/{items[0]['id']}/diff")).json()["patch"]
        assert (await http.get(f"/items/{items[0]['id']}/comments")).status_code == 200
        commits = (await http.get("/projects/1/commits")).json()
        shown = await http.get(f"/projects/1/commits/{commits[0]['hash']}")
        assert "diff --git" in shown.json()["patch"]
        assert (await http.get("/projects/1/diff")).json() == {"patch": ""}
        artifacts = (await http.get("/projects/1/artifacts")).json()
        assert "# " in (await http.get(f"/artifacts/{artifacts[0]['id']}/text")).json()["text"]
        assert len((await http.get("/projects/1/sessions")).json()) > 3
        assert (await http.get("/projects/1/requests")).json() == (await http.get("/requests")).json() == []


async def test_an_answer_to_other_content_is_refused_and_changes_nothing(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        await made(site, http)
        for path, body in (
            ("approve", {}),
            ("reject", {"feedback": "No."}),
            ("edit", {"markdown": "# No"}),
            ("answer", {"choice": "approve"}),
        ):
            refused = await http.post(f"/projects/1/{path}", json={"content_hash": "old", **body})
            assert refused.status_code == 409, path
            assert refused.json()["error"] == "RequestClosed"
        assert (await http.post("/projects/1/approve", json={})).status_code == 422
        assert (await waiting(http))["status"] == "open"


async def test_changes_are_asked_for_and_a_document_is_edited(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        run = await made(site, http)
        first = await waiting(http)
        body = {"content_hash": first["content_hash"], "feedback": "Leave out the moon."}
        assert (await http.post("/projects/1/reject", json=body)).status_code == 200
        assert await run.until_rest() is PipelineStatus.PAUSED
        second = await waiting(http)
        assert second["id"] != first["id"]
        body = {"content_hash": second["content_hash"], "markdown": "# Mine\n"}
        assert (await http.post("/projects/1/edit", json=body)).status_code == 200
        third = await waiting(http)
        assert third["body"] == "# Mine\n"
        body = {"content_hash": third["content_hash"], "request_id": third["id"], "choice": "approve"}
        assert (await http.post("/projects/1/answer", json=body)).status_code == 200


async def test_a_project_is_stopped_and_resumed(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        run = await made(site, http)
        assert (await http.post("/projects/1/stop", json={})).status_code == 200
        assert (await run.project()).status is PipelineStatus.STOPPED
        assert (await http.post("/projects/1/resume", json={})).status_code == 200
        # The empty body may be left out.
        headers = {"Content-Type": "application/json"}
        assert (await http.post("/projects/1/stop", headers=headers)).status_code == 200
        assert (await http.post("/projects/9/stop", json={})).status_code == 404


async def test_words_for_agents_and_another_limit_are_kept_with_the_project(site: Served) -> None:
    async with site.http(Scope.OPERATE) as http:
        run = await made(site, http)
        agent = (await http.get("/projects/1/sessions")).json()[0]["id"]
        item = "00000000-0000-4000-8000-000000000000"
        for path, body, code in (
            ("note", {"text": "Leave out the moon."}, 200),
            ("note", {"text": "Only here.", "item_id": item}, 404),
            # It has ended, so the words wait for the next one.
            ("steer", {"agent_id": agent, "text": "Use port 0."}, 200),
            ("steer", {"agent_id": "nobody", "text": "Use port 0."}, 404),
            ("steer", {"text": "Use port 0."}, 422),
            ("limits", {"scope": "project", "resource": "sessions", "amount": 70}, 200),
            ("limits", {"scope": "project", "resource": "sessions", "amount": 0}, 422),
            ("limits", {"scope": "moon", "resource": "sessions", "amount": 1}, 422),
            ("priority", {"priority": 70}, 200),
            ("priority", {"priority": 1001}, 422),
            ("tracker/sync", {}, 200),
        ):
            answer = await http.post(f"/projects/small/{path}", json=body)
            assert answer.status_code == code, (path, body, answer.text)
        key = {"Idempotency-Key": "urgent"}
        for repeated in (None, "true"):
            answer = await http.post("/projects/small/priority", json={"priority": 70}, headers=key)
            assert answer.headers.get("Idempotent-Replayed") == repeated
            assert answer.json()["project_id"] == run.project_id
            assert answer.json()["note"].startswith("Nothing of it waits now")
        # Nobody is at work that could be interrupted.
        assert (await http.post("/projects/small/interrupt", json={})).status_code == 409
        told = (await http.get("/projects/1/logs")).json()
        [urgent] = [one["data"] for one in told if one["type"] == "PrioritySet"]
        assert urgent == {"old": 0, "new": 70, "by": "operateer"}
        kept = (await http.get("/projects/1")).json()["project"]["config"]["settings"]["cluster"]
        assert kept == {"priority": 70}
        given = [one["data"] for one in told if one["type"] == "InstructionGiven"]
        assert [(one["text"], one["by"]) for one in given] == [
            ("Leave out the moon.", "operateer"),
            ("Use port 0.", "operateer"),
        ]
        uses = (await http.get("/projects/1/limits")).json()["limits"]
        assert [one["limit"] for one in uses if (one["scope"], one["resource"]) == ("project", "sessions")] == [70]
        assert (await run.project()).status is PipelineStatus.PAUSED


async def test_errors_are_problem_details_that_say_what_to_do(site: Served) -> None:
    async with site.http() as http:
        problem = (await http.get("/projects/nobody")).json()
        assert (problem["status"], problem["title"], problem["error"]) == (404, "Project", "ProjectNotFound")
        assert "'nobody'" in problem["detail"]
        assert problem["hint"]
        gone = (await http.get("/artifacts/00000000-0000-0000-0000-000000000000/text")).json()
        assert (gone["status"], gone["error"]) == (404, "KeyError")
        wrong = (await http.post("/projects", json={"idea": "x", "colour": "red"})).json()
        assert wrong["problems"] == [{"where": "body/colour", "what": "Extra inputs are not permitted"}]
        assert (await http.put("/projects", json={})).status_code == 405
        assert (await http.post("/projects/1/approve", json={"content_hash": "x"})).status_code == 404


async def test_logs_are_read_by_key_in_both_directions(site: Served) -> None:
    async with site.http(Scope.READ) as reading, site.http(Scope.OPERATE) as http:
        await made(site, http)
        everything = (await reading.get("/logs")).json()
        assert [one["seq"] for one in everything] == list(range(1, len(everything) + 1))
        assert everything[0]["type"] == "ProjectCreated"
        assert everything[0]["data"]["name"] == "small"
        page = (await reading.get("/projects/1/logs", params={"after_seq": 2, "limit": 3})).json()
        assert page == everything[2:5]
        newest = (await reading.get("/projects/1/logs", params={"limit": 2})).json()
        assert newest == everything[-2:]
        before = (await reading.get("/projects/1/logs", params={"before_seq": 3})).json()
        assert before == everything[:2]
        for params in ({"limit": 0}, {"limit": 1001}, {"after_seq": -1}, {"after_seq": 2**63}, {"after_seq": "x"}):
            assert (await reading.get("/logs", params=params)).status_code == 422


async def test_numbers_for_prometheus(site: Served) -> None:
    async with site.http() as http:
        await made(site, http)
        await http.get("/projects/1")
        text = (await http.get("/metrics")).text
        assert 'orchestrator_requests_total{route="/projects/{reference}",status="200"} 1.0' in text
        assert 'orchestrator_commands_total{command="CreateProject",status="200"} 1.0' in text
        assert "orchestrator_projects 1.0" in text
        assert 'orchestrator_projects_unfinished{status="paused"} 1.0' in text
        assert 'orchestrator_projects_unfinished{status="running"} 0.0' in text
        assert "orchestrator_projects_asking 1.0" in text
        assert "orchestrator_sessions_at_work 0.0" in text
        assert "process_resident_memory_bytes" in text


async def test_projects_that_another_worker_is_to_take_over_are_counted_apart(site: Served) -> None:
    gone = owner.this_process().replace(" since ", " since 9")
    async with site.http() as http:
        run, store = await made(site, http), site.engine._store
        async with store.transaction() as unit:
            await unit.take_lease(run.project_id, gone, over=await unit.pipeline(run.project_id))
            await unit.set_pipeline_status(run.project_id, PipelineStatus.PAUSED, PipelineStatus.RUNNING)

        async def unfinished() -> dict[str, float]:
            lines = (await http.get("/metrics")).text.splitlines()
            found = [line.split('"') for line in lines if line.startswith("orchestrator_projects_unfinished{")]
            return {status: float(number.strip("} ")) for _, status, number in found}

        none = dict.fromkeys(("running", "stopping", "paused", "awaiting_takeover"), 0.0)
        assert await unfinished() == none
        await with_workers(site, "a-7")
        assert await unfinished() == none | {"awaiting_takeover": 1.0}


async def test_a_project_whose_lease_lapsed_on_another_machine_does_not_count_as_running(site: Served) -> None:
    async with site.http() as http:
        run, store = await made(site, http), site.engine._store
        async with store.transaction() as unit:
            far = "process 8 on another-host since 1"
            lease = await unit.take_lease(run.project_id, far, over=await unit.pipeline(run.project_id))
            await unit.set_pipeline_status(run.project_id, PipelineStatus.PAUSED, PipelineStatus.RUNNING)
        await with_workers(site, "a-7")
        running = 'orchestrator_projects_unfinished{status="running"} 1.0'
        assert running in (await http.get("/metrics")).text
        [silent] = await store.roster.wanted()
        await store.roster.lapse(silent)
        told = (await http.get("/metrics")).text
        assert running not in told
        assert 'orchestrator_projects_unfinished{status="awaiting_takeover"} 1.0' in told
        await store.beat(lease)
        assert running in (await http.get("/metrics")).text


def test_what_clients_may_use_up_is_a_setting(tmp_path: Path) -> None:
    assert limits_of(launch(tmp_path / "home", None)) == Limits()
    api = {
        "body_kilobytes": 16,
        "requests_per_second": 2,
        "requests_at_once": 3,
        "refusals_per_minute": 4,
        "streams": 5,
    }
    found = limits_of(launch(tmp_path / "home", None, api=api))
    assert (found.body_bytes, found.per_second, found.burst) == (16_000, 2, 3)
    assert (found.failures_per_minute, found.streams) == (4, 5)


async def test_whoever_asks_at_once_whether_it_is_ready_is_told_of_one_look(tmp_path: Path) -> None:
    looks = 0
    begun, done = asyncio.Event(), asyncio.Event()

    async def look() -> str:
        nonlocal looks
        looks += 1
        begun.set()
        await done.wait()
        return ""

    async with served(tmp_path / "home", checks={"sandbox": look}) as it:
        asked = [asyncio.create_task(ready(it.house)) for _ in range(20)]
        await begun.wait()
        done.set()
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
        assert looks == 1


async def test_health_and_readiness_say_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    async def missing() -> str:
        return "No credentials for Claude were found."

    async with served(tmp_path / "home", checks={"credentials": missing}) as it, it.http(None) as http:
        assert (await http.get("/health")).json()["alive"] is True
        answer = await http.get("/ready")
        assert answer.status_code == 503
        assert answer.json() == {
            "ready": False,
            "checks": {"engine": "", "credentials": "No credentials for Claude were found.", "database": ""},
            "notes": {},
        }
